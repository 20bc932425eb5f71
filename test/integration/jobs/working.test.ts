import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BUILDS_QUEUE, type Job } from '../../../src/modules/jobs/index.js';
import { eventually } from '../../support/eventually.js';
import { abandon, aResult, atOnce, FACE, held, JobsWorld } from './jobs-app.js';

const WITHIN_MS = 120_000;

describe('workers with queue, events and sweeps', () => {
  let world: JobsWorld;
  beforeAll(async () => (world = await JobsWorld.open()));
  afterAll(() => world.close());

  it('builds a job that was accepted while no worker ran', async () => {
    const api = await world.worker();
    const actor = await world.member(api);
    const job = await world.job(api, actor);

    const worker = await world.worker({ working: true });

    await eventually(async () => (await api.jobs.get(actor, FACE, job.id)).status === 'succeeded', WITHIN_MS);
    await worker.app.close();
  });

  it('builds queued jobs although the queue is emptied', async () => {
    const { gate, release } = held();
    const worker = await world.worker({
      working: true,
      env: { KILN_BUILD_CONCURRENCY: '1' },
      script: async () => gate.then(() => aResult()),
    });
    const actor = await world.member(worker);
    const jobs = [await world.job(worker, actor), await world.job(worker, actor), await world.job(worker, actor)];
    await eventually(async () => (await worker.taskQueue.waiting(BUILDS_QUEUE)) === 2);

    // Again where the sweep that brings them back was faster than the look.
    await eventually(async () => {
      await worker.taskQueue.flush(BUILDS_QUEUE);
      return (await worker.taskQueue.waiting(BUILDS_QUEUE)) === 0;
    });
    release();

    await eventually(async () => {
      const found = await Promise.all(jobs.map(({ id }) => worker.jobs.get(actor, FACE, id)));
      return found.every(({ status }) => status === 'succeeded');
    }, WITHIN_MS);
    await worker.app.close();
  });

  it('takes over the job of a worker that died', async () => {
    const api = await world.worker();
    const actor = await world.member(api);
    const job = await world.job(api, actor);
    await abandon(api, job, 1);

    const worker = await world.worker({ working: true });

    await eventually(async () => (await api.jobs.get(actor, FACE, job.id)).status === 'succeeded', WITHIN_MS);
    expect(await api.jobs.get(actor, FACE, job.id)).toMatchObject({ attempt: 2 });
    await worker.app.close();
  });

  it('starts the next job of a project at its limit as soon as one ends', async () => {
    let most = 0;
    let now = 0;
    const worker = await world.worker({
      working: true,
      env: { KILN_BUILD_CONCURRENCY: '4' },
      script: async () => {
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setTimeout(resolve, 100));
        now -= 1;
        return aResult();
      },
    });
    const actor = await world.member(worker, { running_jobs: 1 });
    const jobs: Job[] = [];
    for (let count = 0; count < 5; count += 1) jobs.push(await world.job(worker, actor));

    await eventually(async () => {
      const found = await Promise.all(jobs.map(({ id }) => worker.jobs.get(actor, FACE, id)));
      return found.every(({ status }) => status === 'succeeded');
    }, WITHIN_MS);

    expect(most).toBe(1);
    await worker.app.close();
  });

  it('ends each of 50 jobs exactly once with three workers', async () => {
    const workers = await Promise.all([1, 2, 3].map(() => world.worker({ working: true, script: atOnce })));
    const app = workers[0]!;
    const actor = await world.member(app);
    const { recipe, key } = await world.source(app, actor);
    const jobs = await Promise.all(
      Array.from({ length: 50 }, (_, number) =>
        app.jobs.create(actor, {
          face: FACE,
          jobType: 'create',
          artifactId: recipe.id,
          publicKeyId: key.id,
          imageRootArchiveName: `image ${number}`,
        }),
      ),
    );

    await eventually(async () => (await app.ledger.find(actor.projectId!, 'images'))?.used === 50, WITHIN_MS);

    const rows = await app.database.query<{ noun_id: string; count: number }>(
      `SELECT noun_id, count(*) FROM events
       WHERE project_id = $1 AND kind IN ('job.succeeded', 'job.failed', 'job.cancelled') GROUP BY noun_id`,
      [actor.projectId],
    );
    expect(rows.map(({ noun_id }) => noun_id).sort()).toEqual(jobs.map(({ id }) => id).sort());
    expect(rows.every(({ count }) => count === 1)).toBe(true);
    expect(workers.flatMap(({ builder }) => builder.builds)).toHaveLength(50);
    expect(await app.ledger.usage(actor.projectId!)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ quantity: 'running_jobs', used: 0 }),
        expect.objectContaining({ quantity: 'queued_jobs', used: 0 }),
      ]),
    );
    await Promise.all(workers.map((worker) => worker.app.close()));
  });
});
