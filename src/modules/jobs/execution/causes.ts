import { KilnError } from '../../../common/errors.js';
import { LimitExceededError } from '../../tenancy/index.js';
import type { JobCause } from '../jobs.types.js';
import type { JobWork } from './job-work.js';

/** What a failed job says of itself; `unexpected` is a bug. */
export function causeOf(work: JobWork, error: unknown): JobCause & { readonly unexpected: boolean } {
  const known = work.causeOf(error) ?? commonCause(error);
  return known ? { ...known, unexpected: false } : { ...work.unexpected, unexpected: true };
}

function commonCause(error: unknown): JobCause | null {
  if (error instanceof LimitExceededError) {
    return { code: 'limit.exceeded', message: `The result does not fit. ${error.message}.` };
  }
  return error instanceof KilnError ? { code: error.code, message: error.message } : null;
}
