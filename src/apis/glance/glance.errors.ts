import { ConflictError, ForbiddenError, InvalidError, UnsupportedError } from '../../common/errors.js';

/** A body where the operation takes none. */
export class BodyNotExpectedError extends InvalidError {
  override readonly code = 'glance.body_not_expected';
  constructor() {
    super('A body is not expected with this request.');
  }
}

/** A body that is not of the shape that the operation takes. */
export class RequestInvalidError extends InvalidError {
  override readonly code = 'glance.request_invalid';
}

/** A query parameter with a value that it cannot have. */
export class QueryInvalidError extends InvalidError {
  override readonly code = 'glance.query_invalid';
}

/** An attribute that only the service writes. */
export class AttributeReadOnlyError extends ForbiddenError {
  override readonly code = 'glance.attribute_read_only';
  constructor(attribute: string) {
    super(`Attribute '${attribute}' is read-only.`, { attribute });
  }
}

/** A name that no custom property may have. */
export class AttributeReservedError extends ForbiddenError {
  override readonly code = 'glance.attribute_reserved';
  constructor(attribute: string) {
    super(`Attribute '${attribute}' is reserved.`, { attribute });
  }
}

/** What only a cache that all processes share could tell. */
export class NoCentralCacheError extends ConflictError {
  override readonly code = 'glance.no_central_cache';
  constructor() {
    super('Each process has a cache of its own; there is no central one that knows which of them have an image.');
  }
}

/** A PATCH in a language that is not spoken here. */
export class PatchTypeUnsupportedError extends UnsupportedError {
  override readonly code = 'glance.patch_type_unsupported';
  constructor(found: string | undefined, acceptPatch: readonly string[]) {
    super(`The content type must be ${acceptPatch.join(' or ')}, not ${found ?? 'missing'}`, { acceptPatch });
  }
}
