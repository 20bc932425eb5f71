import { InvalidError, NotFoundError } from '../../common/errors.js';

/** No key of that id, or none that the actor may see. */
export class KeyNotFoundError extends NotFoundError {
  override readonly code = 'keys.not_found';
  constructor(keyId: string) {
    super(`No key with id ${keyId}`, { keyId });
  }
}

/** A page cannot start behind a key that is not there. */
export class KeyMarkerNotFoundError extends InvalidError {
  override readonly code = 'keys.marker_not_found';
  constructor(marker: string) {
    super(`The marker ${marker} is no key of this list`, { marker });
  }
}
