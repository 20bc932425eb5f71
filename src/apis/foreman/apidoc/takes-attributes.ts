import { object, Takes } from '../../shared/documents/documented.js';
import type { ExpectedType, Parameter } from './parameters.js';

type Schema = Readonly<Record<string, unknown>>;

/** As `Attributes` reads them: a number where a text is due is its digits. */
const TYPES: Readonly<Record<ExpectedType, Schema>> = {
  string: { type: ['string', 'number', 'boolean', 'null'] },
  numeric: { type: ['number', 'string', 'null'] },
  boolean: { type: ['boolean', 'number', 'string', 'null'] },
  hash: { type: 'object' },
  array: { type: ['array', 'null'], items: { type: ['integer', 'string', 'null'] } },
};

/** The body of a request that makes a resource: its attributes, wrapped in its name or not. */
export const TakesNew = (wrapper: string, attributes: readonly Parameter[]): MethodDecorator =>
  Takes(wrappedOrNot(wrapper, attributes, requiredOf(attributes)));

/** The body of a request that changes some attributes of a resource. */
export const TakesChange = (wrapper: string, attributes: readonly Parameter[]): MethodDecorator =>
  Takes(wrappedOrNot(wrapper, attributes, []));

function wrappedOrNot(wrapper: string, attributes: readonly Parameter[], required: readonly string[]): Schema {
  const properties = attributes.map(({ name, type, description }) => [
    name,
    { ...TYPES[type], ...(description === '' ? {} : { description }) },
  ]);
  const bare = object(Object.fromEntries(properties) as Record<string, Schema>, required);
  return { anyOf: [object({ [wrapper]: bare }, [wrapper]), bare] };
}

function requiredOf(attributes: readonly Parameter[]): string[] {
  return attributes.filter(({ required }) => required === true).map(({ name }) => name);
}
