import {
  ConflictError,
  ForbiddenError,
  InvalidError,
  NotFoundError,
  QuotaExceededError,
  TooLargeError,
} from '../../common/errors.js';
import { DEFINITION_MAX_BYTES, PARTS_MAX } from './metadefs.types.js';

/** What namespaces consist of. */
export type PartNoun = 'object' | 'property' | 'tag' | 'resource type association';

/** No namespace of that name, or none that the actor may see. */
export class NamespaceNotFoundError extends NotFoundError {
  override readonly code = 'metadefs.namespace_not_found';
  constructor(namespace: string) {
    super(`Metadata definition namespace ${namespace} was not found.`, { namespace });
  }
}

/** The namespace has nothing of that name. */
export class PartNotFoundError extends NotFoundError {
  override readonly code = 'metadefs.part_not_found';
  constructor(noun: PartNoun, namespace: string, name: string) {
    super(`Metadata definition ${noun} ${name} was not found in namespace ${namespace}.`, { noun, namespace, name });
  }
}

/** The property is not called so on resources of that type. */
export class PropertyPrefixError extends NotFoundError {
  override readonly code = 'metadefs.property_prefix';
  constructor(name: string, resourceType: string, prefix: string) {
    super(`Property ${name} does not start with '${prefix}', the prefix of properties on ${resourceType}.`, {
      name,
      resourceType,
    });
  }
}

/** The actor sees the namespace, but its role does not allow this. */
export class MetadefForbiddenError extends ForbiddenError {
  override readonly code = 'metadefs.forbidden';
  constructor(rule: string) {
    super(`You are not authorized to complete ${rule} action.`, { rule });
  }
}

/** The namespace is protected, and with it all it has. */
export class NamespaceProtectedError extends ForbiddenError {
  override readonly code = 'metadefs.protected';
  constructor(namespace: string) {
    super(`Metadata definition namespace ${namespace} is protected; neither it nor what is in it can be deleted.`, {
      namespace,
    });
  }
}

/** A namespace of that name exists, whether or not the actor sees it. */
export class NamespaceExistsError extends ConflictError {
  override readonly code = 'metadefs.namespace_exists';
  constructor(namespace: string) {
    super(`The metadata definition namespace ${namespace} already exists.`, { namespace });
  }
}

/** The namespace has something of that name already, or the request names it twice. */
export class PartExistsError extends ConflictError {
  override readonly code = 'metadefs.part_exists';
  constructor(noun: PartNoun, namespace: string, name: string) {
    super(`A metadata definition ${noun} ${name} already exists in namespace ${namespace}.`, { noun, namespace, name });
  }
}

/** A definition that is not of the form that definitions have. */
export class DefinitionInvalidError extends InvalidError {
  override readonly code = 'metadefs.invalid';
  constructor(path: string, fault: string) {
    super(`${path === '' ? 'The body' : path}: ${fault}`, { path });
  }
}

/** The definition of one property or object is too long. */
export class DefinitionTooLargeError extends TooLargeError {
  override readonly code = 'metadefs.too_large';
  constructor(path: string) {
    super(`${path === '' ? 'The definition' : path}: it may have at most ${DEFINITION_MAX_BYTES} bytes`, { path });
  }
}

/** Too many of one kind. */
export class PartsQuotaExceededError extends QuotaExceededError {
  override readonly code = 'metadefs.quota_exceeded';
  constructor(what: string) {
    super(`The limit of ${PARTS_MAX} ${what} would be exceeded`, { quantity: what, limit: PARTS_MAX });
  }
}

/** A page cannot start behind a namespace that the actor does not see. */
export class NamespaceMarkerNotFoundError extends NotFoundError {
  override readonly code = 'metadefs.marker_not_found';
  constructor(marker: string) {
    super(`The marker ${marker} is no metadata definition namespace.`, { marker });
  }
}
