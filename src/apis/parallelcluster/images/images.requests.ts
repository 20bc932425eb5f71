import type { FastifyRequest } from 'fastify';
import {
  type BuildCustomImage,
  type CustomImageFilter,
  type CustomImageQuery,
  VALIDATION_LEVELS,
} from '../../../modules/custom-images/index.js';
import { isJsonObject, nestsDeeper, parseJsonBody } from '../../shared/requests/json-body.js';
import { UnsupportedMediaTypeError } from '../../shared/requests/request-errors.js';
import { type Dialect, dialectOf } from '../dialect.js';
import { BadInputError } from '../parallelcluster.errors.js';
import { Query, quoted } from '../query.js';
import { checkImageId, PREVIEW_LENGTH } from './image-id.js';

/** Of members that anybody means; JSON can be read much deeper than it can be written. */
const DEEPEST = 32;
const JSON_TYPE = /^application\/json\s*(;|$)/i;
const EVERY_VALIDATOR = 'ALL';
const SUPPRESSION = `^(${EVERY_VALIDATOR}|type:[A-Za-z0-9]+)$`;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** What a list may be asked for. */
export const FILTERS = {
  AVAILABLE: 'available',
  PENDING: 'pending',
  FAILED: 'failed',
} as const satisfies Record<string, CustomImageFilter>;

/** What a list request asks for. @throws BadInputError */
export function toListQuery({ url }: Pick<FastifyRequest, 'url'>, dialect: Dialect): CustomImageQuery {
  const query = new Query(url);
  const status = query.choice('imageStatus', Object.keys(FILTERS) as (keyof typeof FILTERS)[]);
  if (status === undefined) throw new BadInputError(`Missing query parameter 'imageStatus'`);
  return {
    region: query.text('region'),
    filter: FILTERS[status],
    pageToken: query.text('nextToken'),
    ...(dialect === 'preview' ? { withoutRolledBack: true, nameLength: PREVIEW_LENGTH } : {}),
  };
}

/** What a build request asks for, and the dialect that it asks in. */
export interface BuildRequest {
  readonly wanted: BuildCustomImage;
  /** A body of the preview is understood at the released base, and answered as it was then. */
  readonly dialect: Dialect;
}

/**
 * Reads a build request: parameters first, then the body.
 * @throws BadInputError, UnsupportedMediaTypeError, UnparsableBodyError
 */
export function toBuildRequest(request: FastifyRequest): BuildRequest {
  const query = new Query(request.url);
  const options = {
    suppressed: readSuppressed(query.all('suppressValidators')),
    failureLevel: query.choice('validationFailureLevel', VALIDATION_LEVELS) ?? 'ERROR',
    dryRun: query.boolean('dryrun') ?? false,
    rollbackOnFailure: query.boolean('rollbackOnFailure') ?? false,
  };
  const body = readBody(request);
  const isOld = dialectOf(request) === 'preview' || ('id' in body && !('imageId' in body));
  const dialect = isOld ? 'preview' : 'released';
  return { dialect, wanted: { ...options, ...readMembers(body, query, dialect) } };
}

function readMembers(body: Record<string, unknown>, query: Query, dialect: Dialect) {
  const isOld = dialect === 'preview';
  const member = isOld ? 'id' : 'imageId';
  const configuration = required(body, 'imageConfiguration');
  const name = checkImageId(required(body, member), dialect, member);
  const region = (isOld ? optional(body, 'region') : undefined) ?? query.text('region');
  if (configuration === '') throw new BadInputError('imageConfiguration field is empty');
  return { name, region, configuration: isOld ? fromBase64(configuration) : configuration };
}

function readBody(request: FastifyRequest): Record<string, unknown> {
  const { body, headers } = request;
  if (!Buffer.isBuffer(body) || body.length === 0) throw new BadInputError('Request body is required');
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) {
    throw new UnsupportedMediaTypeError(headers['content-type'], ['application/json']);
  }
  const parsed = parseJsonBody(body);
  if (!isJsonObject(parsed)) throw new BadInputError(`Request body is not of type 'object'`);
  if (nestsDeeper(parsed, DEEPEST)) throw new BadInputError(`Request body is nested more than ${DEEPEST} deep`);
  return parsed;
}

function required(body: Record<string, unknown>, name: string): string {
  const value = optional(body, name);
  if (value === undefined) throw new BadInputError(`'${name}' is a required property`);
  return value;
}

function optional(body: Record<string, unknown>, name: string): string | undefined {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (value === undefined || typeof value === 'string') return value;
  throw new BadInputError(`${quoted(JSON.stringify(value))} is not of type 'string' - '${name}'`);
}

function readSuppressed(items: readonly string[]): BuildCustomImage['suppressed'] {
  const form = new RegExp(SUPPRESSION);
  const wrong = items.find((item) => !form.test(item));
  if (wrong !== undefined)
    throw new BadInputError(`${quoted(wrong)} does not match '${SUPPRESSION}' (suppressValidators)`);
  if (new Set(items).size < items.length) throw new BadInputError('suppressValidators has non-unique elements');
  return items.includes(EVERY_VALIDATOR) ? 'all' : new Set(items.map((item) => item.slice('type:'.length)));
}

function fromBase64(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  try {
    if (!BASE64.test(text.replace(/\s/g, ''))) throw new Error('other characters');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new BadInputError(`imageConfiguration must be the base64 text of YAML: ${(error as Error).message}`);
  }
}

/** What a delete request asks for. @throws BadInputError */
export function toDeletion({ url }: Pick<FastifyRequest, 'url'>) {
  const query = new Query(url);
  return { region: query.text('region'), force: query.boolean('force') ?? false };
}
