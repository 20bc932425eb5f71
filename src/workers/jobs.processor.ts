import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { BUILDS_QUEUE, CUSTOMIZE_QUEUE, JobRunner, TRANSFERS_QUEUE } from '../modules/jobs/index.js';
import { TaskQueue } from '../platform/queue/task-queue.js';

/** Hands ids of jobs from the queues to whoever runs them. */
@Injectable()
export class JobsProcessor {
  constructor(
    private readonly queue: TaskQueue,
    private readonly runner: JobRunner,
    private readonly config: Config,
  ) {}

  start(): void {
    const run = (jobId: string): Promise<void> => this.runner.run(jobId);
    this.queue.process(BUILDS_QUEUE, this.config.builds.concurrency, run);
    this.queue.process(CUSTOMIZE_QUEUE, this.config.builds.customizeConcurrency, run);
    this.queue.process(TRANSFERS_QUEUE, this.config.imports.concurrency, run);
  }
}
