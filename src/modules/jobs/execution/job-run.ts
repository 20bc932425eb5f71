import type { Readable } from 'node:stream';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import type { ArtifactsService, CompleteFile, StoreFile } from '../../artifacts/index.js';
import type { Ending, JobEndings } from '../job-endings.js';
import type { Job } from '../job.entity.js';
import type { ExecutionReporter } from './execution-reporter.js';
import type { Execution, JobExecutionsRepository } from './job-executions.repository.js';
import type { JobLogWriter } from './job-log-writer.js';

/** What an execution writes with. */
export interface JobRunTools {
  readonly executions: JobExecutionsRepository;
  readonly endings: JobEndings;
  readonly artifacts: ArtifactsService;
  readonly uow: UnitOfWork;
}

/** What a job that succeeded leaves behind. */
export type Success = Pick<Ending, 'resultantImageId' | 'result' | 'message'>;

/**
 * One execution of a job, as its work sees it. Everything it writes is refused with `LeaseLostError` once the job is in
 * other hands, or has ended.
 */
export class JobRun {
  constructor(
    readonly job: Job,
    readonly execution: Execution,
    readonly abort: AbortController,
    readonly writer: JobLogWriter,
    readonly report: ExecutionReporter,
    private readonly tools: JobRunTools,
  ) {}

  /** Aborts on cancel, lost lease or shutdown. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Adds a line of Kiln's own to the job's log. */
  note(text: string): void {
    this.writer.note(text);
  }

  /**
   * Stores a file for the result. If this execution dies, or the job ends without anything that refers to the file, the
   * file is removed by whoever comes next.
   *
   * @see ArtifactsService.storeFile
   */
  storeFile(
    projectId: string | null,
    body: Readable,
    options: Omit<StoreFile, 'signal' | 'onBegin'>,
  ): Promise<CompleteFile> {
    return this.tools.artifacts.storeFile(projectId, body, {
      ...options,
      signal: this.signal,
      onBegin: (fileId) => this.tools.executions.addResultFile(this.execution, fileId),
    });
  }

  /** Changes something in the name of the job, as long as this execution holds it. */
  change<T>(apply: (held: Job) => Promise<T>): Promise<T> {
    return this.tools.uow.run(async () => apply(await this.tools.executions.lockHeld(this.execution)));
  }

  /**
   * Ends the job well. What `apply` changes and the end of the job are one change: there is never one without the other.
   */
  async succeed(apply: (held: Job) => Promise<Success>): Promise<void> {
    await this.writer.close();
    this.signal.throwIfAborted();
    await this.change(async (held) => {
      const success = await apply(held);
      await this.tools.endings.end(held, { status: 'succeeded', cause: null, ...success }, held.userId);
    });
  }
}
