/** The store that holds nothing itself: what lies on the web is read through it. */
export const WEB_STORE = 'http';

/** What users note about a place. */
export type LocationMetadata = Readonly<Record<string, unknown>>;

/** A complete copy in a store of Kiln. */
export interface ImageCopy {
  readonly kind: 'copy';
  readonly storeId: string;
  readonly fileId: string;
  readonly metadata: LocationMetadata;
}

/** A place on the web. */
export interface WebLocation {
  readonly kind: 'web';
  readonly id: string;
  readonly url: string;
  readonly metadata: LocationMetadata;
}

/** A place where the bytes of an image can be read. */
export type ImageLocation = ImageCopy | WebLocation;

/** The address of a place. That of a copy names the file and never where it lies. */
export function urlOf(location: ImageLocation): string {
  return location.kind === 'web' ? location.url : `kiln://${location.storeId}/${location.fileId}`;
}

export function storeOf(location: ImageLocation): string {
  return location.kind === 'web' ? WEB_STORE : location.storeId;
}
