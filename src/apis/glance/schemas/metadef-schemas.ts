import { NAMESPACE_VISIBILITIES, PROPERTY_TYPES } from '../../../modules/metadefs/index.js';

const time = (description: string) => ({ type: 'string', readOnly: true, format: 'date-time', description });
const address = { type: 'string', readOnly: true };
const shortText = (description: string) => ({ type: 'string', maxLength: 80, description });

// The reference names null among the types of properties, and refuses it all the same.
const TYPE = { type: 'string', enum: [...PROPERTY_TYPES, null] };

const NUMBERS = {
  positiveInteger: { type: 'integer', minimum: 0 },
  positiveIntegerDefault0: { allOf: [{ $ref: '#/definitions/positiveInteger' }, { default: 0 }] },
};

const PROPERTY_PROPERTIES = {
  name: { type: 'string', maxLength: 80 },
  title: { type: 'string' },
  description: { type: 'string' },
  operators: { type: 'array', items: { type: 'string' } },
  type: TYPE,
  required: { $ref: '#/definitions/stringArray' },
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  maxLength: { $ref: '#/definitions/positiveInteger' },
  minLength: { $ref: '#/definitions/positiveIntegerDefault0' },
  pattern: { type: 'string', format: 'regex' },
  enum: { type: 'array' },
  readonly: { type: 'boolean' },
  default: {},
  items: { type: 'object', properties: { type: TYPE, enum: { type: 'array' } } },
  maxItems: { $ref: '#/definitions/positiveInteger' },
  minItems: { $ref: '#/definitions/positiveIntegerDefault0' },
  uniqueItems: { type: 'boolean', default: false },
  additionalItems: { type: 'boolean' },
};

/** What the documents of namespaces and objects refer to. */
const DEFINITIONS = {
  ...NUMBERS,
  stringArray: { type: 'array', items: { type: 'string' }, uniqueItems: true },
  property: {
    type: 'object',
    additionalProperties: { type: 'object', required: ['title', 'type'], properties: PROPERTY_PROPERTIES },
  },
};

const NAMESPACE = {
  name: 'namespace',
  properties: {
    namespace: shortText('Name of the namespace, unique in the deployment'),
    display_name: shortText('Name of the namespace for people'),
    description: { type: 'string', maxLength: 500, description: 'What the namespace is about' },
    visibility: { type: 'string', enum: NAMESPACE_VISIBILITIES, description: 'Who sees the namespace' },
    protected: { type: 'boolean', description: 'If true, the namespace cannot be deleted.' },
    owner: { type: 'string', maxLength: 255, description: 'Owner of the namespace' },
    created_at: time('Date and time of namespace creation'),
    updated_at: time('Date and time of the last namespace modification'),
    schema: address,
    self: address,
    resource_type_associations: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          prefix: { type: 'string' },
          properties_target: { type: 'string' },
        },
      },
    },
    properties: { $ref: '#/definitions/property' },
    objects: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: { type: 'string' },
          description: { type: 'string' },
          required: { $ref: '#/definitions/stringArray' },
          properties: { $ref: '#/definitions/property' },
        },
      },
    },
    tags: { type: 'array', items: { type: 'object', properties: { name: { type: 'string' } } } },
  },
  additionalProperties: false,
  required: ['namespace'],
};

const OBJECT = {
  name: 'object',
  properties: {
    name: { type: 'string', maxLength: 80 },
    description: { type: 'string' },
    required: { $ref: '#/definitions/stringArray' },
    properties: { $ref: '#/definitions/property' },
    schema: address,
    self: address,
    created_at: time('Date and time of object creation'),
    updated_at: time('Date and time of the last object modification'),
  },
  additionalProperties: false,
  required: ['name'],
};

const PROPERTY = {
  name: 'property',
  properties: PROPERTY_PROPERTIES,
  additionalProperties: false,
  required: ['type', 'title', 'name'],
};
const PROPERTY_DEFINITIONS = {
  ...NUMBERS,
  stringArray: { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true },
};

const RESOURCE_TYPE = {
  name: 'resource_type_association',
  properties: {
    name: shortText('Name of the resource type; those of Heat are best'),
    prefix: shortText('What stands before the names of the properties on such a resource, separator included'),
    properties_target: shortText('Which of several sets of key and value pairs of a resource is meant'),
    created_at: time('Date and time of resource type association'),
    updated_at: time('Date and time of the last resource type association modification'),
  },
  additionalProperties: false,
  required: ['name'],
};

const TAG = {
  name: 'tag',
  properties: {
    name: { type: 'string', maxLength: 80 },
    created_at: time('Date and time of tag creation'),
    updated_at: time('Date and time of the last tag modification'),
  },
  additionalProperties: false,
  required: ['name'],
};

/** Bodies of requests; members that only the service writes are refused or passed over. */
export const METADEF_BODIES = {
  namespace: inlined(NAMESPACE, DEFINITIONS),
  object: inlined(OBJECT, DEFINITIONS),
  property: inlined(PROPERTY, PROPERTY_DEFINITIONS),
  association: inlined(RESOURCE_TYPE, {}),
  tag: inlined(TAG, {}),
  tags: inlined({ properties: { tags: { type: 'array', items: TAG } }, required: ['tags'] }, {}),
} as const;

/** A schema with what it refers to in place; OpenAPI looks for references elsewhere. */
function inlined(schema: object, definitions: Readonly<Record<string, object>>): Record<string, unknown> {
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== 'object' || value === null) return value;
    const { $ref } = value as { $ref?: string };
    if (typeof $ref === 'string') return resolve(definitions[$ref.slice('#/definitions/'.length)]);
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, resolve(member)]));
  };
  const { name: _name, ...rest } = resolve(schema) as Record<string, unknown>;
  return { type: 'object', ...rest };
}

/** The documents below `metadefs/`, by their names. */
export function metadefSchemas(collection: (name: string, items: object) => object): Record<string, object> {
  const inDictionary = { ...PROPERTY, required: ['type', 'title'] };
  return {
    namespace: { ...NAMESPACE, definitions: DEFINITIONS },
    namespaces: { ...collection('namespaces', { type: 'array', items: NAMESPACE }), definitions: DEFINITIONS },
    object: { ...OBJECT, definitions: DEFINITIONS },
    objects: { ...collection('objects', { type: 'array', items: OBJECT }), definitions: DEFINITIONS },
    property: { ...PROPERTY, definitions: PROPERTY_DEFINITIONS },
    properties: {
      ...collection('properties', { type: 'object', additionalProperties: inDictionary }),
      definitions: PROPERTY_DEFINITIONS,
    },
    resource_type: RESOURCE_TYPE,
    resource_types: collection('resource_type_associations', { type: 'array', items: RESOURCE_TYPE }),
    tag: TAG,
    tags: collection('tags', { type: 'array', items: TAG }),
  };
}
