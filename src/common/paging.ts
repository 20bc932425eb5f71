/** A part of a total order. */
export interface SortTerm<Key extends string> {
  readonly key: Key;
  readonly direction: 'asc' | 'desc';
}

/** Which part of an ordered list is wanted. The order is made total by the repository, with `created_at` and `id`. */
export interface PageRequest<Key extends string> {
  readonly sort: readonly SortTerm<Key>[];
  /** At most so many; 0 is an empty page. */
  readonly limit: number;
  /** Id of the last one seen; the page starts behind it. */
  readonly marker?: string;
}
