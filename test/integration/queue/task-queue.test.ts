import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Log } from '../../../src/platform/logging/log.js';
import { type QueueAddress, TaskQueue } from '../../../src/platform/queue/task-queue.js';
import '../../../src/platform/database/data-source.js';
import { testDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { describeWith } from '../../support/programs.js';
import { startRedis } from '../../support/servers/redis.js';

/** Where a queue is, for the tests of one file. */
type Open = () => Promise<{ address: QueueAddress; close(): Promise<void> }>;

function behavesAsQueue(open: Open): void {
  let address: QueueAddress;
  let close: () => Promise<void>;
  const queues: TaskQueue[] = [];
  let names = 0;

  beforeAll(async () => ({ address, close } = await open()));
  afterAll(async () => {
    await Promise.all(queues.map((queue) => queue.onApplicationShutdown()));
    await close();
  });

  /** As one process has it. */
  function aQueue(): TaskQueue {
    const queue = new TaskQueue(address, new Log('fatal'));
    queues.push(queue);
    return queue;
  }

  const aName = (): string => `test-${(names += 1)}`;

  it('hands each id to one of the processes that take from the queue', async () => {
    const name = aName();
    const [producer, first, second] = [aQueue(), aQueue(), aQueue()];
    const seen: string[] = [];
    for (const consumer of [first, second]) consumer.process(name, 2, async (id) => void seen.push(id));
    const ids = Array.from({ length: 20 }, (_, number) => `id-${number}`);

    await Promise.all(ids.map((id) => producer.add(name, id)));

    await eventually(() => seen.length >= ids.length);
    expect([...seen].sort()).toEqual([...ids].sort());
  });

  it('folds what waits already, unless another key tells it apart', async () => {
    const name = aName();
    const queue = aQueue();

    await queue.add(name, 'a');
    await queue.add(name, 'a');
    await queue.add(name, 'b');
    await queue.add(name, 'a', 'a-again');

    expect(await queue.waiting(name)).toBe(3);
  });

  it('takes an id again once it has been handled', async () => {
    const name = aName();
    const queue = aQueue();
    const seen: string[] = [];
    queue.process(name, 1, async (id) => void seen.push(id));

    await queue.add(name, 'a');
    await eventually(() => seen.length === 1);
    // The task is gone a moment after its handler has returned. More than one of those that are added may be handled by then.
    await eventually(async () => {
      await queue.add(name, 'a');
      return seen.length > 1;
    });

    expect(new Set(seen)).toEqual(new Set(['a']));
  });

  it('keeps nothing of a task whose handler failed', async () => {
    const name = aName();
    const queue = aQueue();
    const seen: string[] = [];
    queue.process(name, 1, async (id) => {
      seen.push(id);
      if (seen.length === 1) throw new Error('the handler failed');
    });

    await queue.add(name, 'a');
    await eventually(async () => {
      await queue.add(name, 'a');
      return seen.length >= 2;
    });

    await eventually(async () => (await queue.waiting(name)) === 0);
  });

  it('is empty after a flush, and takes ids again', async () => {
    const name = aName();
    const queue = aQueue();
    await Promise.all(['a', 'b', 'c'].map((id) => queue.add(name, id)));
    expect(await queue.waiting(name)).toBe(3);

    await queue.flush(name);
    expect(await queue.waiting(name)).toBe(0);

    const seen: string[] = [];
    queue.process(name, 1, async (id) => void seen.push(id));
    await queue.add(name, 'a');
    await eventually(() => seen.length === 1);
  });

  it('gives the task of a process that went away to another one', async () => {
    const name = aName();
    const [dying, other] = [aQueue(), aQueue()];
    const taken: string[] = [];
    dying.process(name, 1, (id) => {
      taken.push(id);
      return new Promise(() => undefined);
    });
    await dying.add(name, 'a');
    await eventually(() => taken.length === 1);
    const seen: string[] = [];
    other.process(name, 1, async (id) => void seen.push(id));

    // Its lock is not renewed any more.
    await dying.onApplicationShutdown();

    await eventually(() => seen.length === 1, 120_000);
  });
}

describe('the task queue on PostgreSQL', () => {
  behavesAsQueue(async () => {
    const database = await testDatabase();
    return { address: { kind: 'postgres', url: database.url }, close: () => database.drop() };
  });
});

describeWith(['redis-server'], 'the task queue on Redis', () => {
  behavesAsQueue(async () => {
    const redis = await startRedis();
    return { address: { kind: 'redis', url: redis.url }, close: () => redis.stop() };
  });
});
