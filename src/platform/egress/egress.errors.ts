import { InvalidError, TooLargeError, UnavailableError } from '../../common/errors.js';

/**
 * The rules do not let Kiln go there. The message names the rule and never an address that a name resolved to: who may
 * choose a name must not learn from it what an internal resolver answers.
 */
export class EgressRefusedError extends InvalidError {
  override readonly code = 'egress.refused';
  constructor(reason: string, details: { host?: string } = {}) {
    super(`The address is refused: ${reason}`, details);
  }
}

/** The other side cannot be reached, breaks off, or answers with something that is no success. */
export class EgressFailedError extends UnavailableError {
  override readonly code = 'egress.failed';
  constructor(host: string, reason: string, options?: { status?: number; cause?: unknown }) {
    super(`${host} ${reason}`, { host, status: options?.status }, { cause: options?.cause });
  }
}

/** The answer is longer than the caller takes. */
export class EgressTooLargeError extends TooLargeError {
  override readonly code = 'egress.too_large';
  constructor(host: string, maxBytes: number) {
    super(`${host} sends more than ${maxBytes} bytes`, { host, maxBytes });
  }
}
