/**
 * Works through everything that `find` brings up, batch by batch. One that fails is told and passed over, so that it does
 * not keep the rest waiting; it comes up again in the next run.
 *
 * @param find the next ids, at most `batch`, without those that were handled
 * @returns how many were handled
 */
export async function drain(
  batch: number,
  find: (limit: number) => Promise<readonly string[]>,
  handle: (id: string) => Promise<unknown>,
  failed: (id: string, error: unknown) => void,
): Promise<number> {
  const passedOver = new Set<string>();
  for (let handled = 0; ;) {
    const ids = await find(batch + passedOver.size);
    const fresh = ids.filter((id) => !passedOver.has(id));
    for (const id of fresh) {
      try {
        await handle(id);
        handled += 1;
      } catch (error) {
        passedOver.add(id);
        failed(id, error);
      }
    }
    if (fresh.length < batch) return handled;
  }
}
