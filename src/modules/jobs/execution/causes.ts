import { KilnError } from '../../../common/errors.js';
import { FileTooLargeError } from '../../artifacts/index.js';
import { LimitExceededError } from '../../tenancy/index.js';
import { BuildFailedError } from '../builder.js';
import type { JobCause } from '../jobs.types.js';

/** What a failed job says of itself; `unexpected` is a bug. */
export function causeOf(error: unknown): JobCause & { readonly unexpected: boolean } {
  if (error instanceof BuildFailedError) return { code: error.code, message: error.message, unexpected: false };
  if (error instanceof LimitExceededError) {
    return { code: 'limit.exceeded', message: `The result does not fit. ${error.message}.`, unexpected: false };
  }
  if (error instanceof FileTooLargeError) {
    return { code: 'build.output_too_large', message: error.message, unexpected: false };
  }
  if (error instanceof KilnError) return { code: error.code, message: error.message, unexpected: false };
  return {
    code: 'build.failed',
    message: 'The build failed unexpectedly; the log of the worker says more.',
    unexpected: true,
  };
}
