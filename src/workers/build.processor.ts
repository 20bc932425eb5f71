import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { BUILDS_QUEUE, JobRunner } from '../modules/jobs/index.js';
import { TaskQueue } from '../platform/queue/task-queue.js';

/** Hands ids of jobs from the queue to whoever runs them. */
@Injectable()
export class BuildProcessor {
  constructor(
    private readonly queue: TaskQueue,
    private readonly runner: JobRunner,
    private readonly config: Config,
  ) {}

  start(): void {
    this.queue.process(BUILDS_QUEUE, this.config.builds.concurrency, (jobId) => this.runner.run(jobId));
  }
}
