import {
  declaredFault,
  isImageAttribute,
  isReservedProperty,
  OFFICIAL_OS_PROPERTY,
} from '../../../modules/images/index.js';
import { isJsonObject } from '../../shared/requests/json-body.js';
import type { FieldFaults } from '../../shared/requests/validation.js';
import { STORABLE } from '../ims-fields.js';
import { InvalidFieldsError } from '../ims.errors.js';
import { object, text } from '../../shared/documents/documented.js';

/** Either a map of texts, or one pair. */
export const NEW_METADATA = { type: 'object', additionalProperties: text };
export const METADATA_CHANGE = object({ operation: { enum: ['set', 'remove'] }, key: text, value: text }, [
  'operation',
  'key',
]);

/** One change of an image's metadata. */
export type MetadataChange =
  | { readonly operation: 'set'; readonly key: string; readonly value: string }
  | { readonly operation: 'remove'; readonly key: string };

/** What a body says of metadata, or the faults of it; they are reported with those of the other fields. */
export type ReadMetadata<T> =
  { readonly value: T; readonly faults: null } | { readonly value: null; readonly faults: FieldFaults };

const LONGEST_KEY = 255;
/** Shown as a field of its own. */
const ARCHITECTURE = 'architecture';

/**
 * Metadata of a new image: a map of texts, or one pair `{"key": …, "value": …}` as the command line sends it.
 * @see Image Management Service, image metadata
 */
export function readNewMetadata(metadata: unknown): ReadMetadata<Record<string, string>> {
  if (metadata === undefined) return { value: {}, faults: null };
  if (!isJsonObject(metadata)) return failed({ _schema: ['must be an object'] });
  if (Object.hasOwn(metadata, 'key')) return readPair(metadata);
  const entries = Object.entries(metadata);
  const faults = entries.flatMap(([key, value]): [string, FieldFaults][] => {
    const fault = keyFault(key) ?? writeFault(key) ?? valueFault(key, value);
    return fault === null ? [] : [[key, { value: [fault] }]];
  });
  if (faults.length > 0) return failed(Object.fromEntries(faults));
  return { value: metadata as Record<string, string>, faults: null };
}

/** Metadata of a PATCH: one key is set or removed. */
export function readMetadataChange(metadata: unknown): ReadMetadata<MetadataChange | null> {
  if (metadata === undefined) return { value: null, faults: null };
  if (!isJsonObject(metadata)) return failed({ _schema: ['must be an object'] });
  const { operation, key, value = '', ...unknown } = metadata;
  const faults: FieldFaults = Object.fromEntries(Object.keys(unknown).map((name) => [name, ['is not known']]));
  if (operation !== 'set' && operation !== 'remove') faults.operation = ['must be set or remove'];
  const ofKey =
    typeof key !== 'string' ? 'must be a text' : (keyFault(key) ?? (operation === 'set' ? writeFault(key) : null));
  if (ofKey !== null) faults.key = [ofKey];
  const ofValue = valueFault(operation === 'set' ? key : null, value);
  if (ofValue !== null) faults.value = [ofValue];
  if (Object.keys(faults).length > 0) return failed(faults);
  return { value: { operation, key, value } as MetadataChange, faults: null };
}

/** The value, where there are no faults. */
export function metadataOf<T>(read: ReadMetadata<T>): T {
  if (read.faults) throw new InvalidFieldsError(read.faults);
  return read.value;
}

function readPair({ key, value = '', ...unknown }: Record<string, unknown>): ReadMetadata<Record<string, string>> {
  const faults: FieldFaults = Object.fromEntries(Object.keys(unknown).map((name) => [name, ['is not known']]));
  const ofKey = typeof key === 'string' ? (keyFault(key) ?? writeFault(key)) : 'must be a text';
  if (ofKey !== null) faults.key = [ofKey];
  const ofValue = valueFault(key, value);
  if (ofValue !== null) faults.value = [ofValue];
  if (Object.keys(faults).length > 0) return failed(faults);
  return { value: Object.fromEntries([[key, value]]) as Record<string, string>, faults: null };
}

function keyFault(key: string): string | null {
  if (key === '') return 'the key must not be empty';
  if (key.length > LONGEST_KEY) return `the key must have at most ${LONGEST_KEY} characters`;
  if (key === ARCHITECTURE) return 'is the field arch of the image';
  // Administrators write one of Kiln's own; who may is not for the shape of a body to say.
  if (isReservedProperty(key) && key !== OFFICIAL_OS_PROPERTY) return 'is written by Kiln alone';
  return STORABLE.test(key) ? null : 'the key has characters that cannot be kept';
}

function writeFault(key: string): string | null {
  return isImageAttribute(key) ? 'is an attribute of every image' : null;
}

/** @param key of what is written; null: nothing is */
function valueFault(key: unknown, value: unknown): string | null {
  if (typeof value !== 'string') return 'must be a text';
  if (!STORABLE.test(value)) return 'has characters that cannot be kept';
  return typeof key === 'string' ? declaredFault(key, value) : null;
}

function failed(faults: FieldFaults): { value: null; faults: FieldFaults } {
  return { value: null, faults: { metadata: faults } };
}
