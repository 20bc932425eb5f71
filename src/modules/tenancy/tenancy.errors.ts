import { ConflictError, ForbiddenError, NotFoundError, QuotaExceededError } from '../../common/errors.js';
import type { Quantity } from './quantity.js';

/** No project with that id or name. */
export class ProjectNotFoundError extends NotFoundError {
  override readonly code = 'tenancy.project_not_found';
  constructor(project: string) {
    super(`Could not find project: ${project}.`, { project });
  }
}

/** A project of that name exists in the domain. */
export class ProjectNameTakenError extends ConflictError {
  override readonly code = 'tenancy.project_name_taken';
  constructor(name: string) {
    super(`A project named ${name} exists already`, { name });
  }
}

/** A project that still has something cannot be removed: nothing may be lost with it. */
export class ProjectInUseError extends ConflictError {
  override readonly code = 'tenancy.project_in_use';
  constructor(name: string, inUse: readonly { quantity: Quantity; used: number }[]) {
    const left = inUse.map(({ quantity, used }) => `${quantity}: ${used}`).join(', ');
    super(`The project ${name} cannot be deleted, since it still has ${left}`, { left: inUse });
  }
}

/** What becomes less by itself. */
const UNDER_WAY: ReadonlySet<Quantity> = new Set(['uploads', 'running_jobs', 'queued_jobs']);

/** A limit of the project would be exceeded; the one refusal that every face renders in its own words. */
export class LimitExceededError extends QuotaExceededError {
  override readonly code = 'tenancy.limit_exceeded';
  constructor(quantity: Quantity, limit: number, used: number, requested: number) {
    super(
      `The project's limit of ${limit} ${quantity} would be exceeded: ${used} in use, ${requested} more asked for. ` +
        (UNDER_WAY.has(quantity) ? 'Try again when others have ended' : 'Delete what is not needed any more') +
        ', or ask your operator for a higher limit',
      { quantity, limit, used, requested },
    );
  }
}

/** The actor's role does not allow the action. */
export class NotPermittedError extends ForbiddenError {
  override readonly code = 'tenancy.not_permitted';
  constructor(action: string) {
    super(`You are not authorized to perform the requested action: ${action}.`, { action });
  }
}
