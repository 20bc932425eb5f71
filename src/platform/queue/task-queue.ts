import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { createPostgresBackend, Queue, Worker, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import { Log } from '../logging/log.js';

/** Where the queues are: Redis, or a schema of its own in PostgreSQL. */
export type QueueAddress =
  { readonly kind: 'redis'; readonly url: string } | { readonly kind: 'postgres'; readonly url: string };

/** A handler may run twice for one task, also at the same time; the row behind the id decides. */
export type TaskHandler = (id: string) => Promise<void>;

interface TaskData {
  readonly id: string;
}

interface Consumer {
  close(force?: boolean): Promise<void>;
}

interface Producer {
  add(name: string, data: TaskData, options: object): Promise<unknown>;
  getWaitingCount(): Promise<number>;
  obliterate(options: { force: boolean }): Promise<void>;
  close(): Promise<void>;
}

/** A worker that died gives up its task after this long. Rows have leases of their own, so this is only a hint. */
const LOCK_MS = 15_000;
const POSTGRES_SCHEMA = 'bullmq';

/**
 * Carries ids to workers: BullMQ on Redis or on PostgreSQL. A lost task loses nothing, since sweeps add it again from
 * the rows.
 */
@Injectable()
export class TaskQueue implements OnApplicationShutdown {
  private readonly producers = new Map<string, Producer>();
  private readonly consumers: Consumer[] = [];
  private readonly redisConnections: Redis[] = [];

  constructor(
    private readonly address: QueueAddress,
    private readonly log: Log,
  ) {}

  /**
   * Adds a task. Adding a task that already waits or runs under the same key does nothing.
   *
   * @param key tells apart executions of one id that must not be folded; by default the id itself
   */
  async add(queue: string, id: string, key: string = id): Promise<void> {
    await this.producer(queue).add(queue, { id }, { jobId: key, removeOnComplete: true, removeOnFail: true });
  }

  /** Takes tasks from a queue until shutdown, `concurrency` at once. */
  process(queue: string, concurrency: number, handler: TaskHandler): void {
    const work = async (task: { data: TaskData }): Promise<void> => handler(task.data.id);
    const options = { concurrency, lockDuration: LOCK_MS, stalledInterval: LOCK_MS / 2, maxStalledCount: 1_000 };
    const worker =
      this.address.kind === 'redis'
        ? new Worker<TaskData>(queue, work, { ...options, connection: this.redis() })
        : new (withBackend(createPostgresBackend).Worker)<TaskData>(queue, work, {
            ...options,
            connection: this.postgres(),
          });
    worker.on('error', (error: Error) => this.log.warn('the queue has trouble; it tries again', { error, queue }));
    worker.on('failed', (_task: unknown, error: Error) => this.log.error('a task failed', { error, queue }));
    this.consumers.push(worker);
  }

  /** Number of tasks that wait in a queue. */
  waiting(queue: string): Promise<number> {
    return this.producer(queue).getWaitingCount();
  }

  /** Throws every task of a queue away; for tests of what mends it, and for operators. */
  flush(queue: string): Promise<void> {
    return this.producer(queue).obliterate({ force: true });
  }

  /** Stops taking tasks; running handlers are not waited for (they follow the application's own shutdown). */
  async onApplicationShutdown(): Promise<void> {
    await Promise.allSettled(this.consumers.map((consumer) => consumer.close(true)));
    await Promise.allSettled([...this.producers.values()].map((producer) => producer.close()));
    this.redisConnections.forEach((connection) => connection.disconnect());
  }

  private producer(name: string): Producer {
    const known = this.producers.get(name);
    if (known) return known;
    const queue =
      this.address.kind === 'redis'
        ? new Queue<TaskData>(name, { connection: this.redis() })
        : new (withBackend(createPostgresBackend).Queue)<TaskData>(name, { connection: this.postgres() });
    queue.on('error', (error: Error) => this.log.warn('the queue has trouble; it tries again', { error, queue: name }));
    this.producers.set(name, queue);
    return queue;
  }

  private postgres(): never {
    return { connectionString: this.address.url, schema: POSTGRES_SCHEMA, migrate: true, max: 4 } as never;
  }

  private redis(): Redis {
    // BullMQ blocks on its connections and insists on waiting for ever for a Redis that is away.
    const connection = new Redis(this.address.url, { maxRetriesPerRequest: null });
    connection.on('error', (error) => this.log.warn('Redis does not answer; trying again', { error }));
    this.redisConnections.push(connection);
    return connection;
  }
}
