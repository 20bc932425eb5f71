import { isUuid } from '../../common/ids.js';
import { isStorable } from '../../platform/database/storable-text.js';
import { ImageQuotaExceededError, PropertyInvalidError, PropertyReservedError } from './images.errors.js';
import type { ImageProperties, UpdateImage } from './images.types.js';

/** Most properties, tags and members on one image. */
export const IMAGE_PROPERTIES_MAX = 128;
export const IMAGE_TAGS_MAX = 128;
export const IMAGE_MEMBERS_MAX = 128;
/** Most bytes of UTF-8 that names and values of an image's properties take together; lists show them all. */
export const IMAGE_PROPERTIES_BYTES_MAX = 128 * 1024;

/** Names the operating system of which a public image is the official one. Kiln's key, but administrators write it. */
export const OFFICIAL_OS_PROPERTY = 'kiln_official_os';

const LONGEST_NAME = 255;
const RESERVED = /^(kiln_|os_glance)/;
/** Names of an image's own attributes: a property of that name could not be told from the attribute. */
const ATTRIBUTES: ReadonlySet<string> = new Set([
  'id',
  'name',
  'owner',
  'status',
  'visibility',
  'protected',
  'os_hidden',
  'disk_format',
  'container_format',
  'min_disk',
  'min_ram',
  'tags',
  'size',
  'virtual_size',
  'checksum',
  'os_hash_algo',
  'os_hash_value',
  'created_at',
  'updated_at',
  'deleted',
  'deleted_at',
  'self',
  'file',
  'schema',
  'direct_url',
  'stores',
  'location',
  'locations',
]);
const ofImage = (value: string): string | null => (isUuid(value, true) ? null : 'it must be the UUID of an image');
/**
 * Properties that mean something to whoever boots the image, and what is wrong with a value.
 * @see Glance, `etc/schema-image.json`
 */
const DECLARED: ReadonlyMap<string, (value: string) => string | null> = new Map([
  ['kernel_id', ofImage],
  ['ramdisk_id', ofImage],
  [
    'cinder_encryption_key_deletion_policy',
    (value) =>
      ['on_image_deletion', 'do_not_delete'].includes(value) ? null : 'it must be on_image_deletion or do_not_delete',
  ],
]);

/** A change of properties and of nothing else. */
export type PropertyChange = Pick<UpdateImage, 'setProperties' | 'removeProperties'>;

/** Whether an image has something of that name itself, so that no property may have it. */
export function isImageAttribute(name: string): boolean {
  return ATTRIBUTES.has(name);
}

/** Whether users do not write a property: Kiln does, and of one of them administrators. */
export function isReservedProperty(name: string): boolean {
  return RESERVED.test(name);
}

/** Whether somebody may not write a property because it is reserved. */
function isReservedTo(isAdmin: boolean, name: string): boolean {
  return isReservedProperty(name) && !(isAdmin && name === OFFICIAL_OS_PROPERTY);
}

/** What is wrong with the value of a property whose values are restricted; null: nothing, or any text will do. */
export function declaredFault(name: string, value: string): string | null {
  return DECLARED.get(name)?.(value) ?? null;
}

/**
 * Checks properties that a user wants to write.
 * @param isAdmin whether the user administers the deployment
 * @throws PropertyReservedError, PropertyInvalidError
 */
export function checkWritable(properties: ImageProperties, isAdmin: boolean): void {
  for (const [name, value] of Object.entries(properties)) {
    if (isReservedTo(isAdmin, name)) throw new PropertyReservedError(name);
    if (ATTRIBUTES.has(name)) throw new PropertyInvalidError(name, 'this is an attribute of every image');
    if (name === '') throw new PropertyInvalidError(name, 'it needs a name');
    if ([...name].length > LONGEST_NAME)
      throw new PropertyInvalidError(name, `the name is over ${LONGEST_NAME} characters`);
    if (!isStorable(name) || !isStorable(value)) {
      throw new PropertyInvalidError(name, 'it has characters that cannot be kept');
    }
    const fault = declaredFault(name, value);
    if (fault !== null) throw new PropertyInvalidError(name, fault);
  }
}

/** @throws ImageQuotaExceededError too many properties, or too large ones; Kiln's own do not count */
export function checkPropertyRoom(properties: ImageProperties): void {
  const own = Object.entries(properties).filter(([name]) => !isReservedProperty(name));
  if (own.length > IMAGE_PROPERTIES_MAX) {
    throw new ImageQuotaExceededError('properties', IMAGE_PROPERTIES_MAX, own.length);
  }
  const bytes = own.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
  if (bytes > IMAGE_PROPERTIES_BYTES_MAX) {
    throw new ImageQuotaExceededError('bytes of properties', IMAGE_PROPERTIES_BYTES_MAX, bytes);
  }
}

/** Each tag once, in the order of first mention. @throws ImageQuotaExceededError */
export function distinctTags(tags: readonly string[]): string[] {
  const distinct = [...new Set(tags)];
  if (distinct.length > IMAGE_TAGS_MAX) throw new ImageQuotaExceededError('tags', IMAGE_TAGS_MAX, distinct.length);
  return distinct;
}

/**
 * The properties as a change leaves them.
 * @param isAdmin whether it is an administrator's
 * @throws PropertyReservedError, PropertyInvalidError, ImageQuotaExceededError
 */
export function applyToProperties(properties: ImageProperties, change: UpdateImage, isAdmin: boolean): ImageProperties {
  const { setProperties = {}, removeProperties = [] } = change;
  checkWritable(setProperties, isAdmin);
  const reserved = removeProperties.find((name) => isReservedTo(isAdmin, name));
  if (reserved !== undefined) throw new PropertyReservedError(reserved);
  const result = new Map(Object.entries(properties));
  removeProperties.forEach((name) => result.delete(name));
  Object.entries(setProperties).forEach(([name, value]) => result.set(name, value));
  // Removing is always allowed, also while there are too many.
  if (Object.keys(setProperties).length > 0) checkPropertyRoom(Object.fromEntries(result));
  return Object.fromEntries(result);
}

/** The change by which an image gets these properties beside those that it has; what would stay the same is left out. */
export function addProperties(present: ImageProperties, added: ImageProperties): PropertyChange {
  const isNews = ([name, value]: [string, string]) => !Object.hasOwn(present, name) || present[name] !== value;
  // What only Kiln writes is refused even as it is.
  const news = Object.entries(added).filter((entry) => isReservedProperty(entry[0]) || isNews(entry));
  return news.length > 0 ? { setProperties: Object.fromEntries(news) } : {};
}

/** The change by which an image gets these properties instead of those that it has; those that only Kiln writes stay. */
export function replaceProperties(present: ImageProperties, wanted: ImageProperties): PropertyChange {
  const gone = Object.keys(present).filter((name) => !isReservedProperty(name) && !Object.hasOwn(wanted, name));
  return { ...addProperties(present, wanted), ...(gone.length > 0 ? { removeProperties: gone } : {}) };
}
