import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { UnavailableError } from '../../../common/errors.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { Log } from '../../../platform/logging/log.js';
import { ArtifactsService } from '../../artifacts/index.js';
import { Ledger, LimitExceededError } from '../../tenancy/index.js';
import { JobEndings } from '../job-endings.js';
import { JobLogsRepository } from '../job-logs.repository.js';
import { JobSignals } from '../job-signals.js';
import type { Job } from '../job.entity.js';
import type { JobType } from '../job-state.js';
import { LeaseLostError } from '../jobs.errors.js';
import type { JobCause } from '../jobs.types.js';
import { causeOf } from './causes.js';
import { ExecutionProgress } from './execution-progress.js';
import { ExecutionReporter } from './execution-reporter.js';
import { type Execution, JobExecutionsRepository } from './job-executions.repository.js';
import { JobLogWriter } from './job-log-writer.js';
import { JobRun } from './job-run.js';
import { type JobWork, JobWorks } from './job-work.js';
import { LeaseKeeper } from './lease-keeper.js';

/** Executions of one job before it is given up: each of them ended because its process went away. */
export const MOST_ATTEMPTS = 3;
/** How long a process that stops waits for its jobs to be gone. */
const SHUTDOWN_MS = 30_000;

const LOST: JobCause = {
  code: 'executor.lost',
  message: `The job was started ${MOST_ATTEMPTS} times, and every time the worker that ran it went away.`,
};

/** This process stops; what it runs goes back to the queue. */
class WorkerStoppingError extends Error {}

/**
 * Runs jobs. Any number of processes may be given the same job at the same time: one gets its lease, and every write
 * of an execution is refused once another has it or the job was ended.
 */
@Injectable()
export class JobRunner implements BeforeApplicationShutdown {
  private readonly owner = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  private readonly aborts = new Map<string, AbortController>();
  private readonly executing = new Set<Promise<void>>();
  private stopping = false;

