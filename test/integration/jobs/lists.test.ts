import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JobQuery } from '../../../src/modules/jobs/index.js';
import { type Actor } from '../../../src/modules/tenancy/index.js';
import { eventually } from '../../support/eventually.js';
import { take } from '../../support/take.js';
import { FACE, type JobsApp, JobsWorld } from './jobs-app.js';

describe('lists of jobs', () => {
  let world: JobsWorld;
  let app: JobsApp;
  let actor: Actor;
  let create: (name: string) => Promise<string>;

  beforeAll(async () => {
    world = await JobsWorld.open();
    app = await world.worker();
    actor = await world.member(app);
    const { recipe, key } = await world.source(app, actor);
    create = async (name) =>
      (
        await app.jobs.create(actor, {
          face: FACE,
          jobType: 'create',
          artifactId: recipe.id,
          publicKeyId: key.id,
          imageRootArchiveName: name,
        })
      ).id;
  });
  afterAll(() => world.close());

  const query = (more: Partial<JobQuery> = {}): JobQuery => ({
    face: FACE,
    projectId: actor.projectId,
    filter: {},
    sort: [],
    ...more,
  });

  it.each([
    [[{ key: 'name', direction: 'asc' }]],
    [[{ key: 'created', direction: 'desc' }]],
    [
      [
        { key: 'arch', direction: 'desc' },
        { key: 'name', direction: 'asc' },
      ],
    ],
  ] as const)('neither lose nor repeat a job while others come and go, sorted by %j', async (sort) => {
    await app.jobs.deleteMany(actor, { face: FACE });
    const staying: string[] = [];
    const leaving: string[] = [];
    for (let number = 0; number < 30; number += 1) {
      (number % 3 === 2 ? leaving : staying).push(await create(`name ${number % 7}`));
    }

    const seen: string[] = [];
    for (let marker: string | undefined; ;) {
      const page = await take(app.jobs.stream(actor, query({ sort, marker }), 4), 4);
      seen.push(...page.map(({ id }) => id));
      if (page.length < 4) break;
      marker = page.at(-1)!.id;
      // Also the very job that the next page starts behind, if it is one of those that leave.
      const gone = leaving.includes(marker) ? marker : leaving.find((id) => !seen.includes(id));
      if (gone) {
        await app.jobs.delete(actor, FACE, gone);
        leaving.splice(leaving.indexOf(gone), 1);
      }
      await create(`name ${seen.length % 7}`);
    }

    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(staying));
  });

  it('are deleted by state only while they are in it', async () => {
    await app.jobs.deleteMany(actor, { face: FACE });
    const id = await create('moving on');
    const mover = await app.database.pool.connect();
    await mover.query('BEGIN');
    await mover.query(`UPDATE jobs SET status = 'running', phase = 'building' WHERE id = $1`, [id]);

    const deleting = app.jobs.deleteMany(actor, { face: FACE, states: ['creating'] });
    await eventually(async () => {
      const waiting = await app.database.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      expect(waiting).toHaveLength(1);
    });
    await mover.query('COMMIT');
    mover.release();
    await deleting;

    expect(await app.jobs.get(actor, FACE, id)).toMatchObject({ phase: 'building' });
    // No worker has it, so that nothing was reserved for its running.
    await app.database.run(`UPDATE jobs SET status = 'queued', phase = 'creating' WHERE id = $1`, [id]);
  });

  it('stream everything, in the same order as pages', async () => {
    await app.jobs.deleteMany(actor, { face: FACE });
    for (let number = 0; number < 12; number += 1) await create(`name ${number % 5}`);
    const sort = [{ key: 'name', direction: 'desc' }] as const;

    const streamed: string[] = [];
    for await (const { id } of app.jobs.stream(actor, query({ sort }))) streamed.push(id);

    const page = await take(app.jobs.stream(actor, query({ sort }), 100), 100);
    expect(streamed).toEqual(page.map(({ id }) => id));
    expect(streamed).toHaveLength(12);
  });

  it('keep rows of deleted jobs until the retention ends, and no longer', async () => {
    const id = await create('deleted');
    await app.jobs.delete(actor, FACE, id);
    const row = () => app.database.one('SELECT deleted_at FROM jobs WHERE id = $1', [id]);

    await app.jobs.purgeDeleted();
    expect(await row()).toMatchObject({ deleted_at: expect.any(Date) });
    await app.database.run(`UPDATE jobs SET deleted_at = now() - interval '31 days' WHERE id = $1`, [id]);
    await app.jobs.purgeDeleted();

    expect(await row()).toBeNull();
  });
});
