import type { SortTerm } from '../../../common/paging.js';
import type { TimeCondition } from '../../../common/time-condition.js';
import type { ImageProperties, Visibility } from '../images.types.js';

export type DeletedImageSortKey = 'id' | 'name' | 'created' | 'deleted' | 'arch';

/** Conditions that all hold; a list of values means any of them. */
export interface DeletedImageFilter {
  /** Null stands for images that do not say. */
  readonly architectures?: readonly (string | null)[];
  /** As `architectures`, but no question of the client's: what the face has words for. */
  readonly knownArchitectures?: readonly (string | null)[];
  readonly names?: readonly string[];
  readonly visibility?: Visibility;
  /** All of them, each with this value. */
  readonly properties?: ImageProperties;
  readonly created?: readonly TimeCondition[];
  readonly deleted?: readonly TimeCondition[];
}

/** Which deleted images are listed, and in which order. */
export interface DeletedImageQuery {
  /** Null: those of every project, for administrators. */
  readonly projectId: string | null;
  readonly filter: DeletedImageFilter;
  readonly sort: readonly SortTerm<DeletedImageSortKey>[];
  /** Id of the image behind which the list starts. */
  readonly marker?: string;
}
