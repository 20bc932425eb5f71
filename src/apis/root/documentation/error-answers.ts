import { STATUS_CODES } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { ERROR_KINDS, type ErrorKind, KilnError } from '../../../common/errors.js';
import type { Face, WireReply } from '../../shared/face.js';
import type { Schema } from './described-routes.js';

/** What a face answers to errors of one status: by media type the form of its bodies. */
interface ErrorResponse {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
}

class ExampleError extends KilnError {
  readonly code = 'example';
  constructor(readonly kind: ErrorKind) {
    super('What went wrong.', kind === 'rate_limited' ? { retryAfterSeconds: 1 } : {});
  }
}

const KINDS_OF_CHANGES: readonly ErrorKind[] = [
  'conflict',
  'gone',
  'too_large',
  'quota_exceeded',
  'unsupported',
  'unprocessable',
];

/** What a route is, as far as its errors go. */
export interface RouteTraits {
  readonly method: string;
  readonly guarded: boolean;
  /** Whether parts of a file may be asked for. */
  readonly ranged: boolean;
}

/** The statuses of what may go wrong with a route. */
export function statusesOfErrors(face: Face, { method, guarded, ranged }: RouteTraits): number[] {
  const reads = method === 'get' || method === 'head';
  const kinds = ERROR_KINDS.filter((kind) => {
    if (kind === 'method_not_allowed') return false;
    if (kind === 'invalid' || kind === 'rate_limited') return !face.onlyTells;
    if (kind === 'unauthenticated' || kind === 'forbidden') return guarded;
    if (kind === 'range_unsatisfiable') return ranged;
    return !reads || !KINDS_OF_CHANGES.includes(kind);
  });
  const statuses = kinds.map((kind) => face.renderError(new ExampleError(kind), exampleRequest(face)).status);
  return [...new Set([...statuses, ...face.statusesOfCodes, face.renderBug('example', exampleRequest(face)).status])];
}

/** Errors by their status. The face is asked, as it is when something does go wrong. */
export function errorResponses(face: Face): Record<number, ErrorResponse> {
  const responses: Record<number, ErrorResponse> = {};
  const add = ({ status, contentType, body }: WireReply, orElse = false): void => {
    const type = mediaType(contentType);
    const known = responses[status]?.content ?? {};
    const form = formOf(contentType, body);
    const schema = orElse && known[type] ? { anyOf: [known[type].schema, form] } : (known[type]?.schema ?? form);
    responses[status] = {
      description: STATUS_CODES[status] ?? 'Error',
      content: { ...known, [type]: { schema } },
    };
  };
  for (const accept of [undefined, 'application/json', 'text/plain']) {
    const request = exampleRequest(face, accept);
    for (const kind of ERROR_KINDS) add(face.renderError(new ExampleError(kind), request));
    add(face.renderBug('example', request));
  }
  for (const error of face.singularErrors) add(face.renderError(error, exampleRequest(face)), true);
  // Of errors that the face tells apart from the rest of their kind none is at hand; only their type is known.
  const types = Object.keys(Object.values(responses)[0]!.content);
  const content = Object.fromEntries(types.map((type) => [type, { schema: {} }]));
  for (const status of face.statusesOfCodes)
    responses[status] ??= { description: STATUS_CODES[status] ?? 'Error', content };
  return responses;
}

function mediaType(contentType: string): string {
  return contentType.split(';')[0]!.trim();
}

function exampleRequest(face: Face, accept?: string): FastifyRequest {
  const url = `${face.mounts[0]}/example`;
  const headers = { host: 'localhost', ...(accept === undefined ? {} : { accept }) };
  return {
    method: 'GET',
    url,
    originalUrl: url,
    protocol: 'http',
    host: 'localhost',
    headers,
    params: {},
    query: {},
  } as FastifyRequest;
}

function formOf(contentType: string, body: string): Schema {
  return /json/.test(contentType) ? formOfValue(JSON.parse(body) as unknown) : { type: 'string' };
}

/** Members that the example has are there; others may be. */
function formOfValue(value: unknown): Schema {
  if (value === null) return {};
  if (Array.isArray(value)) return { type: 'array', items: value.length > 0 ? formOfValue(value[0]) : {} };
  if (typeof value !== 'object') return { type: typeof value };
  const members = Object.entries(value);
  return {
    type: 'object',
    properties: Object.fromEntries(members.map(([name, member]) => [name, formOfValue(member)])),
    required: members.map(([name]) => name),
  };
}
