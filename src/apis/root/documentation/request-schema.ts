import { plainToInstance } from 'class-transformer';
import { getMetadataStorage, validateSync, ValidationTypes } from 'class-validator';
import type { ValidationMetadata } from 'class-validator/types/metadata/ValidationMetadata.js';
import type { DescribedFace, Schema } from './described-routes.js';

type RequestClass = new () => object;

/** What each rule of class-validator says in a schema. Rules without a word there are told by the answer to who breaks them. */
const RULES: Readonly<Record<string, (constraints: readonly unknown[]) => Schema>> = {
  isString: () => ({ type: 'string' }),
  isBoolean: () => ({ type: 'boolean' }),
  isInt: () => ({ type: 'integer' }),
  isNumber: () => ({ type: 'number' }),
  isArray: () => ({ type: 'array' }),
  isObject: () => ({ type: 'object' }),
  isIn: ([values]) => ({ enum: values }),
  isEnum: ([values]) => ({ enum: Object.values(values as object) }),
  minLength: ([minimum]) => ({ minLength: minimum }),
  maxLength: ([maximum]) => ({ maxLength: maximum }),
  isLength: ([minimum, maximum]) => ({ minLength: minimum, ...(maximum === undefined ? {} : { maxLength: maximum }) }),
  min: ([minimum]) => ({ minimum }),
  max: ([maximum]) => ({ maximum }),
  arrayMinSize: ([minimum]) => ({ minItems: minimum }),
  arrayMaxSize: ([maximum]) => ({ maxItems: maximum }),
  matches: ([pattern]) => patternSchema(pattern as RegExp),
};

/** The schemas of a face's request classes, from the rules that check them. */
export function requestSchemas(bodies: DescribedFace['bodies']): Record<string, Schema> {
  return Object.fromEntries(
    Object.entries(bodies).map(([name, members]) => [name, classSchema(findClass(name, members), members)]),
  );
}

function classSchema(type: RequestClass, members: Readonly<Record<string, string | null>>): Schema {
  const rules = rulesOf(type);
  const names = [...new Set(rules.map(({ propertyName }) => propertyName))];
  const properties = names.map((name) => [
    name,
    memberSchema(
      type,
      name,
      rules.filter(({ propertyName }) => propertyName === name),
      members[name] ?? null,
    ),
  ]);
  const required = names.filter((name) => !skips(rules, name, undefined));
  return {
    type: 'object',
    properties: Object.fromEntries(properties) as Schema,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

function memberSchema(
  type: RequestClass,
  name: string,
  rules: readonly ValidationMetadata[],
  nested: string | null,
): Schema {
  const own = rules.filter(({ each }) => !each).map(ruleSchema);
  const ofElements = rules.filter(({ each }) => each).map(ruleSchema);
  const whole = joined(own);
  const isList = whole.type === 'array' || ofElements.length > 0;
  const element = nested === null ? joined(ofElements) : { $ref: `#/components/schemas/${nested}` };
  const schema = isList ? { ...whole, type: 'array', items: element } : nested === null ? whole : element;
  const alternatives = [schema, ...words(type, name, schema), ...(skips(rules, name, null) ? [{ type: 'null' }] : [])];
  return alternatives.length === 1 ? schema : { anyOf: alternatives };
}

/** Some rules take words for what they mean; whether they do is asked of the rules. */
function words(type: RequestClass, name: string, { type: kind }: Schema): Schema[] {
  const takes = (value: unknown): boolean =>
    validateSync(plainToInstance(type, { [name]: value })).every(({ property }) => property !== name);
  if (kind === 'boolean' && takes('true'))
    return [{ type: 'string', pattern: '^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$' }];
  if (kind === 'integer' && takes('1')) return [{ type: 'string', pattern: '^[+-]?[0-9]{1,15}$' }];
  return [];
}

function ruleSchema(rule: ValidationMetadata): Schema {
  return RULES[rule.name ?? rule.type]?.(rule.constraints as unknown[]) ?? {};
}

/** All of them hold: a second pattern does not replace the first. */
function joined(schemas: readonly Schema[]): Schema {
  const patterns = schemas.filter(({ pattern }) => pattern !== undefined);
  const all = Object.assign({}, ...schemas) as Schema;
  return patterns.length > 1 ? { ...all, allOf: patterns.slice(0, -1) } : all;
}

function patternSchema(pattern: RegExp): Schema {
  // Patterns of schemas have no flags, but read Unicode.
  return /[ims]/.test(pattern.flags) ? {} : { pattern: pattern.source };
}

/** Whether a member of that value is not looked at. */
function skips(rules: readonly ValidationMetadata[], name: string, value: unknown): boolean {
  return rules
    .filter(({ type, propertyName }) => type === ValidationTypes.CONDITIONAL_VALIDATION && propertyName === name)
    .some(({ constraints }) => {
      const [applies] = constraints as [(object: unknown, value: unknown) => boolean];
      return !applies({}, value);
    });
}

function rulesOf(type: RequestClass): ValidationMetadata[] {
  return getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
}

/** Classes have no registry but that of their rules; of two of one name it is the one with these members. */
function findClass(name: string, members: Readonly<Record<string, unknown>>): RequestClass {
  const { validationMetadatas } = getMetadataStorage() as unknown as {
    validationMetadatas: Map<RequestClass, unknown>;
  };
  const found = [...validationMetadatas.keys()].filter(
    (type) => type.name === name && rulesOf(type).every(({ propertyName }) => Object.hasOwn(members, propertyName)),
  );
  if (found.length !== 1) throw new Error(`${found.length} classes of requests are called ${name}`);
  return found[0]!;
}
