import type { PageRequest } from '../../common/paging.js';

export const NAMESPACE_VISIBILITIES = ['public', 'private'] as const;
export type NamespaceVisibility = (typeof NAMESPACE_VISIBILITIES)[number];

export const PROPERTY_TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'] as const;
export type PropertyType = (typeof PROPERTY_TYPES)[number];

/** A value that an enumeration may hold. */
export type Scalar = string | number | boolean;

/** What values of a property may be; the words are those of JSON schema. */
export interface PropertyDefinition {
  readonly type: PropertyType;
  readonly title: string;
  readonly description?: string;
  readonly operators?: readonly string[];
  /** Always as text, whatever the type. */
  readonly default?: string;
  readonly readonly?: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly Scalar[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly items?: { readonly type: PropertyType; readonly enum?: readonly Scalar[] };
  readonly uniqueItems?: boolean;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly additionalItems?: boolean;
}

export type PropertyDefinitions = Readonly<Record<string, PropertyDefinition>>;

/** What an author says of a namespace itself. */
export interface NamespaceAttributes {
  /** Unique in the deployment. */
  readonly name: string;
  readonly displayName: string | null;
  readonly description: string | null;
  readonly visibility: NamespaceVisibility;
  /** Neither it nor anything in it can be deleted. */
  readonly protected: boolean;
  /** The owner: a project, or any text that an administrator chose. */
  readonly projectId: string | null;
}

interface Times {
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A named collection of definitions. */
export interface Namespace extends NamespaceAttributes, Times {
  readonly id: number;
}

export interface ObjectAttributes {
  readonly name: string;
  readonly description: string | null;
  /** Names of the properties that must be given. */
  readonly required: readonly string[] | null;
  readonly properties: PropertyDefinitions | null;
}

/** A group of properties that belong together. */
export interface MetadefObject extends ObjectAttributes, Times {}

export interface PropertyAttributes {
  readonly name: string;
  readonly definition: PropertyDefinition;
}

export interface MetadefProperty extends PropertyAttributes, Times {}

export interface TagAttributes {
  readonly name: string;
}

export interface MetadefTag extends TagAttributes, Times {}

/** A kind of thing that properties are for, such as `OS::Nova::Flavor`. */
export interface ResourceType extends Times {
  readonly name: string;
}

export interface AssociationAttributes {
  /** Of the resource type. */
  readonly name: string;
  /** What stands before the names of the namespace's properties on such a resource. */
  readonly prefix: string | null;
  readonly propertiesTarget: string | null;
}

/** Says that the properties of a namespace are for a type of resource. */
export interface Association extends AssociationAttributes, Times {}

/** A namespace with everything it defines. */
export interface NamespaceContents {
  readonly objects: readonly MetadefObject[];
  readonly properties: readonly MetadefProperty[];
  readonly tags: readonly MetadefTag[];
  readonly associations: readonly Association[];
}

/** A namespace as an author writes it in one go. Absent visibility is `private`, absent owner the actor's project. */
export interface NamespaceDocument extends Omit<NamespaceAttributes, 'projectId'> {
  readonly projectId: string | undefined;
  readonly objects: readonly ObjectAttributes[];
  readonly properties: readonly PropertyAttributes[];
  readonly tags: readonly TagAttributes[];
  readonly associations: readonly AssociationAttributes[];
}

export const NAMESPACE_SORT_KEYS = [
  'createdAt',
  'updatedAt',
  'name',
  'displayName',
  'owner',
  'visibility',
  'protected',
] as const;
export type NamespaceSortKey = (typeof NAMESPACE_SORT_KEYS)[number];

export const TAG_SORT_KEYS = ['createdAt', 'updatedAt', 'name'] as const;
export type TagSortKey = (typeof TAG_SORT_KEYS)[number];

/** One page of the namespaces that an actor sees. The marker is a name. */
export interface NamespaceQuery extends PageRequest<NamespaceSortKey> {
  readonly visibility?: NamespaceVisibility;
  /** Those that are associated with any of these. */
  readonly resourceTypes?: readonly string[];
}

/** One page of a namespace's tags. The marker is a name; without a limit all of them. */
export type TagQuery = Omit<PageRequest<TagSortKey>, 'limit'> & { readonly limit?: number };

/** How many objects, properties, tags and associations each one namespace may have; and how many resource types there are. */
export const PARTS_MAX = 1000;

/** Largest definition of one property or object, in bytes of JSON. */
export const DEFINITION_MAX_BYTES = 64 * 1024;
