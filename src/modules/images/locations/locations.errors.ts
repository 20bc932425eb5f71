import {
  ConflictError,
  ForbiddenError,
  InvalidError,
  NotFoundError,
  UnavailableError,
} from '../../../common/errors.js';
import type { ImageStatus } from '../image-status.js';

/** Removal from a store that there is not. */
export class StoreNotAvailableError extends ConflictError {
  override readonly code = 'images.store_not_available';
  constructor(storeId: string) {
    super(`The store ${storeId.slice(0, 100)} is not available`, { store: storeId });
  }
}

/** The store has no copy of the image. */
export class CopyNotFoundError extends NotFoundError {
  override readonly code = 'images.copy_not_found';
  constructor(imageId: string, storeId: string) {
    super(`Image ${imageId} is not stored in store ${storeId}`, { imageId, store: storeId });
  }
}

/** Addresses of the image name this copy, and there is no other one that they could name. */
export class CopyInUseError extends ConflictError {
  override readonly code = 'images.copy_in_use';
  constructor(imageId: string, storeId: string) {
    super(`The copy of image ${imageId} in store ${storeId} is in use`, { imageId, store: storeId });
  }
}

/** An image keeps at least one place where its bytes are. */
export class LastLocationError extends ForbiddenError {
  override readonly code = 'images.last_location';
  constructor(imageId: string) {
    super(`Image ${imageId} has its data in one place only, which cannot be removed`, { imageId });
  }
}

/** Places of an image in this status are not changed. */
export class LocationsStatusError extends ConflictError {
  override readonly code = 'images.locations_status';
  constructor(imageId: string, status: ImageStatus) {
    super(`The places of image ${imageId} cannot be changed while it is ${status}`, { imageId, status });
  }
}

/** Locations are not shown here, so nobody changes them. */
export class LocationsHiddenError extends ForbiddenError {
  override readonly code = 'images.locations_hidden';
  constructor() {
    super("It's not allowed to change locations if locations are invisible.");
  }
}

/** No store reads what lies on the web. */
export class LocationsOffError extends ForbiddenError {
  override readonly code = 'images.locations_off';
  constructor() {
    super('No store for locations on the web is configured here.');
  }
}

/** Places other than on the web are for services to name. */
export class LocationSchemeError extends ForbiddenError {
  override readonly code = 'images.location_scheme';
  constructor() {
    super('Only locations with an http or https url may be added.');
  }
}

/** A place that no image can have. */
export class LocationInvalidError extends InvalidError {
  override readonly code: string = 'images.location_invalid';
}

/** What is said of the bytes contradicts what is known of them. */
export class LocationMismatchError extends ConflictError {
  override readonly code = 'images.location_mismatch';
}

/** A place on the web that cannot be read, or has other bytes than the image. */
export class LocationUnavailableError extends UnavailableError {
  override readonly code = 'images.location_unavailable';
  constructor(reason: string, cause?: unknown) {
    super(`The location of the image cannot be read: ${reason}`, {}, { cause });
  }
}
