import pg from 'pg';
import { UnavailableError } from '../../common/errors.js';

/** PostgreSQL does not answer, or is shutting down. */
export class DatabaseUnavailableError extends UnavailableError {
  override readonly code = 'database.unavailable';
  constructor(cause: unknown) {
    super('The database does not answer; try again shortly', {}, { cause });
  }
}

const UNIQUE_VIOLATION = '23505';
const FOREIGN_KEY_VIOLATION = '23503';
const RETRYABLE = new Set(['40001', '40P01']);
/** Class 57P is "operator intervention" (shutdown, crash), 08 connection trouble, 53300 too many connections. */
const UNAVAILABLE = /^(57P0[1-3]|08\d{3}|53300)$/;
// What the driver says without a code.
const UNAVAILABLE_MESSAGE =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect|Query read timeout|Cannot use a pool after)/;
const SOCKET_FAILURES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'ETIMEDOUT', 'EHOSTUNREACH']);

/** Whether a statement failed on a unique index; with `constraint`, on that one. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof pg.DatabaseError &&
    error.code === UNIQUE_VIOLATION &&
    (constraint === undefined || error.constraint === constraint)
  );
}

/** Whether a statement failed because what it refers to is not there; with `constraint`, by that one. */
export function isMissingReference(error: unknown, constraint?: string): boolean {
  return (
    error instanceof pg.DatabaseError &&
    error.code === FOREIGN_KEY_VIOLATION &&
    (constraint === undefined || error.constraint === constraint)
  );
}

/** Whether the same transaction may succeed if it is simply run again. */
export function isRetryable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && RETRYABLE.has(error.code ?? '');
}

/** Whether a failure means that there is no database to talk to, rather than that it refused something. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && (UNAVAILABLE.test(code) || SOCKET_FAILURES.has(code))) return true;
  return UNAVAILABLE_MESSAGE.test(error.message);
}
