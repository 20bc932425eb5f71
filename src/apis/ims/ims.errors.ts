import { InvalidError, UnavailableError, UnprocessableError } from '../../common/errors.js';
import type { FieldFaults } from '../shared/requests/validation.js';

/** A body that says nothing at all. @see Image Management Service v3, responses 400 */
export class NoInputError extends InvalidError {
  override readonly code = 'ims.no_input';
  constructor() {
    super(
      'No input provided. Determine the specific information that is missing or invalid and then re-run the request with valid information.',
    );
  }
}

/** Fields that break their rules, all of them at once. @see Image Management Service v3, responses 422 */
export class InvalidFieldsError extends UnprocessableError {
  override readonly code = 'ims.invalid_fields';
  constructor(errors: FieldFaults) {
    super(
      'Input data was understood, but failed validation. Re-run request with valid input values for the fields indicated in the response.',
      { errors },
    );
  }
}

/** A body that nests deeper than any record of this API. */
export class BodyTooDeepError extends InvalidError {
  override readonly code = 'ims.body_too_deep';
  constructor(levels: number) {
    super(`The body may nest at most ${levels} levels deep`, { levels });
  }
}

/** Some of the deleted records could not be brought back; the others were. */
export class UndeleteFailedError extends UnprocessableError {
  override readonly code = 'ims.undelete_failed';
  constructor(errors: FieldFaults) {
    super(`${Object.keys(errors).length} of the deleted records could not be restored and stay deleted`, { errors });
  }
}

/** A query parameter that cannot be read, or asks for what there is not. */
export class BadParameterError extends InvalidError {
  override readonly code = 'ims.bad_parameter';
  constructor(parameter: string, reason: string) {
    super(`The query parameter ${parameter} ${reason}`, { parameter });
  }
}

/** This API is open for a project that there is not, or that is disabled. */
export class OpenProjectMissingError extends UnavailableError {
  override readonly code = 'ims.open_project_missing';
  constructor(cause: Error) {
    super('KILN_IMS_OPEN_PROJECT names a project that does not exist or is disabled', {}, { cause });
  }
}
