import { ConflictError, InvalidError, NotFoundError } from '../../../common/errors.js';
import type { ImageStatus } from '../image-status.js';

/** The operator has switched this way of importing off. */
export class ImportMethodOffError extends NotFoundError {
  override readonly code = 'images.import_method_off';
  constructor(method: string) {
    super(`Import method ${method} is not offered here`, { method });
  }
}

/** The status of the image does not fit the import. */
export class ImportStatusError extends ConflictError {
  override readonly code = 'images.import_status';
  constructor(imageId: string, status: ImageStatus, needed: ImageStatus) {
    super(`Image ${imageId} is ${status}; this import needs one that is ${needed}`, { imageId, status, needed });
  }
}

/** The bytes of the image have not all come. */
export class ImportStagingError extends ConflictError {
  override readonly code = 'images.import_staging';
  constructor(imageId: string) {
    super(`The data of image ${imageId} is still being staged`, { imageId });
  }
}

/** Bytes cannot be imported before both formats are known. */
export class ImportFormatsMissingError extends ConflictError {
  override readonly code = 'images.import_formats_missing';
  constructor(imageId: string) {
    super(`disk_format and container_format of image ${imageId} must be set before it is imported`, { imageId });
  }
}

/** Bytes elsewhere are only copied if they can be told from others. */
export class ImportDigestsMissingError extends ConflictError {
  override readonly code = 'images.import_digests_missing';
  constructor(imageId: string) {
    super(`Image ${imageId} lies on the web and its digests are not known, so no copy of it could be trusted`, {
      imageId,
    });
  }
}

/** Another import of the image is under way. */
export class ImportLockedError extends ConflictError {
  override readonly code = 'images.import_locked';
  constructor(imageId: string, taskId: string) {
    super(`Image ${imageId} is being imported by task ${taskId}`, { imageId, taskId });
  }
}

/** Data cannot go into a store that the configuration does not have. */
export class ImportStoreUnknownError extends ConflictError {
  override readonly code = 'images.import_store_unknown';
  constructor(storeId: string) {
    super(`There is no store ${storeId.slice(0, 100)}`, { store: storeId.slice(0, 100) });
  }
}

/** The choice of stores contradicts itself, or names one that has the data already. */
export class ImportStoresInvalidError extends InvalidError {
  override readonly code = 'images.import_stores_invalid';
}
