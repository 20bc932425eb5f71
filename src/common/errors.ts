/**
 * The one error type of the domain. A face renders it in its own dialect from `kind` (and, where a reference treats
 * one case specially, from `code`); nothing here knows of HTTP.
 */
export const ERROR_KINDS = [
  'invalid',
  'unauthenticated',
  'forbidden',
  'not_found',
  'method_not_allowed',
  'conflict',
  'gone',
  'too_large',
  'quota_exceeded',
  'rate_limited',
  'unsupported',
  'unprocessable',
  'range_unsatisfiable',
  'unavailable',
] as const;

export type ErrorKind = (typeof ERROR_KINDS)[number];

export type ErrorDetails = Readonly<Record<string, unknown>>;

/** A failure that a user can be told about. Anything thrown that is not a `KilnError` is a bug. */
export abstract class KilnError extends Error {
  abstract readonly kind: ErrorKind;
  /** Stable, dotted, lower-case: `images.not_found`. */
  abstract readonly code: string;
  readonly details: ErrorDetails;

  constructor(message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.details = details;
  }
}

/** The input is malformed or breaks a rule of its own. */
export class InvalidError extends KilnError {
  override readonly kind = 'invalid' as const;
  readonly code: string = 'invalid';
}

/** No credential, or one that is not (or no longer) good. */
export class UnauthenticatedError extends KilnError {
  override readonly kind = 'unauthenticated' as const;
  readonly code: string = 'unauthenticated';
}

/** Seen, but not allowed. */
export class ForbiddenError extends KilnError {
  override readonly kind = 'forbidden' as const;
  readonly code: string = 'forbidden';
}

/** Unknown, deleted, or not visible to the actor; which of these is never told. */
export class NotFoundError extends KilnError {
  override readonly kind = 'not_found' as const;
  readonly code: string = 'not_found';
}

/** The path exists, the method does not; `details.allow` lists those that do. */
export class MethodNotAllowedError extends KilnError {
  override readonly kind = 'method_not_allowed' as const;
  readonly code: string = 'method_not_allowed';
}

/** The present state does not allow it, or something of that name or address exists. */
export class ConflictError extends KilnError {
  override readonly kind = 'conflict' as const;
  readonly code: string = 'conflict';
}

/** The thing vanished while the request worked on it. */
export class GoneError extends KilnError {
  override readonly kind = 'gone' as const;
  readonly code: string = 'gone';
}

/** One request or file over a size limit that holds for everybody. */
export class TooLargeError extends KilnError {
  override readonly kind = 'too_large' as const;
  readonly code: string = 'too_large';
}

/** A limit of the project is reached; `details` has `quantity`, `limit`, `used`. */
export class QuotaExceededError extends KilnError {
  override readonly kind = 'quota_exceeded' as const;
  readonly code: string = 'quota_exceeded';
}

/** More requests in a short time than one credential may send; `details.retryAfterSeconds` says when to try again. */
export class RateLimitedError extends KilnError {
  override readonly kind = 'rate_limited' as const;
  readonly code: string = 'rate_limited';
}

/** The media type of a body, or a content's format, is not one that is taken. */
export class UnsupportedError extends KilnError {
  override readonly kind = 'unsupported' as const;
  readonly code: string = 'unsupported';
}

/** Well-formed, but its meaning cannot be met (a referenced object is missing, a field rule is broken). */
export class UnprocessableError extends KilnError {
  override readonly kind = 'unprocessable' as const;
  readonly code: string = 'unprocessable';
}

/** A byte range that the file does not have; `details.sizeBytes` is the file's size. */
export class RangeUnsatisfiableError extends KilnError {
  override readonly kind = 'range_unsatisfiable' as const;
  readonly code: string = 'range_unsatisfiable';
}

/** Something Kiln depends on (store, database, queue, identity) does not answer. */
export class UnavailableError extends KilnError {
  override readonly kind = 'unavailable' as const;
  readonly code: string = 'unavailable';
}
