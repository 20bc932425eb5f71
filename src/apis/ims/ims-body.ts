import type { FastifyRequest } from 'fastify';
import { isJsonObject, nestsDeeper, parseJsonBody } from '../shared/requests/json-body.js';
import { UnsupportedMediaTypeError } from '../shared/requests/request-errors.js';
import { type FieldFaults, validate } from '../shared/requests/validation.js';
import { BodyTooDeepError, InvalidFieldsError, NoInputError } from './ims.errors.js';

const JSON_TYPE = /^application\/(json|[^\s;/]+\+json)\s*(;|$)/i;
const DEEPEST = 32;
/** Names that mean something to the objects behind them, so no class can declare them as fields. */
const UNDECLARABLE = ['__proto__', 'constructor'];

/** Rules that a class cannot state, for instance since they depend on the configuration. */
export type MoreRules = (input: Readonly<Record<string, unknown>>) => FieldFaults;

/**
 * The body of a POST or PATCH in the shape of a request class. The steps are in the order of the reference; whether the
 * record exists is asked before.
 *
 * @throws UnsupportedMediaTypeError not JSON by its content type
 * @throws UnparsableBodyError not JSON by its content, or no body
 * @throws NoInputError `{}`, `[]`, `null`, `""`, `0`, `false`
 * @throws InvalidFieldsError with every fault at once
 */
export function readBody<T extends object>(
  request: FastifyRequest,
  type: new () => T,
  moreRules: MoreRules = () => ({}),
): T {
  return checkFields(readObject(request), type, moreRules);
}

/** The body as an object of which no field has been looked at. */
export function readObject(request: FastifyRequest): Record<string, unknown> {
  const contentType = request.headers['content-type'];
  if (!JSON_TYPE.test(contentType ?? '')) throw new UnsupportedMediaTypeError(contentType, ['application/json']);
  const parsed = parseJsonBody(request.body);
  if (saysNothing(parsed)) throw new NoInputError();
  if (nestsDeeper(parsed, DEEPEST)) throw new BodyTooDeepError(DEEPEST);
  if (!isJsonObject(parsed)) throw new InvalidFieldsError({ _schema: ['The body must be a JSON object.'] });
  return parsed;
}

/** @throws InvalidFieldsError with every fault of the class and of `moreRules` */
export function checkFields<T extends object>(
  input: Readonly<Record<string, unknown>>,
  type: new () => T,
  moreRules: MoreRules = () => ({}),
): T {
  const [declarable, undeclarable] = withoutUndeclarable(input);
  const { value, faults } = validate(type, declarable);
  const more = moreRules(input);
  const all = { ...undeclarable, ...more, ...faults };
  if (value === null || Object.keys(all).length > 0) throw new InvalidFieldsError(all);
  return value;
}

function saysNothing(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return !value;
}

function withoutUndeclarable(input: Readonly<Record<string, unknown>>): [Record<string, unknown>, FieldFaults] {
  const faults = new Map<string, string[]>();
  const clean = (value: unknown, field: string | null): unknown => {
    if (Array.isArray(value)) return value.map((element) => clean(element, field));
    if (!isJsonObject(value)) return value;
    const entries = Object.entries(value);
    for (const [key] of entries) {
      if (UNDECLARABLE.includes(key)) faults.set(field ?? key, [`property ${key} should not exist`]);
    }
    const kept = entries.filter(([key]) => !UNDECLARABLE.includes(key));
    return Object.fromEntries(kept.map(([key, inner]) => [key, clean(inner, field ?? key)]));
  };
  const cleaned = clean(input, null) as Record<string, unknown>;
  return [cleaned, Object.fromEntries(faults)];
}
