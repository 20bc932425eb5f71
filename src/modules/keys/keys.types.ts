import type { SortTerm } from '../../common/paging.js';
import type { TimeCondition } from '../../common/time-condition.js';

export interface CreateKey {
  readonly name: string;
  readonly publicKey: string;
}

export type KeySortKey = 'id' | 'name' | 'created' | 'deleted';

/** Conditions that all hold; a list of values means any of them. */
export interface KeyFilter {
  readonly names?: readonly string[];
  readonly created?: readonly TimeCondition[];
  /** Of deleted ones. */
  readonly deletedAt?: readonly TimeCondition[];
}

/** Which keys are listed, and in which order. */
export interface KeyQuery {
  /** Null: those of every project, for administrators. */
  readonly projectId: string | null;
  /** Soft-deleted keys instead of live ones. */
  readonly deleted?: boolean;
  readonly filter: KeyFilter;
  readonly sort: readonly SortTerm<KeySortKey>[];
  /** Id of the key behind which the list starts. */
  readonly marker?: string;
}
