import { DefinitionInvalidError, DefinitionTooLargeError } from '../metadefs.errors.js';
import {
  type AssociationAttributes,
  DEFINITION_MAX_BYTES,
  NAMESPACE_VISIBILITIES,
  type NamespaceDocument,
  type ObjectAttributes,
  PROPERTY_TYPES,
  type PropertyAttributes,
  type PropertyDefinition,
  type PropertyDefinitions,
  type Scalar,
  type TagAttributes,
} from '../metadefs.types.js';
import { readText, Section } from './section.js';

/**
 * Readers of definitions in the form in which they are exchanged: files, and bodies of requests.
 *
 * @see Image API v2, "Metadata definitions"; upstream etc/metadefs/README
 */

const LONGEST_NAME = 80;
const LONGEST_DESCRIPTION = 500;
const LONGEST_OWNER = 255;
/** What the service itself writes, and an export brings back. */
const WRITTEN_BY_SERVICE = ['created_at', 'updated_at', 'self', 'schema'];

/** @throws DefinitionInvalidError, DefinitionTooLargeError */
export function readNamespaceDocument(value: unknown): NamespaceDocument {
  return Section.read(value, '', (section) => {
    section.ignore(...WRITTEN_BY_SERVICE);
    return {
      name: section.needText('namespace', LONGEST_NAME, 1),
      displayName: section.text('display_name', LONGEST_NAME) ?? null,
      description: section.text('description', LONGEST_DESCRIPTION) ?? null,
      visibility: section.oneOf('visibility', NAMESPACE_VISIBILITIES) ?? 'private',
      protected: section.boolean('protected') ?? false,
      projectId: section.text('owner', LONGEST_OWNER),
      objects: section.list('objects', readObjectDocument) ?? [],
      properties: section.dictionary('properties', readNamedProperty) ?? [],
      tags: section.list('tags', readTagDocument) ?? [],
      associations: section.list('resource_type_associations', readAssociationDocument) ?? [],
    };
  });
}

/** @throws DefinitionInvalidError, DefinitionTooLargeError */
export function readObjectDocument(value: unknown, path = ''): ObjectAttributes {
  return Section.read(value, path, (section) => {
    section.ignore(...WRITTEN_BY_SERVICE);
    const properties = section.dictionary('properties', readNamedProperty);
    const object = {
      name: section.needText('name', LONGEST_NAME, 1),
      description: section.text('description') ?? null,
      required: section.distinctTexts('required') ?? null,
      properties: properties ? asDictionary(properties) : null,
    };
    checkSize(object, path);
    return object;
  });
}

/** A property that says its own name. @throws DefinitionInvalidError, DefinitionTooLargeError */
export function readPropertyDocument(value: unknown): PropertyAttributes {
  return Section.read(value, '', (section) => ({
    name: section.needText('name', LONGEST_NAME, 1),
    definition: readDefinition(section, ''),
  }));
}

/** @throws DefinitionInvalidError */
export function readTagDocument(value: unknown, path = ''): TagAttributes {
  return Section.read(value, path, (section) => {
    section.ignore('created_at', 'updated_at');
    return { name: section.needText('name', LONGEST_NAME, 1) };
  });
}

/** @throws DefinitionInvalidError */
export function readTagsDocument(value: unknown): readonly TagAttributes[] {
  return Section.read(value, '', (section) => {
    const tags = section.list('tags', readTagDocument);
    if (!tags) throw new DefinitionInvalidError('tags', 'it is required');
    return tags;
  });
}

/** @throws DefinitionInvalidError */
export function readAssociationDocument(value: unknown, path = ''): AssociationAttributes {
  return Section.read(value, path, (section) => {
    section.ignore('created_at', 'updated_at');
    return {
      name: section.needText('name', LONGEST_NAME, 1),
      prefix: section.text('prefix', LONGEST_NAME) ?? null,
      propertiesTarget: section.text('properties_target', LONGEST_NAME) ?? null,
    };
  });
}

/** A property that a dictionary names; a name that it says of itself beside that is passed over. */
function readNamedProperty(name: string, value: unknown, path: string): PropertyAttributes {
  readText(name, path, LONGEST_NAME);
  if (name === '') throw new DefinitionInvalidError(path, 'a property must have a name');
  return Section.read(value, path, (section) => {
    section.text('name', LONGEST_NAME);
    return { name, definition: readDefinition(section, path) };
  });
}

function readDefinition(section: Section, path: string): PropertyDefinition {
  const type = section.oneOf('type', PROPERTY_TYPES);
  if (type === undefined) throw new DefinitionInvalidError(section.at('type'), 'it is required');
  const definition: PropertyDefinition = withoutAbsent({
    type,
    title: section.needText('title'),
    description: section.text('description'),
    operators: section.list('operators', (value, at) => readText(value, at)),
    default: section.optional('default', readDefault) ?? undefined,
    readonly: section.boolean('readonly'),
    minimum: section.number('minimum'),
    maximum: section.number('maximum'),
    enum: section.list('enum', readScalar),
    pattern: section.text('pattern'),
    minLength: section.count('minLength'),
    maxLength: section.count('maxLength'),
    items: section.optional('items', readItems),
    uniqueItems: section.boolean('uniqueItems'),
    minItems: section.count('minItems'),
    maxItems: section.count('maxItems'),
    additionalItems: section.boolean('additionalItems'),
  });
  checkSize(definition, path);
  return definition;
}

function readItems(value: unknown, path: string): PropertyDefinition['items'] {
  return Section.read(value, path, (section) => {
    const type = section.oneOf('type', PROPERTY_TYPES);
    if (type === undefined) throw new DefinitionInvalidError(section.at('type'), 'it is required');
    return withoutAbsent({ type, enum: section.list('enum', readScalar) });
  });
}

function readScalar(value: unknown, path: string): Scalar {
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  return readText(value, path);
}

/** Reference answers every default as text; booleans the way its language writes them. Null is as good as none. */
function readDefault(value: unknown, path: string): string | null {
  if (value === null) return null;
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'object') return toJson(value, path);
  return readText(String(value), path);
}

/** How deep or long it is was the author's choice. */
function toJson(value: unknown, path: string): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof RangeError) throw new DefinitionTooLargeError(path);
    throw error;
  }
}

function checkSize(definition: unknown, path: string): void {
  if (Buffer.byteLength(toJson(definition, path)) > DEFINITION_MAX_BYTES) throw new DefinitionTooLargeError(path);
}

function asDictionary(properties: readonly PropertyAttributes[]): PropertyDefinitions {
  return Object.fromEntries(properties.map(({ name, definition }) => [name, definition]));
}

function withoutAbsent<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;
}
