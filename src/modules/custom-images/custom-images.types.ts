import type { Image } from '../images/index.js';
import type { Job } from '../jobs/index.js';
import type { CustomImage } from './custom-image.entity.js';
import type { ValidationLevel, ValidationMessage } from './validation/validation.js';

/** The face through which custom images are asked for; it is their jobs'. */
export const CUSTOM_IMAGES_FACE = 'parallelcluster';

/** The version of the reference that Kiln's builds speak. Each build notes the one that made it. */
export const BUILDER_VERSION = '3.12.0';

/** Most characters that a name has. */
export const LONGEST_NAME = 128;

/** What is built, and how strict that is looked at. */
export interface BuildCustomImage {
  readonly name: string;
  /** As the client named it; absent: the configuration's, else the default. */
  readonly region?: string;
  /** The configuration's text. */
  readonly configuration: string;
  /** Names of validators that do not run. */
  readonly suppressed: ReadonlySet<string> | 'all';
  /** Messages of this level or above refuse the build. */
  readonly failureLevel: ValidationLevel;
  readonly rollbackOnFailure: boolean;
  /** Only looks whether it could be built. */
  readonly dryRun: boolean;
}

/** A build that was accepted, or would have been. */
export interface BuildAnswer {
  /** Null: it was a dry run. */
  readonly image: CustomImageView | null;
  /** What was found below the level that refuses. */
  readonly messages: readonly ValidationMessage[];
}

/** A custom image with what it stands for. */
export interface CustomImageView {
  readonly record: CustomImage;
  /** The finished image; null while (or if) there is none. */
  readonly image: Image | null;
  /** The build; null in lists and once it is gone. */
  readonly job: Job | null;
}

export const CUSTOM_IMAGE_FILTERS = ['available', 'pending', 'failed'] as const;
/** Which custom images are listed. Those that are being deleted are in none. */
export type CustomImageFilter = (typeof CUSTOM_IMAGE_FILTERS)[number];

/** In characters; both ends are within. */
export interface NameLength {
  readonly minimum: number;
  readonly maximum: number;
}

export interface CustomImageQuery {
  /** Absent: the default. */
  readonly region?: string;
  readonly filter: CustomImageFilter;
  /** Leaves out builds that were rolled back, which older clients do not know. */
  readonly withoutRolledBack?: boolean;
  /** Leaves out names of other lengths, at which older clients give the whole page up. */
  readonly nameLength?: NameLength;
  /** What the page before ended with. */
  readonly pageToken?: string;
}

/** A row of a list. */
export interface ListedCustomImage {
  readonly record: CustomImage;
  /** Null: no image stands behind it in this list. */
  readonly amiId: string | null;
}

export interface CustomImagePage {
  readonly items: readonly ListedCustomImage[];
  /** Undefined: that was the last page. */
  readonly nextPageToken: string | undefined;
}
