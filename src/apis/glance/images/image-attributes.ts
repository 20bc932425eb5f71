import { isUuid } from '../../../common/ids.js';
import { declaredFault, VISIBILITIES } from '../../../modules/images/index.js';
import { RequestInvalidError } from '../glance.errors.js';

/** The words that a deployment has for the formats of images. */
export interface FormatWords {
  readonly disk: readonly string[];
  readonly container: readonly string[];
}

/** Statuses that the reference names. */
export const WIRE_STATUSES = [
  'queued',
  'saving',
  'active',
  'killed',
  'deleted',
  'uploading',
  'importing',
  'pending_delete',
  'deactivated',
] as const;

const LONGEST_TEXT = 255;
const LARGEST_INTEGER = 2 ** 31 - 1;

/** Says what is wrong with a value; null: nothing. */
type Check = (value: unknown) => string | null;

const text =
  (longest = Infinity): Check =>
  (value) => {
    if (typeof value !== 'string') return 'it must be a string';
    // A text that PostgreSQL cannot hold: NUL, or half of a surrogate pair.
    if (/\0|\p{Surrogate}/u.test(value)) return 'it has characters that cannot be kept';
    return [...value].length > longest ? `it may have at most ${longest} characters` : null;
  };
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? null : check(value);
const oneOf =
  (values: readonly string[]): Check =>
  (value) =>
    values.includes(value as string) ? null : `it must be one of ${values.join(', ')}`;
const boolean: Check = (value) => (typeof value === 'boolean' ? null : 'it must be true or false');
const integer: Check = (value) => (Number.isInteger(value) ? null : 'it must be an integer');
const smallInteger: Check = (value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LARGEST_INTEGER
    ? null
    : `it must be an integer from 0 to ${LARGEST_INTEGER}`;
const uuid: Check = (value) => (typeof value === 'string' && isUuid(value, true) ? null : 'it must be a UUID');
const listOf =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return 'it must be a list';
    return value.map(check).find((fault) => fault !== null) ?? null;
  };

/** Every attribute that an image has of itself. */
const BASE: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['id', uuid],
  ['name', orNull(text(LONGEST_TEXT))],
  ['visibility', oneOf(VISIBILITIES)],
  ['protected', boolean],
  ['os_hidden', boolean],
  // Held against the words of the deployment by `checkFormat`.
  ['disk_format', orNull(text(LONGEST_TEXT))],
  ['container_format', orNull(text(LONGEST_TEXT))],
  ['min_disk', smallInteger],
  ['min_ram', smallInteger],
  ['tags', listOf(text(LONGEST_TEXT))],
  ['owner', orNull(text(LONGEST_TEXT))],
  ['status', oneOf(WIRE_STATUSES)],
  ['size', orNull(integer)],
  ['virtual_size', orNull(integer)],
  ['checksum', orNull(text(32))],
  ['os_hash_algo', orNull(text(64))],
  ['os_hash_value', orNull(text(128))],
  ['created_at', text()],
  ['updated_at', text()],
  ['direct_url', text()],
  ['self', text()],
  ['file', text()],
  ['schema', text()],
  ['stores', text()],
  ['locations', listOf((value) => (typeof value === 'object' && value !== null ? null : 'it must be an object'))],
]);

/** A custom property; one whose values are restricted may be null, which is as good as none. */
const property =
  (name: string): Check =>
  (value) => {
    if (value === null && NULLABLE.has(name)) return null;
    return text()(value) ?? declaredFault(name, value as string);
  };
/** Custom properties that the reference's schema file lets be null. */
const NULLABLE: ReadonlySet<string> = new Set(['kernel_id', 'ramdisk_id']);

/** Base attributes that no client writes. */
export const READ_ONLY: ReadonlySet<string> = new Set([
  'id',
  'status',
  'size',
  'virtual_size',
  'checksum',
  'os_hash_algo',
  'os_hash_value',
  'created_at',
  'updated_at',
  'direct_url',
  'self',
  'file',
  'schema',
  'stores',
  // Locations are not shown, and then not written either.
  'locations',
]);

/** Whether an image has the attribute of itself, so that it is no custom property. */
export function isBaseAttribute(name: string): boolean {
  return BASE.has(name);
}

/** Whether no custom property may have the name. */
export function isReserved(name: string): boolean {
  return name === 'location' || name === 'deleted' || name === 'deleted_at' || name.startsWith('os_glance');
}

/** @throws RequestInvalidError the value breaks the schema of the attribute or custom property */
export function checkAttribute(name: string, value: unknown): void {
  const check = BASE.get(name) ?? property(name);
  const fault = check(value);
  if (fault !== null)
    throw new RequestInvalidError(`Invalid value for '${name.slice(0, LONGEST_TEXT)}': ${fault}`, { attribute: name });
}

/** @throws RequestInvalidError a format that this deployment has no word for */
export function checkFormat(name: string, value: unknown, formats: FormatWords): void {
  if (name !== 'disk_format' && name !== 'container_format') return;
  const fault = orNull(oneOf(name === 'disk_format' ? formats.disk : formats.container))(value);
  if (fault !== null) throw new RequestInvalidError(`Invalid value for '${name}': ${fault}`, { attribute: name });
}

/** What a value means: an owner without a name is none. */
export function meantBy(name: string, value: unknown): unknown {
  return name === 'owner' && value === '' ? null : value;
}

/** The names of writable base attributes on the wire, and in the domain. */
export const WRITABLE = {
  name: 'name',
  visibility: 'visibility',
  protected: 'protected',
  os_hidden: 'hidden',
  disk_format: 'diskFormat',
  container_format: 'containerFormat',
  min_disk: 'minDiskGib',
  min_ram: 'minRamMib',
  tags: 'tags',
  owner: 'projectId',
} as const;

/** Narrows to a writable base attribute. */
export function isWritable(name: string): name is keyof typeof WRITABLE {
  return Object.hasOwn(WRITABLE, name);
}
