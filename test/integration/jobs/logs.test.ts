import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { type LogEvent, TooManyFollowersError } from '../../../src/modules/jobs/index.js';
import { JobLogsRepository } from '../../../src/modules/jobs/job-logs.repository.js';
import { DatabaseUnavailableError } from '../../../src/platform/database/database.errors.js';
import { aborted, aResult, FACE, JobsWorld } from './jobs-app.js';
import { eventually } from '../../support/eventually.js';

const NEVER = new AbortController().signal;

/** Everything a follower is told but that nothing happens. */
async function all(events: AsyncGenerator<LogEvent>): Promise<LogEvent[]> {
  const told: LogEvent[] = [];
  for await (const event of events) if (event.kind !== 'idle') told.push(event);
  return told;
}

describe('following a log', () => {
  let world: JobsWorld;
  beforeAll(async () => (world = await JobsWorld.open()));
  afterAll(() => world.close());

  it('tells every line once, in order, and the end, in any process', async () => {
    const worker = await world.worker({
      script: async ({ report }) => {
        for (let line = 1; line <= 2_000; line += 1) {
          report.log(`line ${line}\n`);
          if (line % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 400));
        }
        return aResult();
      },
    });
    const api = await world.worker();
    const actor = await world.member(worker);
    const job = await world.job(worker, actor);

    const following = all(await api.logs.follow(actor, FACE, job.id, 0, NEVER));
    await worker.runner.run(job.id);
    const told = await following;

    expect(told.slice(0, -1)).toEqual(
      Array.from({ length: 2_000 }, (_, index) => ({ kind: 'line', number: index + 1, text: `line ${index + 1}` })),
    );
    expect(told.at(-1)).toEqual({ kind: 'end', status: 'succeeded', state: 'success' });
  });

  it('tells a line once of which the writer does not know whether it was kept', async () => {
    const worker = await world.worker({
      script: async ({ report, order }) => {
        report.log('first\n');
        await eventually(async () => (await kept(order.jobId)) === 'first\n');
        report.log('second\n');
        await eventually(async () => (await kept(order.jobId)) === 'first\nsecond\n');
        return aResult();
      },
    });
    const kept = async (jobId: string) =>
      (await worker.database.query<{ text: string }>('SELECT text FROM job_log_chunks WHERE job_id = $1', [jobId]))
        .map(({ text }) => text)
        .join('');
    const repository = worker.app.get(JobLogsRepository, { strict: false });
    const append = repository.append.bind(repository);
    jest.spyOn(repository, 'append').mockImplementationOnce(async (...chunk) => {
      await append(...chunk);
      throw new DatabaseUnavailableError(new Error('the answer was lost'));
    });
    const actor = await world.member(worker);
    const job = await world.job(worker, actor);

    await worker.runner.run(job.id);

    expect((await worker.jobs.get(actor, FACE, job.id)).status).toBe('succeeded');
    expect(await kept(job.id)).toBe('first\nsecond\n');
  });

  it('ends when the follower leaves, and when the process stops', async () => {
    const worker = await world.worker({ script: ({ signal }) => aborted(signal) });
    const actor = await world.member(worker);
    const job = await world.job(worker, actor);
    const left = new AbortController();
    const leaving = all(await worker.logs.follow(actor, FACE, job.id, 0, left.signal));
    const staying = all(await worker.logs.follow(actor, FACE, job.id, 0, NEVER));

    left.abort();
    expect(await leaving).toEqual([]);
    worker.logs.beforeApplicationShutdown();
    expect(await staying).toEqual([]);
  });

  it('is refused when too many do it already, and possible again when they have left', async () => {
    const app = await world.worker();
    const actor = await world.member(app);
    const job = await world.job(app, actor);
    const left = new AbortController();
    const follow = async () => app.logs.follow(actor, FACE, job.id, 0, left.signal);
    const following = [];
    for (let count = 0; count < 200; count += 1) following.push(all(await follow()));

    await expect(follow()).rejects.toThrow(TooManyFollowersError);
    left.abort();
    await Promise.all(following);

    const again = new AbortController();
    const events = await eventually(() => app.logs.follow(actor, FACE, job.id, 0, again.signal));
    again.abort();
    expect(await all(events)).toEqual([]);
  });
});
