import { createHash } from 'node:crypto';

const ACCOUNTS = 1_000_000_000_000n;

/** The twelve digits by which a project is known where projects are called accounts; always the same ones. */
export function accountNumberOf(projectId: string): string {
  const digest = createHash('sha256').update(`account ${projectId}`).digest().readBigUInt64BE();
  return String(digest % ACCOUNTS).padStart(12, '0');
}
