import { UnavailableError } from '../../common/errors.js';

/** Keystone does not answer, or does not let Kiln itself in. */
export class KeystoneUnavailableError extends UnavailableError {
  override readonly code = 'keystone.unavailable';
  constructor(cause?: unknown) {
    super('The Keystone service is temporarily unavailable.', {}, { cause });
  }
}
