import { Injectable } from '@nestjs/common';
import { toStorable } from '../../platform/database/storable-text.js';
import { Outbox } from '../../platform/events/outbox.js';
import { Log } from '../../platform/logging/log.js';
import { ArtifactsService } from '../artifacts/index.js';
import { Ledger } from '../tenancy/index.js';
import type { Job, JobInput } from './job.entity.js';
import { type FinalStatus, hasEnded, type JobType, mayBecome } from './job-state.js';
import { JobLogsRepository } from './job-logs.repository.js';
import { JobEndedError } from './jobs.errors.js';
import { JobsRepository } from './jobs.repository.js';
import type { JobCause } from './jobs.types.js';

/** How a job ends. */
export interface Ending {
  readonly status: FinalStatus;
  /** Why, unless it succeeded. */
  readonly cause: JobCause | null;
  readonly resultantImageId?: string;
  readonly result?: JobInput;
  /** The last word on where it is. */
  readonly message?: string;
  /** The job is deleted with it. */
  readonly deleted?: boolean;
}

/** Gives back what only jobs of some types hold, in the transaction that ends one of them. */
export type EndingHook = (job: Job, ending: Ending) => Promise<void>;

/** The one place where jobs end, whoever ends them: everything that a job holds is given back in the same transaction. */
@Injectable()
export class JobEndings {
  private readonly hooks = new Map<JobType, EndingHook>();
  private readonly faceHooks = new Map<string, EndingHook>();

  constructor(
    private readonly jobs: JobsRepository,
    private readonly logs: JobLogsRepository,
    private readonly ledger: Ledger,
    private readonly artifacts: ArtifactsService,
    private readonly outbox: Outbox,
    private readonly log: Log,
  ) {}

  /** Lets the work of some types of jobs give back what such a job holds. Call at start, in every process. */
  onEnd(jobTypes: readonly JobType[], hook: EndingHook): void {
    jobTypes.forEach((type) => this.hooks.set(type, hook));
  }

  /**
   * Lets whoever asks for jobs through a face hear of their end in the transaction that it is in; what a job has made is
   * there by then. Call at start, in every process.
   */
  onEndOf(face: string, hook: EndingHook): void {
    this.faceHooks.set(face, hook);
  }

  /**
   * Ends a job that the open transaction has locked. An execution of it that still runs cannot write any more, and stops
   * as soon as it notices. Why it did not succeed is the last line of its log.
   *
   * @throws JobEndedError it has ended before
   */
  async end(job: Job, given: Ending, actorId: string | null): Promise<void> {
    if (!mayBecome(job.status, given.status)) throw new JobEndedError(job.id, job.status);
    const ending = { ...given, cause: storableCause(given.cause) };
    await this.hooks.get(job.jobType)?.(job, ending);
    await this.faceHooks.get(job.face)?.(job, ending);
    await this.jobs.end(job.id, ending.status, ending);
    if (ending.cause && !ending.deleted) await this.logs.addLast(job.id, `kiln: ${ending.cause.message}`);
    await this.ledger.release(job.projectId, job.status === 'queued' ? 'queued_jobs' : 'running_jobs', 1);
    if (job.recipeFileId !== null) await this.letGo(job.recipeFileId);
    // What an image refers to by now stays.
    for (const fileId of job.resultFileIds) await this.artifacts.discard(fileId);
    await this.record(`job.${ending.status}`, job, actorId, ending.cause ? { cause: ending.cause } : {});
    if (ending.deleted) await this.record('job.deleted', job, actorId);
    this.logTransition(job, ending.status, ending.cause?.message);
  }

  /** Deletes a job that the open transaction has locked; one that has not ended is cancelled. */
  async delete(job: Job, actorId: string): Promise<void> {
    if (!hasEnded(job.status)) return this.end(job, { status: 'cancelled', cause: DELETED, deleted: true }, actorId);
    await this.jobs.markDeleted(job.id);
    await this.record('job.deleted', job, actorId);
  }

  /** One line of the log a transition. */
  logTransition(job: Pick<Job, 'id' | 'projectId' | 'status'>, to: string, reason?: string): void {
    this.log.info('a job changed', { job_id: job.id, project_id: job.projectId, from: job.status, to, reason });
  }

  /** Of two references to a file the other one may be a deleted recipe's, which costs nothing. */
  private async letGo(fileId: string): Promise<void> {
    await this.artifacts.discharge(fileId);
    await this.artifacts.unreference(fileId);
  }

  private record(kind: string, job: Job, actorId: string | null, data: Record<string, unknown> = {}): Promise<void> {
    const { id, projectId, jobType } = job;
    return this.outbox.record(
      { kind, noun: 'job', nounId: id, projectId, actorId, data: { jobType, ...data } },
      // The end of one may be the start of another.
      { dispatch: kind !== 'job.deleted' },
    );
  }
}

/** What foreign programs say becomes part of causes, and may be anything. */
function storableCause(cause: JobCause | null): JobCause | null {
  return cause && { ...cause, message: toStorable(cause.message) };
}

const DELETED: JobCause = { code: 'user.cancelled', message: 'The job was deleted.' };