  constructor(
    private readonly works: JobWorks,
    private readonly executions: JobExecutionsRepository,
    private readonly progress: ExecutionProgress,
    private readonly logs: JobLogsRepository,
    private readonly endings: JobEndings,
    private readonly signals: JobSignals,
    private readonly artifacts: ArtifactsService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /**
   * Runs a job to its end, if it is there to be run: queued, or left by an execution whose lease has run out. Otherwise
   * does nothing; neither does it when the project runs as many jobs as it may. Failures of the job are the job's.
   */
  async run(jobId: string): Promise<void> {
    if (this.stopping || this.aborts.has(jobId)) return;
    await this.signals.listen((stopped) =>
      this.aborts.get(stopped)?.abort(new LeaseLostError(stopped, 'it was ended')),
    );
    const takenAt = performance.now();
    const job = await this.take(jobId);
    if (!job) return;
    const executing = this.execute(job, takenAt);
    this.executing.add(executing);
    await executing.finally(() => this.executing.delete(executing));
  }

  /** Ends what runs here, and puts it back on the queue. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    for (const abort of this.aborts.values()) abort.abort(new WorkerStoppingError('the worker stops'));
    const deadline = new AbortController();
    await Promise.race([
      Promise.allSettled(this.executing),
      delay(SHUTDOWN_MS, undefined, { signal: deadline.signal }).catch(() => undefined),
    ]);
    deadline.abort();
    await this.signals.close();
  }

  private take(jobId: string): Promise<Job | null> {
    return this.uow.run(async () => {
      const job = await this.executions.lockStartable(jobId);
      if (!job || !this.works.find(job.jobType)) return null;
      if (job.status === 'running' && job.attempt >= MOST_ATTEMPTS) {
        await this.endings.end(job, { status: 'failed', cause: LOST }, null);
        return null;
      }
      if (job.status === 'queued' && !((await this.hasPlace(job)) && (await this.startCounting(job)))) return null;
      const leased = await this.executions.lease(jobId, this.owner, this.config.builds.leaseMs);
      await this.record('job.started', leased, false);
      this.endings.logTransition(job, 'running', `attempt ${leased.attempt}`);
      return leased;
    });
  }

  /**
   * Whether another job of the type may run at all; one that may not waits until a sweep finds it a place. Builds and what
   * may wait for people are counted apart: no build is to wait for somebody who has left a shell open.
   */
  private async hasPlace({ jobType }: Job): Promise<boolean> {
    const { runningMax, customizingMax } = this.config.builds;
    const limits: Partial<Record<JobType, number | undefined>> = { create: runningMax, customize: customizingMax };
    const most = limits[jobType];
    return most === undefined || (await this.executions.countRunning(jobType, most)) < most;
  }

  /** Whether the project may run another job. */
  private async startCounting({ projectId }: Job): Promise<boolean> {
    try {
      await this.ledger.reserve(projectId, 'running_jobs', 1);
    } catch (error) {
      if (error instanceof LimitExceededError) return false;
      throw error;
    }
    await this.ledger.release(projectId, 'queued_jobs', 1);
    return true;
  }

  private async execute(job: Job, takenAt: number): Promise<void> {
    const execution: Execution = { jobId: job.id, fencingNumber: job.fencingNumber };
    const abort = new AbortController();
    this.aborts.set(job.id, abort);
    const keeper = this.keepLease(execution, abort, takenAt);
    try {
      const writer = await JobLogWriter.open(this.logs, execution, this.config.builds.logBytes, (error) =>
        abort.abort(error),
      );
      const fail = (error: unknown): void => {
        if (error instanceof LeaseLostError) abort.abort(error);
      };
      const reporter = new ExecutionReporter(job, execution, this.progress, writer, fail);
      const { executions, endings, artifacts, uow } = this;
      const tools = { executions, endings, artifacts, uow };
      await this.settling(new JobRun(job, execution, abort, writer, reporter, tools));
    } catch (error) {
      this.log.warn('a job is left to whoever takes it next', { error, job_id: job.id });
    } finally {
      keeper.stop();
      this.aborts.delete(job.id);
    }
  }

  private keepLease(execution: Execution, abort: AbortController, takenAt: number): LeaseKeeper {
    const { leaseMs } = this.config.builds;
    return new LeaseKeeper(
      {
        jobId: execution.jobId,
        leaseMs,
        renew: () => this.executions.renew(execution, leaseMs),
        isHeld: () => this.executions.isHeld(execution),
        lost: (error) => abort.abort(error),
        trouble: (error) =>
          this.log.warn('a lease could not be renewed; trying again', { error, job_id: execution.jobId }),
      },
      takenAt,
    );
  }

  private async settling(run: JobRun): Promise<void> {
    const work = this.works.find(run.job.jobType)!;
    try {
      await this.begin(run);
      await work.run(run);
    } catch (error) {
      await this.settleFailure(run, work, run.signal.aborted ? run.signal.reason : error);
    } finally {
      run.report.stop();
      await run.writer.close();
    }
  }

  private async begin(run: JobRun): Promise<void> {
    const { job, abort } = run;
    if (job.attempt > 1) run.note(`attempt ${job.attempt} of ${MOST_ATTEMPTS}: an earlier execution did not finish`);
    if (this.stopping) abort.abort(new WorkerStoppingError('the worker stops'));
    abort.signal.throwIfAborted();
    await this.discardEarlier(run);
  }

  /** Else the project would pay for what executions stored that did not live to finish. */
  private async discardEarlier({ job, execution }: JobRun): Promise<void> {
    if (job.resultFileIds.length === 0) return;
    for (const fileId of job.resultFileIds) await this.artifacts.discard(fileId);
    await this.executions.clearResultFiles(execution);
  }

  private async settleFailure(run: JobRun, work: JobWork, reason: unknown): Promise<void> {
    const { job, writer } = run;
    try {
      if (reason instanceof LeaseLostError) {
        this.log.info('an execution stopped, since it no longer has its job', {
          job_id: job.id,
          reason: reason.message,
        });
      } else if (reason instanceof WorkerStoppingError) {
        run.note('the worker stops; the job goes back to the queue');
        await writer.close();
        await this.handBack(run);
      } else if (work.mayPass(reason) && job.attempt < MOST_ATTEMPTS) {
        run.note(`${(reason as Error).message}; the job will be tried again`);
        await writer.close();
        await this.retry(run, reason);
      } else await this.fail(run, work, reason);
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error;
    }
  }

  private async fail({ job, execution, writer }: JobRun, work: JobWork, reason: unknown): Promise<void> {
    const cause = causeOf(work, reason);
    if (cause.unexpected) this.log.error('a job failed unexpectedly', { error: reason, job_id: job.id });
    await writer.close();
    try {
      await this.endFailed(execution, cause);
    } catch (error) {
      if (error instanceof UnavailableError || error instanceof LeaseLostError) throw error;
      // Whoever took it next would fail to end it in the same way, and it would end as if its workers had died.
      this.log.error('a job could not end with its cause', { error, job_id: job.id });
      await this.endFailed(execution, work.unexpected);
    }
  }

  private async endFailed(execution: Execution, cause: JobCause): Promise<void> {
    await this.uow.run(async () => {
      const held = await this.executions.lockHeld(execution);
      await this.endings.end(held, { status: 'failed', cause }, null);
    });
  }

  private async handBack({ job, execution }: JobRun): Promise<void> {
    await this.uow.run(async () => {
      const held = await this.executions.lockHeld(execution);
      await this.executions.handBack(job.id);
      await this.ledger.release(job.projectId, 'running_jobs', 1);
      await this.ledger.putBack(job.projectId, 'queued_jobs', 1);
      await this.record('job.requeued', job, true);
      this.endings.logTransition(held, 'queued', 'the worker stops');
    });
  }

  /** Somebody (perhaps this process) takes it at the next look for silent executions. */
  private async retry({ job, execution }: JobRun, reason: unknown): Promise<void> {
    await this.uow.run(async () => {
      await this.executions.lockHeld(execution);
      await this.executions.dropLease(job.id);
    });
    this.log.warn('a job will be tried again', { error: reason, job_id: job.id });
  }

  private record(kind: string, job: Job, dispatch: boolean): Promise<void> {
    const { id, projectId, attempt, jobType } = job;
    return this.outbox.record(
      { kind, noun: 'job', nounId: id, projectId, actorId: null, data: { attempt, jobType } },
      { dispatch },
    );
  }
}
