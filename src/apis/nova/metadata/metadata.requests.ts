import type { FastifyRequest } from 'fastify';
import {
  addProperties,
  type ImageProperties,
  isImageAttribute,
  type PropertyChange,
} from '../../../modules/images/index.js';
import { isJsonObject, parseJsonBody } from '../../shared/requests/json-body.js';
import { UnsupportedMediaTypeError } from '../../shared/requests/request-errors.js';
import { BodyInvalidError } from '../nova.errors.js';
import { askedPath } from '../nova.face.js';

// Text is what clients send that name no type.
const MEDIA_TYPE = /^(application\/json|application\/vnd\.openstack\.compute\+json|text\/plain)\s*(;|$)/i;
const KEY = /^[a-zA-Z0-9\-_:. ]{1,255}$/;
const LONGEST_VALUE = 255;
/** Attributes that no client means to set in passing; the reference fails on them. */
const REFUSED: ReadonlySet<string> = new Set(['status', 'self', 'tags']);
/** Entries that have no empty value: nothing, or the word none, stands for not having one. */
const UNSETTABLE: ReadonlySet<string> = new Set(['kernel_id', 'ramdisk_id']);

/**
 * The map of a POST or PUT of all metadata.
 * @throws UnsupportedMediaTypeError, UnparsableBodyError, BodyInvalidError
 */
export function readMetadata(request: FastifyRequest): ImageProperties {
  return readMap(request, 'metadata');
}

/**
 * The one entry of a PUT of one key.
 * @throws UnsupportedMediaTypeError, UnparsableBodyError, BodyInvalidError
 */
export function readMeta(request: FastifyRequest, key: string): ImageProperties {
  const meta = readMap(request, 'meta');
  if (Object.keys(meta).length !== 1) throw invalid('meta', 'it must have exactly one entry');
  if (!Object.hasOwn(meta, key)) throw new BodyInvalidError('Request body and URI mismatch');
  return meta;
}

/** Entries that the metadata takes away rather than writes. */
function unsetBy(metadata: ImageProperties): string[] {
  const isUnset = ([name, value]: [string, string]) => UNSETTABLE.has(name) && /^\s*(none)?\s*$/i.test(value);
  return Object.entries(metadata)
    .filter(isUnset)
    .map(([name]) => name);
}

/**
 * What of the metadata is written. Names of attributes are passed over, as the reference does: its clients send back all
 * that they know of an image.
 * @throws BodyInvalidError
 */
export function toProperties(metadata: ImageProperties): ImageProperties {
  const refused = Object.keys(metadata).find((name) => REFUSED.has(name));
  if (refused !== undefined) throw invalid(refused, 'this is an attribute of every image');
  const unset = unsetBy(metadata);
  return Object.fromEntries(
    Object.entries(metadata).filter(([name]) => !isImageAttribute(name) && !unset.includes(name)),
  );
}

/** The change by which an image has this metadata beside its other properties. */
export function toChange(
  metadata: ImageProperties,
): (image: { readonly properties: ImageProperties }) => PropertyChange {
  const [added, unset] = [toProperties(metadata), unsetBy(metadata)];
  return ({ properties }) => {
    const gone = unset.filter((name) => Object.hasOwn(properties, name));
    return { ...addProperties(properties, added), ...(gone.length > 0 ? { removeProperties: gone } : {}) };
  };
}

function readMap(request: FastifyRequest, member: 'metadata' | 'meta'): ImageProperties {
  const contentType = request.headers['content-type'];
  if (contentType !== undefined && !MEDIA_TYPE.test(contentType)) {
    throw new UnsupportedMediaTypeError(contentType, ['application/json']);
  }
  const body = parseJsonBody(request.body);
  if (!isJsonObject(body)) throw new BodyInvalidError('The body must be a JSON object');
  if (!Object.hasOwn(body, member)) throw invalid(member, 'it is required');
  const unknown = Object.keys(body).find((name) => name !== member);
  // The older base takes more than it looks at.
  if (unknown !== undefined && askedPath(request).base !== 'v2') throw invalid(unknown, 'it is not known');
  return checkMap(member, body[member]);
}

function checkMap(member: string, map: unknown): ImageProperties {
  if (!isJsonObject(map)) throw invalid(member, 'it must be an object');
  for (const [key, value] of Object.entries(map)) {
    if (!KEY.test(key)) throw invalid(member, 'a key has 1 to 255 letters, digits, blanks and - _ : .');
    if (typeof value !== 'string' || [...value].length > LONGEST_VALUE) {
      throw invalid(key, `it must be a string of at most ${LONGEST_VALUE} characters`);
    }
  }
  return map as ImageProperties;
}

function invalid(field: string, fault: string): BodyInvalidError {
  return new BodyInvalidError(`Invalid input for field/attribute ${field.slice(0, 255)}: ${fault}.`);
}
