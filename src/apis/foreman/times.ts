/** `2026-03-09 11:04:27 UTC` */
export function presentTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** What every resource has. */
export function presentTimes({ createdAt, updatedAt }: { readonly createdAt: Date; readonly updatedAt: Date }) {
  return { created_at: presentTime(createdAt), updated_at: presentTime(updatedAt) };
}
