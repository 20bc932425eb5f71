import type { RowKey } from '../../modules/provisioning/index.js';

const LARGEST_ID = 2 ** 31 - 1;

/** What a path or a parameter names: `11`, `11-anything` or a name. */
export function readRowKey(text: string): RowKey {
  // No row has a name with a zero character, nor an empty one; the database would not even look for the former.
  return { id: readId(text), name: text.includes('\0') ? '' : text };
}

/** The number with which a text begins; null: none, or one that no row can have. */
export function readId(text: string): number | null {
  const digits = /^\d+/.exec(text)?.[0];
  const id = digits === undefined ? null : Number(digits);
  return id !== null && id <= LARGEST_ID ? id : null;
}
