import {
  ConflictError,
  InvalidError,
  NotFoundError,
  RangeUnsatisfiableError,
  UnavailableError,
} from '../../common/errors.js';

/** No object under that key. */
export class ObjectNotFoundError extends NotFoundError {
  override readonly code = 'object_store.not_found';
  constructor(key: string, options?: { cause?: unknown }) {
    super(`No object ${key} in the store`, { key }, options);
  }
}

/** The key has an object already, and objects are written once. */
export class ObjectExistsError extends ConflictError {
  override readonly code = 'object_store.exists';
  constructor(key: string) {
    super(`The store already holds an object ${key}`, { key });
  }
}

/** The body was not as long as announced. */
export class ObjectSizeMismatchError extends InvalidError {
  override readonly code = 'object_store.size_mismatch';
  constructor(announcedBytes: number, sizeBytes: number) {
    super(`${announcedBytes} bytes were announced, but ${sizeBytes} came`, { announcedBytes, sizeBytes });
  }
}

/** The range begins behind the object's end, or is none. */
export class ObjectRangeError extends RangeUnsatisfiableError {
  override readonly code = 'object_store.range_unsatisfiable';
  constructor(key: string, sizeBytes: number) {
    super(`The object has ${sizeBytes} bytes and not the range asked for`, { key, sizeBytes });
  }
}

/** What the S3 client puts before the message of an error of the connection. */
const SDK_WRAPPING = /^AWS SDK error wrapper for (Error: )?/;

/** The store does not answer, refuses the credentials, or fails in a way that is not the caller's. */
export class StoreUnavailableError extends UnavailableError {
  override readonly code: string = 'object_store.unavailable';
  constructor(storeId: string, doing: string, cause: unknown) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(SDK_WRAPPING, '');
    super(`The object store ${storeId} failed ${doing}: ${reason}`, { store: storeId }, { cause });
  }
}

/** No room left: the disk is full, or the store's own quota is reached. */
export class StoreFullError extends UnavailableError {
  override readonly code = 'object_store.full';
  constructor(storeId: string, cause?: unknown) {
    super(`The object store ${storeId} is full`, { store: storeId }, { cause });
  }
}

/** Something refers to a store that the configuration does not have (any more). */
export class StoreNotConfiguredError extends UnavailableError {
  override readonly code = 'object_store.not_configured';
  constructor(storeId: string) {
    super(`No object store ${storeId} is configured`, { store: storeId });
  }
}
