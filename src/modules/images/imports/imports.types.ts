import type { ImportMethod } from '../../../config/config.js';
import type { CompleteFile } from '../../artifacts/index.js';
import type { ContentVerdict } from '../content/image-content.service.js';
import type { Image } from '../image.entity.js';
import type { ImageProperties } from '../images.types.js';

/** Where imported data goes; nothing said: into the default store. */
export interface StoreChoice {
  /** Every store that takes data. */
  readonly all?: boolean;
  readonly named?: readonly string[];
  /** The one that the header of the request names. */
  readonly header?: string;
}

/** An import that is about to begin. The checks are made in the order that the reference makes them in. */
export interface BeginImport {
  readonly method: ImportMethod;
  readonly taskId: string;
  readonly stores: StoreChoice;
  /** What else the method must be told. @throws KilnError */
  checkArguments(): void;
  /** Ends a task that holds the image if it holds it for no good reason; returns whether it did. */
  breakLock(taskId: string): Promise<boolean>;
  /** Whether the data may be fetched from there. @throws KilnError */
  checkSource(): void;
}

/** An import that has begun. */
export interface BegunImport {
  readonly image: Image;
  /** Where the data is to go, in this order. */
  readonly stores: readonly string[];
}

/** What an import brought. */
export interface ImportResult {
  /** The image as it was when its data was judged. */
  readonly judged: Pick<Image, 'id' | 'diskFormat' | 'containerFormat' | 'properties'>;
  readonly verdict: ContentVerdict;
  /** At least one, each in another store; the first is the one that is read. */
  readonly files: readonly CompleteFile[];
  readonly failedStores: readonly string[];
  /** Properties and formats that the image gets with its data. */
  readonly setProperties: ImageProperties;
  readonly diskFormat?: string;
  readonly containerFormat?: string;
}
