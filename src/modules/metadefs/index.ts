export {
  readAssociationDocument,
  readNamespaceDocument,
  readObjectDocument,
  readPropertyDocument,
  readTagDocument,
  readTagsDocument,
} from './documents/documents.js';
export { type LibraryOutcome, MetadefsLibraryService } from './library/metadefs-library.service.js';
export {
  DefinitionInvalidError,
  DefinitionTooLargeError,
  MetadefForbiddenError,
  NamespaceExistsError,
  NamespaceMarkerNotFoundError,
  NamespaceNotFoundError,
  NamespaceProtectedError,
  PartExistsError,
  PartNotFoundError,
  PartsQuotaExceededError,
  PropertyPrefixError,
} from './metadefs.errors.js';
export { MetadefsModule } from './metadefs.module.js';
export {
  type Association,
  type AssociationAttributes,
  type MetadefObject,
  type MetadefProperty,
  type MetadefTag,
  type Namespace,
  NAMESPACE_SORT_KEYS,
  NAMESPACE_VISIBILITIES,
  type NamespaceContents,
  type NamespaceDocument,
  type NamespaceQuery,
  type NamespaceSortKey,
  type ObjectAttributes,
  PARTS_MAX,
  PROPERTY_TYPES,
  type PropertyAttributes,
  type PropertyDefinition,
  type PropertyDefinitions,
  type ResourceType,
  TAG_SORT_KEYS,
  type TagAttributes,
  type TagQuery,
  type TagSortKey,
} from './metadefs.types.js';
export { type ListedNamespace, NamespacesService, type WholeNamespace } from './namespaces/namespaces.service.js';
export { AssociationsService } from './parts/associations.service.js';
export { MetadefObjectsService } from './parts/objects.service.js';
export { MetadefPropertiesService } from './parts/properties.service.js';
export { MetadefTagsService } from './parts/tags.service.js';
