import { UnavailableError } from '../../../common/errors.js';
import type { JobType } from '../job-state.js';
import type { JobCause } from '../jobs.types.js';
import type { JobRun } from './job-run.js';

/** What jobs of some types do. One instance serves a whole process, and does any number of jobs at once. */
export abstract class JobWork {
  abstract readonly jobTypes: readonly JobType[];

  /** What a job says of itself that failed for a reason nobody foresaw: a bug. */
  abstract readonly unexpected: JobCause;

  /**
   * Does the work of one job, and ends it with `JobRun.succeed`.
   *
   * An execution before this one may have died on any line, so it begins by finding out how far that came. It stops at
   * once, with the signal's reason, when `JobRun.signal` aborts.
   *
   * @throws whatever makes the job fail; see `causeOf`
   */
  abstract run(run: JobRun): Promise<void>;

  /** Why a job failed, for failures that only this work knows; null: what is said of it elsewhere will do. */
  causeOf(_error: unknown): JobCause | null {
    return null;
  }

  /** Whether the job is tried again after a failure, while it has attempts left. */
  mayPass(error: unknown): boolean {
    return error instanceof UnavailableError;
  }
}

/** Every kind of work that this process can do. */
export class JobWorks {
  private readonly byType: ReadonlyMap<JobType, JobWork>;

  constructor(works: readonly JobWork[]) {
    this.byType = new Map(works.flatMap((work) => work.jobTypes.map((type) => [type, work] as const)));
  }

  /** The work of a type of jobs; null when this process cannot do it. */
  find(jobType: JobType): JobWork | null {
    return this.byType.get(jobType) ?? null;
  }
}
