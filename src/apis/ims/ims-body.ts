import type { FastifyRequest } from 'fastify';
import { isJsonObject, nestsDeeper, parseJsonBody } from '../shared/requests/json-body.js';
import { UnsupportedMediaTypeError } from '../shared/requests/request-errors.js';
import { type FieldFaults, validate } from '../shared/requests/validation.js';
import { BodyTooDeepError, InvalidFieldsError, NoInputError } from './ims.errors.js';

const JSON_TYPE = /^application\/(json|[^\s;/]+\+json)\s*(;|$)/i;
const DEEPEST = 32;

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

/** What a class can judge, and the faults of what it would take for members that every object has. */
function withoutUndeclarable(input: Readonly<Record<string, unknown>>): [Record<string, unknown>, FieldFaults] {
  const kept: [string, unknown][] = [];
  const faults: [string, string[] | FieldFaults][] = [];
  for (const [key, value] of Object.entries(input)) {
    if (key in Object.prototype) {
      faults.push([key, [`property ${key} should not exist`]]);
    } else if (typeof value === 'object' && value !== null) {
      const [inner, innerFaults] = withoutUndeclarable(value as Record<string, unknown>);
      kept.push([key, Array.isArray(value) ? Object.values(inner) : inner]);
      if (Object.keys(innerFaults).length > 0) faults.push([key, innerFaults]);
    } else kept.push([key, value]);
  }
  return [Object.fromEntries(kept), Object.fromEntries(faults)];
}
