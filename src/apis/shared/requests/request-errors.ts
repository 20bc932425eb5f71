import {
  InvalidError,
  MethodNotAllowedError,
  NotFoundError,
  TooLargeError,
  UnauthenticatedError,
  UnsupportedError,
} from '../../../common/errors.js';

/** Nothing is served at that path. */
export class RouteNotFoundError extends NotFoundError {
  override readonly code = 'request.route_not_found';
  constructor(path: string) {
    super(`There is nothing at ${path}`, { path });
  }
}

/** The path exists, with other methods. */
export class WrongMethodError extends MethodNotAllowedError {
  override readonly code = 'request.method_not_allowed';
  constructor(method: string, path: string, allow: readonly string[]) {
    super(`${path} does not take ${method}; it takes ${allow.join(', ')}`, { allow });
  }
}

/** A body that is not what its type says. */
export class UnparsableBodyError extends InvalidError {
  override readonly code = 'request.unparsable_body';
  constructor(reason: string, cause?: unknown) {
    super(`The body is not valid JSON: ${reason}`, {}, { cause });
  }
}

/** A query that cannot be taken apart. */
export class UnreadableQueryError extends InvalidError {
  override readonly code = 'request.unreadable_query';
  constructor(reason: string, cause?: unknown) {
    super(`The query cannot be read: ${reason}`, {}, { cause });
  }
}

/** A media type that the path does not take. */
export class UnsupportedMediaTypeError extends UnsupportedError {
  override readonly code = 'request.unsupported_media_type';
  constructor(found: string | undefined, accepted: readonly string[]) {
    super(`The content type must be ${accepted.join(' or ')}, not ${found?.trim() || 'missing'}`, { accepted });
  }
}

/** A body over the limit of its path. */
export class BodyTooLargeError extends TooLargeError {
  override readonly code = 'request.body_too_large';
  constructor(limitBytes: number) {
    super(`The body may have at most ${limitBytes} bytes`, { limitBytes });
  }
}

/** A client that went away before the end of its body; nobody reads the answer. */
export class BrokenBodyError extends InvalidError {
  override readonly code = 'request.broken_body';
  constructor(cause: unknown) {
    super('The body ended before its last byte', {}, { cause });
  }
}

/** A body of which the rest does not come. */
export class SlowBodyError extends InvalidError {
  override readonly code = 'request.slow_body';
  constructor(patienceMs: number) {
    super(`The body did not come within ${patienceMs / 1_000} seconds`);
  }
}

/** The request itself is malformed, below the level of any face. */
export class MalformedRequestError extends InvalidError {
  override readonly code = 'request.malformed';
}

/** No credential, or none that is good. */
export class CredentialRequiredError extends UnauthenticatedError {
  override readonly code = 'request.credential_required';
  constructor(reason = 'The request you have made requires authentication.') {
    super(reason);
  }
}
