import type { FastifyRequest } from 'fastify';
import type { Reference } from '../../modules/provisioning/index.js';
import { isJsonObject, nestsDeeper, parseJsonBody } from '../shared/requests/json-body.js';
import { UnparsableBodyError, UnsupportedMediaTypeError } from '../shared/requests/request-errors.js';
import { BodyTooDeepError, ParameterMissingError } from './foreman.errors.js';
import { readId } from './row-key.js';

export type Body = Readonly<Record<string, unknown>>;

const JSON_TYPE = /^application\/json\s*(;|$)/i;
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
const DEEPEST = 32;
/** What Rails takes for false; everything else is true. */
const FALSE_WORDS: ReadonlySet<unknown> = new Set([null, false, 0, '', '0', 'f', 'F', 'false', 'FALSE', 'off', 'OFF']);

/**
 * What a request brings. A DELETE may have a body, which means nothing.
 * @throws UnsupportedMediaTypeError, UnparsableBodyError, BodyTooDeepError
 */
export function readBody(request: FastifyRequest): Body {
  if (!WITH_BODY.has(request.method)) return {};
  const contentType = request.headers['content-type'];
  if (!JSON_TYPE.test(contentType ?? '')) throw new UnsupportedMediaTypeError(contentType, ['application/json']);
  if (Buffer.isBuffer(request.body) && request.body.length === 0) return {};
  if (request.body === undefined || request.body === null) return {};
  const parsed = parseJsonBody(request.body);
  if (nestsDeeper(parsed, DEEPEST)) throw new BodyTooDeepError(DEEPEST);
  if (!isJsonObject(parsed)) throw new UnparsableBodyError('it is not an object');
  return parsed;
}

/** The attributes of a resource: wrapped in its name, or at the top of the body. What is unknown means nothing. */
export class Attributes {
  private readonly values: Body;

  constructor(body: Body, wrapper: string) {
    const wrapped = body[wrapper];
    this.values = isJsonObject(wrapped) ? wrapped : body;
  }

  /** Undefined: not given; what cannot be a text is not given either. */
  text(name: string): string | null | undefined {
    const value = Object.hasOwn(this.values, name) ? this.values[name] : undefined;
    if (value === null || typeof value === 'string') return value;
    return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
  }

  /** As `text`, of what must not be null. @throws ParameterMissingError not given */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new ParameterMissingError(name);
    return value ?? '';
  }

  flag(name: string): boolean | undefined {
    const value = Object.hasOwn(this.values, name) ? this.values[name] : undefined;
    return value === undefined ? undefined : !FALSE_WORDS.has(value);
  }

  /** What `<name>_id` refers to, or else `<name>_name`; null: both say nothing. */
  reference(name: string): Reference | undefined {
    const id = this.text(`${name}_id`);
    if (id && id.trim() !== '') return { id: readId(id.trim()) ?? 0 };
    const named = this.text(`${name}_name`);
    if (named) return { name: named };
    return id === undefined && named === undefined ? undefined : null;
  }

  /** Numbers, of which each may be a text; undefined: not given, or no list. */
  ids(name: string): number[] | undefined {
    const value = Object.hasOwn(this.values, name) ? this.values[name] : undefined;
    if (!Array.isArray(value)) return undefined;
    return value.filter((each) => each !== null && each !== '').map((each) => readId(String(each)) ?? 0);
  }
}

/** Without what is not given. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
