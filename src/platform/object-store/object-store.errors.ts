import { NotFoundError } from '../../common/errors.js';

/** No object under that key. */
export class ObjectNotFoundError extends NotFoundError {
  override readonly code = 'object_store.not_found';
  constructor(key: string) {
    super(`No object ${key} in the store`, { key });
  }
}
