import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventDispatcher } from '../../platform/events/event-dispatcher.js';
import { TaskQueue } from '../../platform/queue/task-queue.js';
import { Ledger } from '../tenancy/index.js';
import { JobExecutionsRepository } from './execution/job-executions.repository.js';

/** The queue that carries ids of jobs to build. */
export const BUILDS_QUEUE = 'builds';

/** How many lost tasks one look finds; the oldest first, so that later looks find the rest in order. */
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
    this.events.on('job.created', ({ nounId }) => this.enqueue(nounId));
    this.events.on('job.requeued', ({ nounId, id }) => this.enqueue(nounId, `event-${id}`));
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
  async enqueue(jobId: string, reason?: string): Promise<void> {
    await this.queue.add(BUILDS_QUEUE, jobId, reason === undefined ? jobId : `${jobId}-${reason}`);
  }

  /** A job of the project has ended: those that waited for its place may start. */
  async enqueueWaiting(projectId: string, reason: string): Promise<void> {
    const usage = await this.ledger.find(projectId, 'running_jobs');
    // Without a limit nobody waits.
    if (usage?.maximum == null) return;
    const places = Math.min(usage.maximum - usage.used, MOST_KICKED);
    if (places <= 0) return;
    for (const jobId of await this.executions.findQueuedOf(projectId, places)) await this.enqueue(jobId, reason);
  }

  /** Puts jobs back on the queue whose executions have gone silent, or whose tasks were lost. */
  async recover(): Promise<void> {
    for (const { id, fencingNumber } of await this.executions.findExpired(AT_ONCE)) {
      await this.enqueue(id, `after-${fencingNumber}`);
    }
    for (const id of await this.executions.findQueued(AT_ONCE)) await this.enqueue(id);
  }
}
