import { InvalidError, NotFoundError } from '../../common/errors.js';

/** A search that cannot be understood, or asks a field for what it does not have. */
export class SearchNotSupportedError extends InvalidError {
  override readonly code = 'foreman.search_not_supported';
}

/** An order by something that orders nothing. */
export class OrderNotSupportedError extends InvalidError {
  override readonly code = 'foreman.order_not_supported';
  constructor(field: string) {
    super(`the field '${field.slice(0, 255)}' in the order statement is not valid field for search`, { field });
  }
}

/** A parameter with a value that it cannot have. */
export class ParameterInvalidError extends InvalidError {
  override readonly code = 'foreman.parameter_invalid';
  constructor(parameter: string, value: string, expected: string) {
    super(`Invalid parameter '${parameter}' value ${JSON.stringify(value.slice(0, 255))}: ${expected}`, { parameter });
  }
}

/** A parameter without which there is nothing to do. */
export class ParameterMissingError extends InvalidError {
  override readonly code = 'foreman.parameter_missing';
  constructor(parameter: string) {
    super(`Missing param '${parameter}' in parameters`, { parameter });
  }
}

/** An organization or a location that is not there, or in which the caller has no role. */
export class ContextNotFoundError extends NotFoundError {
  override readonly code = 'foreman.context_not_found';
  constructor(noun: 'Organization' | 'Location', key: string) {
    super(`${noun} with id ${key.slice(0, 255)} not found`, { noun, key });
  }
}

/** A body that nests deeper than any that means something. */
export class BodyTooDeepError extends InvalidError {
  override readonly code = 'foreman.body_too_deep';
  constructor(deepest: number) {
    super(`The body may nest ${deepest} levels deep at most`);
  }
}
