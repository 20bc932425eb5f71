import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Transform, type Readable } from 'node:stream';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { UnavailableError } from '../../../common/errors.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { Log } from '../../../platform/logging/log.js';
import { ArtifactsService, type CompleteFile } from '../../artifacts/index.js';
import { type BuiltArtifact, type BuiltImage, BuiltImagesService } from '../../images/index.js';
import { Ledger, LimitExceededError } from '../../tenancy/index.js';
import { Builder, type BuildOrder, type BuildResult, type BuiltFile } from '../builder.js';
import { JobEndings } from '../job-endings.js';
import { JobLogsRepository } from '../job-logs.repository.js';
import { JobSignals } from '../job-signals.js';
import type { Job } from '../job.entity.js';
import { LeaseLostError } from '../jobs.errors.js';
import type { JobCause } from '../jobs.types.js';
import { causeOf } from './causes.js';
import { ExecutionReporter } from './execution-reporter.js';
import { type Execution, JobExecutionsRepository } from './job-executions.repository.js';
import { JobLogWriter } from './job-log-writer.js';
import { LeaseKeeper } from './lease-keeper.js';

/** Executions of one job before it is given up: each of them ended because its process went away. */
export const MOST_ATTEMPTS = 3;
/** How long a process that stops waits for its builds to be gone. */
const SHUTDOWN_MS = 30_000;

const LOST: JobCause = {
  code: 'executor.lost',
  message: `The job was started ${MOST_ATTEMPTS} times, and every time the worker that ran it went away.`,
};

/** This process stops; what it runs goes back to the queue. */
class WorkerStoppingError extends Error {}

interface Running {
  readonly job: Job;
  readonly execution: Execution;
  readonly abort: AbortController;
  readonly writer: JobLogWriter;
  readonly reporter: ExecutionReporter;
}

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
    private readonly builder: Builder,
    private readonly executions: JobExecutionsRepository,
    private readonly logs: JobLogsRepository,
    private readonly endings: JobEndings,
    private readonly signals: JobSignals,
    private readonly artifacts: ArtifactsService,
    private readonly builtImages: BuiltImagesService,
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
      if (!job) return null;
      if (job.status === 'running' && job.attempt >= MOST_ATTEMPTS) {
        await this.endings.end(job, { status: 'failed', cause: LOST }, null);
        return null;
      }
      if (job.status === 'queued' && !(await this.startCounting(job))) return null;
      const leased = await this.executions.lease(jobId, this.owner, this.config.builds.leaseMs);
      await this.record('job.started', leased, false);
      this.endings.logTransition(job, 'running', `attempt ${leased.attempt}`);
      return leased;
    });
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
      const reporter = new ExecutionReporter(job, execution, this.executions, this.outbox, this.uow, writer, fail);
      await this.settling({ job, execution, abort, writer, reporter });
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

  private async settling(running: Running): Promise<void> {
    try {
      await this.build(running);
    } catch (error) {
      const { signal } = running.abort;
      await this.settleFailure(running, signal.aborted ? signal.reason : error);
    } finally {
      running.reporter.stop();
      await running.writer.close();
    }
  }

  private async build(running: Running): Promise<void> {
    const { job, abort, writer, reporter } = running;
    if (job.attempt > 1)
      writer.note(`attempt ${job.attempt} of ${MOST_ATTEMPTS}: the worker before this one went away`);
    if (this.stopping) abort.abort(new WorkerStoppingError('the worker stops'));
    abort.signal.throwIfAborted();
    await this.discardEarlier(running);
    const recipe = await this.artifacts.getFile(job.recipeFileId!);
    const source = new RecipeSource(() => this.artifacts.open(recipe), recipe.sha256);
    const result = await this.builder.build(orderOf(job, recipe), () => source.open(), reporter, abort.signal);
    try {
      await this.keep(running, result, () => source.sha256);
    } finally {
      await result.dispose();
    }
  }

  /** Else the project would pay for what executions stored that did not live to finish. */
  private async discardEarlier({ job, execution }: Running): Promise<void> {
    if (job.resultFileIds.length === 0) return;
    for (const fileId of job.resultFileIds) await this.artifacts.discard(fileId);
    await this.executions.clearResultFiles(execution);
  }

  private async keep(running: Running, result: BuildResult, recipeSha256: () => string | null): Promise<void> {
    const stored: CompleteFile[] = [];
    try {
      const artifacts: BuiltArtifact[] = [];
      for (const built of result.files) {
        const file = await this.store(running, built);
        stored.push(file);
        artifacts.push({ role: built.role, file });
      }
      const image = imageOf(running.job, artifacts, recipeSha256());
      const manifest = await this.builtImages.storeManifest(image);
      stored.push(manifest);
      await this.finish(running, image, manifest);
    } catch (error) {
      // Nothing happens to files that an image has after all, because only the answer to the commit was lost.
      for (const { id } of stored) await this.artifacts.discard(id);
      throw error;
    }
  }

  private async store({ job, execution, abort }: Running, built: BuiltFile): Promise<CompleteFile> {
    abort.signal.throwIfAborted();
    const body = await built.open();
    try {
      return await this.artifacts.storeFile(job.projectId, body, {
        sizeBytes: built.sizeBytes,
        charge: true,
        signal: abort.signal,
        onBegin: (fileId) => this.executions.addResultFile(execution, fileId),
      });
    } finally {
      body.destroy();
    }
  }

  /** The image and the end of its job are one change: there is never one without the other. */
  private async finish({ job, execution, abort, writer }: Running, image: BuiltImage, manifest: CompleteFile) {
    await writer.close();
    abort.signal.throwIfAborted();
    await this.uow.run(async () => {
      const held = await this.executions.lockHeld(execution);
      const resultantImageId = await this.builtImages.register(image, manifest);
      await this.endings.end(held, { status: 'succeeded', cause: null, resultantImageId }, job.userId);
    });
  }

  private async settleFailure(running: Running, reason: unknown): Promise<void> {
    const { job, writer } = running;
    try {
      if (reason instanceof LeaseLostError) {
        this.log.info('an execution stopped, since it no longer has its job', {
          job_id: job.id,
          reason: reason.message,
        });
      } else if (reason instanceof WorkerStoppingError) {
        writer.note('the worker stops; the job goes back to the queue');
        await writer.close();
        await this.handBack(running);
      } else if (reason instanceof UnavailableError && job.attempt < MOST_ATTEMPTS) {
        writer.note(`${reason.message}; the job will be tried again`);
        await writer.close();
        await this.retry(running, reason);
      } else await this.fail(running, reason);
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error;
    }
  }

  private async fail({ job, execution, writer }: Running, reason: unknown): Promise<void> {
    const cause = causeOf(reason);
    if (cause.unexpected) this.log.error('a build failed unexpectedly', { error: reason, job_id: job.id });
    writer.note(cause.message);
    await writer.close();
    await this.uow.run(async () => {
      const held = await this.executions.lockHeld(execution);
      await this.endings.end(held, { status: 'failed', cause }, null);
    });
  }

  private async handBack({ job, execution }: Running): Promise<void> {
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
  private async retry({ job, execution }: Running, reason: UnavailableError): Promise<void> {
    await this.uow.run(async () => {
      await this.executions.lockHeld(execution);
      await this.executions.dropLease(job.id);
    });
    this.log.warn('a job will be tried again', { error: reason, job_id: job.id });
  }

  private record(kind: string, job: Job, dispatch: boolean): Promise<void> {
    const { id, projectId, attempt } = job;
    return this.outbox.record(
      { kind, noun: 'job', nounId: id, projectId, actorId: null, data: { attempt } },
      { dispatch },
    );
  }
}

