import { ConflictError, ForbiddenError } from '../../../common/errors.js';
import {
  type GivenLocation,
  type Image,
  isReservedProperty,
  type LocationChange,
  OFFICIAL_OS_PROPERTY,
  type UpdateImage,
} from '../../../modules/images/index.js';
import { isJsonObject } from '../../shared/requests/json-body.js';
import { AttributeReadOnlyError, AttributeReservedError, RequestInvalidError } from '../glance.errors.js';
import { readLocation } from './location-value.js';
import {
  checkAttribute,
  checkFormat,
  type FormatWords,
  isBaseAttribute,
  isReserved,
  isWritable,
  meantBy,
  READ_ONLY,
  WRITABLE,
} from './image-attributes.js';

const MEDIA_TYPE = /^application\/openstack-images-v2\.([01])-json-patch$/;

/** The patch languages of the API, as a 415 lists them. */
export const PATCH_TYPES = [
  'application/openstack-images-v2.0-json-patch',
  'application/openstack-images-v2.1-json-patch',
] as const;

/** Which draft of JSON patch a body is written in. */
export type PatchDialect = 'v2.0' | 'v2.1';

/** One change, checked as far as that goes without knowing the image. */
export interface PatchOperation {
  readonly operation: 'add' | 'replace' | 'remove';
  readonly name: string;
  readonly value?: unknown;
  /** Of a place among `locations`; null: the end. */
  readonly position?: number | null;
}

/** A property that is not there, or (in the older dialect) is. */
class PropertyConflictError extends ConflictError {
  override readonly code = 'glance.property_conflict';
}

/** A base attribute, which every image keeps. */
class AttributeNotRemovableError extends ForbiddenError {
  override readonly code = 'glance.attribute_not_removable';
  constructor(name: string) {
    super(`Attribute '${name}' cannot be removed.`, { attribute: name });
  }
}

/** Null: the media type is no patch language of the API. */
export function patchDialect(contentType: string | undefined): PatchDialect | null {
  const minor = MEDIA_TYPE.exec((contentType ?? '').split(';')[0]!.trim().toLowerCase())?.[1];
  return minor === undefined ? null : minor === '0' ? 'v2.0' : 'v2.1';
}

/**
 * Reads the body of a PATCH: `{"op", "path", "value"}` in v2.1, `{"<op>": "<path>", "value"}` in v2.0.
 *
 * @throws RequestInvalidError it is no list of such changes, or a value breaks its schema
 * @throws AttributeReadOnlyError, AttributeReservedError
 */
export function parsePatch(
  body: unknown,
  dialect: PatchDialect,
  formats: FormatWords,
  { locations = false }: { readonly locations?: boolean } = {},
): PatchOperation[] {
  if (!Array.isArray(body)) throw new RequestInvalidError('Request body must be a JSON array of operation objects.');
  return body.map((change) => {
    if (!isJsonObject(change)) throw new RequestInvalidError('Operations must be JSON objects.');
    const { operation, pointer } = dialect === 'v2.1' ? readDraft10(change) : readDraft4(change);
    const name = readPointer(pointer);
    if (name === 'locations' && locations) return readLocationChange(operation, pointer as string, change);
    checkTarget(name);
    if (operation === 'remove') return { operation, name };
    if (!Object.hasOwn(change, 'value')) {
      throw new RequestInvalidError(`Operation "${operation}" requires a member named "value".`);
    }
    checkAttribute(name, change.value);
    checkFormat(name, change.value, formats);
    return { operation, name, value: change.value };
  });
}

/**
 * What the changes, applied in order, make of an image.
 * @throws PropertyConflictError, AttributeNotRemovableError
 */
export function toUpdateImage(patch: readonly PatchOperation[], image: Image, dialect: PatchDialect): UpdateImage {
  const attributes: Record<string, unknown> = {};
  const properties = new Map(Object.entries(image.properties));
  const touched = new Set<string>();
  for (const { operation, name, value } of patch) {
    if (name === 'locations') continue;
    if (operation === 'remove' && isBaseAttribute(name)) throw new AttributeNotRemovableError(name);
    if (isWritable(name)) {
      if (operation === 'add' && dialect === 'v2.0') throw exists(name);
      attributes[WRITABLE[name]] = meantBy(name, value);
      continue;
    }
    if (operation === 'add' && dialect === 'v2.0' && properties.has(name)) throw exists(name);
    if (operation !== 'add' && !properties.has(name) && !isKilns(name)) throw missing(name);
    touched.add(name);
    // A declared property that is null is as good as none.
    if (operation === 'remove' || value === null) properties.delete(name);
    else properties.set(name, value as string);
  }
  if (touched.size === 0) return attributes;
  return {
    ...attributes,
    setProperties: Object.fromEntries([...properties].filter(([name]) => touched.has(name))),
    removeProperties: [...touched].filter((name) => !properties.has(name)),
  };
}

