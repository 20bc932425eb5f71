import type { AwaitedDigest } from './hash-order.js';
import type { LocationChange, StoreChoice } from '../../images/index.js';
import type { JobStatus } from '../job-state.js';

/** What somebody wants imported into an image. Names and texts are as they came; the domain says what is missing. */
export interface ImportImage {
  /** The face it is asked for through; only this face will show its task. */
  readonly face: string;
  readonly method: string;
  /** For `web-download`. */
  readonly uri?: unknown;
  /** For `glance-download`: which image, where, and through which of the region's endpoints. */
  readonly region?: unknown;
  readonly imageId?: unknown;
  readonly serviceInterface?: unknown;
  readonly stores: StoreChoice;
  /** Default: true. */
  readonly allStoresMustSucceed?: boolean;
  /** With which another region is asked on behalf of the actor. */
  readonly token?: string;
  /** @see ImportOrder.legacy */
  readonly legacy?: Readonly<Record<string, unknown>>;
}

/** The place on the web that a queued image is to have its bytes from. */
export interface AddImageLocation {
  /** @see ImportImage.face */
  readonly face: string;
  readonly url: string;
  readonly validation: AwaitedDigest | null;
}

/** What is to become of the places of an image. */
export interface ChangeImageLocations {
  /** @see ImportImage.face */
  readonly face: string;
  readonly changes: readonly LocationChange[];
}

export const TASK_SORT_KEYS = ['id', 'type', 'status', 'owner', 'created_at', 'updated_at', 'expires_at'] as const;
export type TaskSortKey = (typeof TASK_SORT_KEYS)[number];

/** Which tasks are listed, and in which order. */
export interface TaskQuery {
  readonly face: string;
  readonly statuses?: readonly JobStatus[];
  /** Only those of the old call that makes an image and imports it in one. */
  readonly legacy?: boolean;
  readonly sortKey: TaskSortKey;
  readonly direction: 'asc' | 'desc';
  readonly limit: number;
  /** Id of the task behind which the page starts. */
  readonly marker?: string;
}
