import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventDispatcher } from '../../platform/events/event-dispatcher.js';
import { TaskQueue } from '../../platform/queue/task-queue.js';
import { Ledger } from '../tenancy/index.js';
import { JobExecutionsRepository, type QueuedJob } from './execution/job-executions.repository.js';
import { JOB_TYPES, type JobType } from './job-state.js';

/** Carries ids of jobs to build. */
export const BUILDS_QUEUE = 'builds';
/** Carries ids of jobs that change an image: most of their time they wait for people, and builds must not wait for these. */
export const CUSTOMIZE_QUEUE = 'customize';
/** Carries ids of jobs that move bytes, which must not wait for builds that take an hour. */
export const TRANSFERS_QUEUE = 'transfers';

const QUEUES: Partial<Record<JobType, string>> = { create: BUILDS_QUEUE, customize: CUSTOMIZE_QUEUE };

/** How many lost tasks of a type one look finds; the oldest first, so that later looks find the rest in order. */
const AT_ONCE = 100;
const MOST_KICKED = 20;

/**
 * Puts ids of jobs on the queue. One too many does no harm: whoever takes it finds nothing to do. The queue may be
 * emptied at any time; `recover` fills it again from the rows.
 */
@Injectable()
export class JobQueue implements OnModuleInit {
  constructor(
    private readonly queue: TaskQueue,
    private readonly executions: JobExecutionsRepository,
    private readonly ledger: Ledger,
    private readonly events: EventDispatcher,
  ) {}

  onModuleInit(): void {
    this.events.on('job.created', ({ nounId, data }) => this.enqueue(toQueued(nounId, data)));
    this.events.on('job.requeued', ({ nounId, data, id }) => this.enqueue(toQueued(nounId, data), `event-${id}`));
    for (const status of ['succeeded', 'failed', 'cancelled']) {
      this.events.on(`job.${status}`, async ({ projectId, id }) => {
        if (projectId !== null) await this.enqueueWaiting(projectId, `event-${id}`);
      });
    }
  }

  /**
   * @param reason tells apart tasks that must not be folded into one that is being handled at this moment, whose handler
   *   has perhaps already seen that there is nothing to do
   */
  async enqueue({ id, jobType }: QueuedJob, reason?: string): Promise<void> {
    const queue = QUEUES[jobType] ?? TRANSFERS_QUEUE;
    await this.queue.add(queue, id, reason === undefined ? id : `${id}-${reason}`);
  }

  /** A job of the project has ended: those that waited for its place may start. */
  async enqueueWaiting(projectId: string, reason: string): Promise<void> {
    const usage = await this.ledger.find(projectId, 'running_jobs');
    // Without a limit nobody waits.
    if (usage?.maximum == null) return;
    const places = Math.min(usage.maximum - usage.used, MOST_KICKED);
    if (places <= 0) return;
    for (const job of await this.executions.findQueuedOf(projectId, places)) await this.enqueue(job, reason);
  }

  /** Puts jobs back on the queue whose executions have gone silent, or whose tasks were lost. */
  async recover(): Promise<void> {
    for (const job of await this.executions.findExpired(AT_ONCE)) {
      await this.enqueue(job, `after-${job.fencingNumber}`);
    }
    // Each type by itself: one that may not run now must not keep the others from being found.
    for (const type of JOB_TYPES) {
      for (const job of await this.executions.findQueued(type, AT_ONCE)) await this.enqueue(job);
    }
  }
}

function toQueued(id: string, { jobType }: Readonly<Record<string, unknown>>): QueuedJob {
  return { id, jobType: jobType as JobType };
}
