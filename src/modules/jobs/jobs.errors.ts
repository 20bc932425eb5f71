import {
  ConflictError,
  InvalidError,
  NotFoundError,
  UnauthenticatedError,
  UnavailableError,
  UnprocessableError,
} from '../../common/errors.js';
import type { JobStatus } from './job-state.js';

/** No job of that id, or one of another project or face. */
export class JobNotFoundError extends NotFoundError {
  override readonly code = 'jobs.not_found';
  constructor(jobId: string) {
    super(`No job with id ${jobId}`, { jobId });
  }
}

/** The job has ended; nothing more happens to it. */
export class JobEndedError extends ConflictError {
  override readonly code = 'jobs.ended';
  constructor(jobId: string, status: JobStatus) {
    super(`Job ${jobId} has ended (${status}) and stays as it is`, { jobId, status });
  }
}

/** There is nothing to start from: a recipe or image unknown, deleted, another project's, or without a link. */
export class JobSourceError extends InvalidError {
  override readonly code = 'jobs.source';
}

/** The bytes behind the recipe's or image's link are missing. */
export class JobObjectMissingError extends UnprocessableError {
  override readonly code = 'jobs.object_missing';
  constructor(address: string) {
    super(`There is no object at ${address}, which the job would start from`, { address });
  }
}

/** The job names a key that is unknown or deleted. */
export class JobKeyError extends InvalidError {
  override readonly code = 'jobs.key';
  constructor(publicKeyId: string) {
    super(`There is no public key with id ${publicKeyId}`, { publicKeyId });
  }
}

/** Shells were asked for that a job of this type does not have. */
export class JobShellsError extends InvalidError {
  override readonly code = 'jobs.shells';
}

/** Scripts that a job does not take. */
export class JobScriptsError extends InvalidError {
  override readonly code = 'jobs.scripts';
}

/** The page starts behind a job that does not exist (any more) for the actor. */
export class JobMarkerError extends InvalidError {
  override readonly code = 'jobs.marker';
  constructor(marker: string) {
    super(`marker: there is no job with id ${marker}`, { parameter: 'marker', marker });
  }
}

/** An execution that no longer holds its job's lease tried to write; nothing was changed. */
export class LeaseLostError extends ConflictError {
  override readonly code = 'jobs.lease_lost';
  constructor(jobId: string, reason = 'another worker has it, or it was ended') {
    super(`This execution of job ${jobId} no longer holds it: ${reason}`, { jobId });
  }
}

/** A builder program elsewhere shows no credential, or one whose execution has ended, or no longer holds its job. */
export class BuilderCredentialError extends UnauthenticatedError {
  override readonly code = 'jobs.builder_credential';
  constructor() {
    super('This is not (or no longer) the credential of an execution of that job');
  }
}

/** As many people follow logs in this process as it serves at once. */
export class TooManyFollowersError extends UnavailableError {
  override readonly code = 'jobs.too_many_followers';
  constructor(most: number) {
    super(`${most} logs are being followed already; ask again later, or read the log as text`, { most });
  }
}
