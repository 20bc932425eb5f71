import { InvalidError, UnavailableError, UnprocessableError } from '../../../common/errors.js';

/** The request names no method that is offered here. */
export class ImportMethodError extends InvalidError {
  override readonly code = 'imports.method';
  constructor(method: string, offered: readonly string[]) {
    super(`Import method '${method.slice(0, 100)}' is not one of ${offered.join(', ') || 'none'}`, { offered });
  }
}

/** The method was not told what it needs. */
export class ImportArgumentError extends InvalidError {
  override readonly code = 'imports.argument';
}

/** No store took the data. */
export class NoStoreWorkedError extends UnprocessableError {
  override readonly code = 'import.no_store';
  constructor(stores: readonly string[], cause: unknown) {
    super(`The data could be put into none of the stores ${stores.join(', ')}`, { stores }, { cause });
  }
}

/** The other side cannot give the data, or gives something else. */
export class ImportSourceError extends UnprocessableError {
  override readonly code = 'import.source';
}

/** What an image or a stage consists of cannot be read just now. */
export class SourceUnreadableError extends UnavailableError {
  override readonly code = 'import.source_unreadable';
  constructor(cause: Error) {
    super(`The data cannot be read: ${cause.message}`, {}, { cause });
  }
}