/** Whether nobody writes it, there or not: that is what is told. */
function isKilns(name: string): boolean {
  return isReservedProperty(name) && name !== OFFICIAL_OS_PROPERTY;
}

/** What the changes make of the places of an image, which is not among its attributes. */
export function toLocationChanges(patch: readonly PatchOperation[]): LocationChange[] {
  return patch
    .filter(({ name }) => name === 'locations')
    .map(({ operation, value, position = null }) => {
      if (operation === 'remove') return { kind: operation, position };
      if (operation === 'replace') return { kind: operation, locations: value as GivenLocation[] };
      return { kind: operation, position, location: value as GivenLocation };
    });
}

const exists = (name: string) => new PropertyConflictError(`Property ${name} already present.`, { attribute: name });
const missing = (name: string) => new PropertyConflictError(`Property ${name} does not exist.`, { attribute: name });

const OPERATIONS = ['add', 'replace', 'remove'] as const;

function readDraft10(change: Record<string, unknown>) {
  const operation = OPERATIONS.find((each) => each === change.op);
  if (!operation) {
    throw new RequestInvalidError(`Operations must have a member "op" which is one of ${OPERATIONS.join(', ')}.`);
  }
  return { operation, pointer: change.path };
}

function readDraft4(change: Record<string, unknown>) {
  const operations = OPERATIONS.filter((each) => Object.hasOwn(change, each));
  if (operations.length !== 1) {
    throw new RequestInvalidError(`Operation objects must have exactly one member of ${OPERATIONS.join(', ')}.`);
  }
  const operation = operations[0]!;
  return { operation, pointer: change[operation] };
}

function readLocationChange(
  operation: PatchOperation['operation'],
  pointer: string,
  change: Record<string, unknown>,
): PatchOperation {
  const [, at, ...deeper] = pointer.replace(/^\/+/, '').split('/');
  if (deeper.length > 0 || (at === undefined) !== (operation === 'replace')) {
    throw new RequestInvalidError(`Invalid JSON pointer for this resource: "${pointer.slice(0, 300)}".`);
  }
  if (at !== undefined && !/^(-|\d{1,6})$/.test(at)) throw new RequestInvalidError('Invalid position for a location.');
  const position = at === undefined || at === '-' ? null : Number(at);
  if (operation === 'remove') return { operation, name: 'locations', position };
  const { value } = change;
  if (operation === 'add') return { operation, name: 'locations', position, value: readLocation(value) };
  if (!Array.isArray(value)) throw new RequestInvalidError(`Invalid value for 'locations': it must be a list`);
  return { operation, name: 'locations', value: value.map(readLocation) };
}

/** A pointer to one member of the image; a doubled slash at its beginning is tolerated. */
function readPointer(pointer: unknown): string {
  if (typeof pointer !== 'string') throw new RequestInvalidError('Operations must name a path.');
  const shown = pointer.slice(0, 300);
  if (!pointer.startsWith('/')) throw new RequestInvalidError(`Pointer "${shown}" does not start with "/".`);
  if (/\/\s*\//.test(pointer.slice(1))) throw new RequestInvalidError(`Pointer "${shown}" contains adjacent "/".`);
  if (pointer.length > 1 && pointer.endsWith('/')) throw new RequestInvalidError(`Pointer "${shown}" ends with "/".`);
  if (/~([^01]|$)/.test(pointer))
    throw new RequestInvalidError(`Pointer "${shown}" contains "~" not part of an escape.`);
  const segments = pointer.replace(/^\/+/, '').split('/');
  const name = segments[0]!.replaceAll('~1', '/').replaceAll('~0', '~');
  if (segments.length > 1 && name !== 'locations') throw new RequestInvalidError(`Invalid JSON pointer "${shown}".`);
  return name;
}

function checkTarget(name: string): void {
  if (READ_ONLY.has(name)) throw new AttributeReadOnlyError(name);
  if (isReserved(name)) throw new AttributeReservedError(name);
}
