import { ConflictError, InvalidError, UnauthenticatedError } from '../../common/errors.js';
import type { ValidationMessage } from '../../modules/custom-images/index.js';

/** A parameter, or a part of the body, that is not what it must be. */
export class BadInputError extends InvalidError {
  override readonly code = 'parallelcluster.bad_input';
}

/** What was asked for could be done, and was not, since that was asked for as well. */
export class DryRunError extends ConflictError {
  override readonly code = 'parallelcluster.dry_run';
  constructor(messages: readonly ValidationMessage[]) {
    super('Request would have succeeded, but DryRun flag is set.', { messages });
  }
}

/** A credential that is good for no project, so that there is nothing here for it. */
export class NoProjectError extends UnauthenticatedError {
  override readonly code = 'parallelcluster.no_project';
  constructor() {
    super('The credential belongs to no project');
  }
}
