import type { PageRequest } from '../../common/paging.js';
import type { ImageStatus } from './image-status.js';
import type { Image } from './image.entity.js';

export const VISIBILITIES = ['public', 'community', 'shared', 'private'] as const;
export type Visibility = (typeof VISIBILITIES)[number];

export const MEMBER_STATUSES = ['pending', 'accepted', 'rejected'] as const;
export type MemberStatus = (typeof MEMBER_STATUSES)[number];

/** How an image came to be. */
export type ImageOrigin = 'upload' | 'import' | 'registered' | 'built' | 'customised';

export type ImageProperties = Readonly<Record<string, string>>;

/** Attributes that a client may choose at creation and change later. */
export interface ImageAttributes {
  readonly name: string | null;
  readonly visibility: Visibility;
  readonly protected: boolean;
  readonly hidden: boolean;
  readonly tags: readonly string[];
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  readonly minDiskGib: number;
  readonly minRamMib: number;
  /** The owner. Only administrators choose another one than their own. */
  readonly projectId: string | null;
}

/** A new image. What is absent has the default: `shared`, not protected, no formats, owned by the actor's project. */
export interface CreateImage extends Partial<ImageAttributes> {
  /** Chosen by the client; must never have been used. */
  readonly id?: string;
  readonly properties?: ImageProperties;
}

/** A change of an image, applied as a whole or not at all; absent attributes stay as they are. */
export interface UpdateImage extends Partial<ImageAttributes> {
  readonly setProperties?: ImageProperties;
  readonly removeProperties?: readonly string[];
}

/** A half-open range of time. */
export interface TimeRange {
  /** Inclusive. */
  readonly from?: Date;
  /** Exclusive. */
  readonly before?: Date;
  /** Matches what lies outside of the range instead. */
  readonly outside?: boolean;
}

/** Inclusive bounds. */
export interface NumberRange {
  readonly minimum?: number;
  readonly maximum?: number;
}

/** What images of a list have in common; conditions that are absent are not made, and all of them must hold. */
export interface ImageFilter {
  readonly ids?: readonly string[];
  readonly names?: readonly string[];
  readonly statuses?: readonly string[];
  readonly diskFormats?: readonly string[];
  readonly containerFormats?: readonly string[];
  /** Null stands for images that do not say. */
  readonly architectures?: readonly (string | null)[];
  /** As `architectures`, but no question of the client's: what the face has words for. */
  readonly knownArchitectures?: readonly (string | null)[];
  readonly owner?: string;
  readonly hidden?: boolean;
  readonly protected?: boolean;
  /** All of them. */
  readonly tags?: readonly string[];
  /** All of them, each with this value. */
  readonly properties?: ImageProperties;
  readonly md5?: string;
  readonly hashAlgorithm?: string;
  readonly hashValue?: string;
  readonly sizeBytes?: NumberRange;
  readonly virtualSizeBytes?: NumberRange;
  readonly minDiskGib?: NumberRange;
  readonly minRamMib?: NumberRange;
  readonly createdAt?: readonly TimeRange[];
  readonly updatedAt?: readonly TimeRange[];
  readonly deletedAt?: readonly TimeRange[];
}

export const IMAGE_SORT_KEYS = [
  'name',
  'status',
  'containerFormat',
  'diskFormat',
  'sizeBytes',
  'id',
  'createdAt',
  'updatedAt',
  'architecture',
  'deletedAt',
] as const;
export type ImageSortKey = (typeof IMAGE_SORT_KEYS)[number];

/** Which images a list draws from. */
export type ImageScope =
  /** What visibility grants the actor: public, its own, shared with it, and more where asked for. */
  | {
      readonly kind: 'visible';
      /** Absent: everything but other projects' community images. */
      readonly visibility?: Visibility | 'all';
      /** Which of the images shared with the actor's project. */
      readonly memberStatus: MemberStatus | 'all';
    }
  /** A project's own images, whatever their visibility. Null: those of every project, for administrators. */
  | { readonly kind: 'owned'; readonly projectId: string | null; readonly visibility?: Visibility }
  /** A project's own images that are deleted but not purged. */
  | { readonly kind: 'deleted'; readonly projectId: string | null };

/** One page of a list. The order is made total with `createdAt` and `id` in the direction of the last term. */
export interface ImageQuery extends PageRequest<ImageSortKey> {
  readonly scope: ImageScope;
  readonly filter: ImageFilter;
  /** Whether a marker may be an image that was deleted since the page before was read. */
  readonly markerMayBeDeleted?: boolean;
}

/** What a page has of a list. */
export interface ImagePage {
  readonly images: readonly Image[];
  /** It ends where it does because its images are large: more follow. */
  readonly isCut: boolean;
}

/** A whole list, to be read as a stream. */
export type ImageStreamQuery = Omit<ImageQuery, 'limit'>;

/** Data on its way to an image. */
export interface UploadImage {
  /** Default: the first configured store. */
  readonly storeId?: string;
  /** Length of the data, where the sender says it. */
  readonly sizeBytes?: number;
}

/** Status of images whose bytes are arriving, and which count as uploads of their project. */
export const RECEIVING: readonly ImageStatus[] = ['saving', 'uploading', 'importing'];
