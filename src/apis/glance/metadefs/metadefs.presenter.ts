import type {
  Association,
  ListedNamespace,
  MetadefObject,
  MetadefProperty,
  MetadefTag,
  Namespace,
  PropertyDefinition,
  PropertyDefinitions,
  ResourceType,
  WholeNamespace,
} from '../../../modules/metadefs/index.js';
import { presentTime } from '../../shared/wire-time.js';
import { link, type Parameters } from '../query.js';

// Absent optional keys are left out, never null: clients take null for a value.

const NAMESPACES = '/v2/metadefs/namespaces';

/** A namespace alone. */
export function presentNamespace(namespace: Namespace) {
  const { name, displayName, description, visibility, projectId } = namespace;
  return {
    namespace: name,
    ...present('display_name', displayName),
    ...present('description', description),
    visibility,
    protected: namespace.protected,
    ...present('owner', projectId),
    ...times(namespace),
    // Names stand in these as they are; whoever asks there has to encode them.
    self: `${NAMESPACES}/${name}`,
    schema: '/v2/schemas/metadefs/namespace',
  };
}

/** A namespace with what it defines; on resources of `resourceType` its properties have other names. */
export function presentWholeNamespace(whole: WholeNamespace, resourceType?: string) {
  const { namespace, objects, properties, tags, associations } = whole;
  const prefix = associations.find(({ name }) => name === resourceType)?.prefix ?? '';
  return {
    ...presentNamespace(namespace),
    ...listed('resource_type_associations', associations.map(presentAssociation)),
    ...(properties.length > 0 ? { properties: presentDictionary(properties, prefix) } : {}),
    ...listed(
      'objects',
      objects.map((object) => presentObject(namespace.name, withPrefix(object, prefix))),
    ),
    ...listed('tags', tags.map(presentTagName)),
  };
}

/** A page on the wire, with the links by which clients walk the list. */
export function presentNamespacePage(page: readonly ListedNamespace[], parameters: Parameters, limit: number) {
  const kept = parameters.filter(([name]) => name !== 'marker');
  const marker = page.at(-1)?.namespace.name;
  const next = marker !== undefined && page.length === limit;
  return {
    namespaces: page.map(({ namespace, associations }) => ({
      ...presentNamespace(namespace),
      ...listed('resource_type_associations', associations.map(presentAssociation)),
    })),
    first: link(NAMESPACES, kept),
    ...(next ? { next: link(NAMESPACES, [...kept, ['marker', marker]]) } : {}),
    schema: '/v2/schemas/metadefs/namespaces',
  };
}

export function presentObject(namespace: string, object: MetadefObject) {
  return {
    name: object.name,
    ...present('description', object.description),
    ...present('required', object.required),
    ...present('properties', object.properties),
    ...times(object),
    self: `${NAMESPACES}/${namespace}/objects/${object.name}`,
    schema: '/v2/schemas/metadefs/object',
  };
}

// Reference: the address of this schema lacks its slash; Kiln's has it.
export function presentObjects(namespace: string, objects: readonly MetadefObject[]) {
  return {
    objects: objects.map((object) => presentObject(namespace, object)),
    schema: '/v2/schemas/metadefs/objects',
  };
}

export function presentProperty({ name, definition }: MetadefProperty) {
  return { name, ...definition };
}

/** By their names, which stand in front of what the definition says of itself. */
export function presentDictionary(
  properties: readonly MetadefProperty[],
  prefix = '',
): Record<string, PropertyDefinition> {
  return Object.fromEntries(properties.map(({ name, definition }) => [prefix + name, definition]));
}

export function presentTag(tag: MetadefTag) {
  return { name: tag.name, ...times(tag) };
}

/** As lists have it. */
export function presentTagName({ name }: MetadefTag) {
  return { name };
}

export function presentAssociation(association: Association) {
  return {
    name: association.name,
    ...present('prefix', association.prefix),
    ...present('properties_target', association.propertiesTarget),
    ...times(association),
  };
}

export function presentResourceType(type: ResourceType) {
  return { name: type.name, ...times(type) };
}

function withPrefix(object: MetadefObject, prefix: string): MetadefObject {
  if (prefix === '') return object;
  const prefixed = (properties: PropertyDefinitions): PropertyDefinitions =>
    Object.fromEntries(Object.entries(properties).map(([name, definition]) => [prefix + name, definition]));
  return {
    ...object,
    required: object.required && object.required.map((name) => prefix + name),
    properties: object.properties && prefixed(object.properties),
  };
}

function times({ createdAt, updatedAt }: { readonly createdAt: Date; readonly updatedAt: Date }) {
  return { created_at: presentTime(createdAt), updated_at: presentTime(updatedAt) };
}

function present<K extends string, V>(key: K, value: V | null) {
  return (value === null ? {} : { [key]: value }) as Partial<Record<K, V>>;
}

function listed<K extends string, V>(key: K, list: readonly V[]) {
  return (list.length === 0 ? {} : { [key]: list }) as Partial<Record<K, readonly V[]>>;
}
