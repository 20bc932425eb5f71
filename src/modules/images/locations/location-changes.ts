import { newId } from '../../../common/ids.js';
import type { Image } from '../image.entity.js';
import { ImageFormatsMissingError, ImageQuotaExceededError } from '../images.errors.js';
import { type ImageLocation, type LocationMetadata, storeOf, urlOf } from './image-location.js';
import {
  LastLocationError,
  LocationInvalidError,
  LocationMismatchError,
  LocationsStatusError,
} from './locations.errors.js';

export const IMAGE_LOCATIONS_MAX = 10;
const HASH_ALGORITHM = 'sha512';

/** What a user says of the bytes at a place. */
export interface ValidationData {
  readonly checksum?: string;
  readonly hashAlgorithm: string;
  readonly hashValue: string;
}

export interface GivenLocation {
  readonly url: string;
  readonly metadata: LocationMetadata;
  readonly validation: ValidationData | null;
}

/** A change of the places of an image. A position of null is the end. */
export type LocationChange =
  | { readonly kind: 'replace'; readonly locations: readonly GivenLocation[] }
  | { readonly kind: 'add'; readonly position: number | null; readonly location: GivenLocation }
  | { readonly kind: 'remove'; readonly position: number | null };

/** What changes, in order, make of an image. */
export interface LocationPlan {
  readonly places: readonly ImageLocation[];
  /** What becomes known of the bytes. */
  readonly digests: { readonly md5: string | null; readonly hashValue: string } | null;
  /** Addresses on the web that the image did not have. */
  readonly newUrls: readonly string[];
}

/**
 * Works out changes of the places of an image; nothing is written and nobody asked.
 *
 * @param check refuses addresses that may not be asked
 * @throws LocationsStatusError, LastLocationError, LocationInvalidError, LocationMismatchError, ImageQuotaExceededError
 * @throws ImageFormatsMissingError
 */
export function planChanges(
  image: Image,
  present: readonly ImageLocation[],
  changes: readonly LocationChange[],
  check: (url: string) => void,
): LocationPlan {
  let places = [...present];
  let status = image.status;
  let digests: LocationPlan['digests'] = null;
  const newUrls: string[] = [];
  const place = ({ url, metadata }: GivenLocation): ImageLocation => {
    check(url);
    newUrls.push(url);
    const location = { kind: 'web' as const, id: newId(), url, metadata };
    return { ...location, metadata: withoutStore(location, metadata) };
  };
  for (const change of changes) {
    const allowed = change.kind === 'remove' ? ['active'] : ['active', 'queued'];
    if (!allowed.includes(status)) throw new LocationsStatusError(image.id, status);
    if (change.kind === 'remove') {
      if (places.length === 1) throw new LastLocationError(image.id);
      places.splice(positionIn(change.position ?? places.length - 1, places.length - 1), 1);
      continue;
    }
    const given = change.kind === 'add' ? [change.location] : change.locations;
    if (given.length === 0) throw new LastLocationError(image.id);
    digests = digestsOf(image, status, given) ?? digests;
    if (change.kind === 'add') {
      places.splice(positionIn(change.position ?? places.length, places.length), 0, place(change.location));
    } else {
      places = places.length > 0 ? withMetadata(places, given) : given.map(place);
    }
    checkAll(places);
    if (status === 'queued' && (image.diskFormat === null || image.containerFormat === null)) {
      throw new ImageFormatsMissingError(image.id);
    }
    status = 'active';
  }
  return { places, digests, newUrls };
}

function positionIn(position: number, last: number): number {
  if (position > last) throw new LocationInvalidError('Invalid position for a location.');
  return position;
}

/** Of an image that has places only what is noted about them can be replaced. */
function withMetadata(places: readonly ImageLocation[], given: readonly GivenLocation[]): ImageLocation[] {
  const left = [...places];
  const replaced = given.map(({ url, metadata }) => {
    const index = left.findIndex((place) => urlOf(place) === url);
    if (index < 0) throw new LocationInvalidError('Original locations is not empty');
    const [place] = left.splice(index, 1);
    return { ...place!, metadata: withoutStore(place!, metadata) };
  });
  if (left.length > 0) throw new LocationInvalidError('Original locations is not empty');
  return replaced;
}

/** The store is told from the address, and shown with what users note. */
function withoutStore(place: ImageLocation, { store, ...metadata }: LocationMetadata): LocationMetadata {
  if (store !== undefined && store !== storeOf(place)) {
    throw new LocationInvalidError(`The location is in the store ${storeOf(place)}`);
  }
  return metadata;
}

function checkAll(places: readonly ImageLocation[]): void {
  if (places.length > IMAGE_LOCATIONS_MAX) {
    throw new ImageQuotaExceededError('locations', IMAGE_LOCATIONS_MAX, places.length);
  }
  const seen = new Set(places.map((place) => `${urlOf(place)} ${inOneOrder(place.metadata)}`));
  if (seen.size < places.length) throw new LocationInvalidError('The location already exists');
}

function inOneOrder(metadata: LocationMetadata): string {
  return JSON.stringify(Object.entries(metadata).sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** What is said of the bytes, which must be what is known of them; null: nothing new. */
function digestsOf(image: Image, status: string, given: readonly GivenLocation[]): LocationPlan['digests'] {
  const said = given.flatMap(({ validation }) => validation ?? []);
  const [first] = said;
  if (!first) return null;
  const known = { checksum: image.md5, hashAlgorithm: image.hashAlgorithm, hashValue: image.hashValue };
  const value = (key: keyof ValidationData): string | null => {
    const values = new Set(said.flatMap((each) => each[key]?.toLowerCase() ?? []));
    if (values.size > 1) throw new LocationMismatchError(`Conflicting values for ${key}`);
    const [only = null] = values;
    if (only !== null && known[key] !== null && known[key] !== only) {
      throw new LocationMismatchError(`${key} is already set with a different value`);
    }
    return only;
  };
  const md5 = value('checksum');
  const algorithm = value('hashAlgorithm');
  const hashValue = value('hashValue')!;
  if (known.hashValue === hashValue && (md5 === null || known.checksum === md5)) return null;
  if (status !== 'queued') throw new LocationMismatchError('Digests may only be given while the image is queued');
  if (algorithm !== HASH_ALGORITHM) throw new LocationMismatchError(`os_hash_algo must be ${HASH_ALGORITHM}`);
  if (!/^[0-9a-f]{128}$/.test(hashValue)) throw new LocationMismatchError('os_hash_value is no sha512 in hexadecimal');
  if (md5 !== null && !/^[0-9a-f]{32}$/.test(md5)) throw new LocationMismatchError('checksum is no md5 in hexadecimal');
  return { md5, hashValue };
}