function orderOf(job: Job, recipe: CompleteFile): BuildOrder {
  return {
    jobId: job.id,
    // Not the count of attempts, which a job that was handed back has twice.
    attempt: job.fencingNumber,
    recipeType: job.recipeType as BuildOrder['recipeType'],
    arch: job.arch as BuildOrder['arch'],
    template: job.templateDictionary ?? [],
    kernelFileName: job.kernelFileName!,
    initrdFileName: job.initrdFileName!,
    kernelParametersFileName: job.kernelParametersFileName!,
    requireDkms: job.requireDkms,
    enableDebug: job.enableDebug,
    recipeSizeBytes: recipe.sizeBytes,
  };
}

function imageOf(job: Job, artifacts: readonly BuiltArtifact[], recipeSha256: string | null): BuiltImage {
  return {
    imageId: job.targetImageId,
    projectId: job.projectId,
    actorId: job.userId,
    name: job.imageRootArchiveName!,
    arch: job.arch,
    jobId: job.id,
    recipeId: job.recipeId,
    recipeSha256,
    artifacts,
  };
}

/** The recipe's archive, whose checksum belongs to the image's provenance. */
class RecipeSource {
  constructor(
    private readonly opened: () => Promise<Readable>,
    public sha256: string | null,
  ) {}

  async open(): Promise<Readable> {
    const body = await this.opened();
    if (this.sha256 !== null) return body;
    const hash = createHash('sha256');
    const noted = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        hash.update(chunk);
        done(null, chunk);
      },
      flush: (done) => {
        this.sha256 = hash.digest('hex');
        done();
      },
    });
    body.on('error', (error) => noted.destroy(error));
    noted.on('close', () => body.destroy());
    return body.pipe(noted);
  }
}
