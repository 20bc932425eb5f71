import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { BuildFailedError } from '../../../src/modules/jobs/index.js';
import { JobEndings } from '../../../src/modules/jobs/job-endings.js';
import { type Actor, LimitExceededError } from '../../../src/modules/tenancy/index.js';
import { eventually } from '../../support/eventually.js';
import { abandon, aborted, aResult, atOnce, FACE, held, type JobsApp, JobsWorld, sha256 } from './jobs-app.js';

/** Takes a job's lease away, as if the worker that has it had been silent for long. */
async function expireLease({ database }: JobsApp, jobId: string): Promise<void> {
  await database.run(`UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [jobId]);
}

async function imagesOf({ database }: JobsApp, actor: Actor) {
  return database.query<{ id: string; status: string; properties: Record<string, string> }>(
    'SELECT id, status, properties FROM images WHERE project_id = $1',
    [actor.projectId],
  );
}

/** What the project holds: the ledger, and the stored files behind it. */
async function usage({ ledger, database }: JobsApp, actor: Actor) {
  const used = Object.fromEntries((await ledger.usage(actor.projectId!)).map(({ quantity, used }) => [quantity, used]));
  const [files] = await database.query<{ bytes: number }>(
    'SELECT coalesce(sum(size_bytes), 0)::bigint AS bytes FROM stored_files WHERE project_id = $1',
    [actor.projectId],
  );
  return { running: used.running_jobs, queued: used.queued_jobs, bytes: used.storage_bytes, stored: files!.bytes };
}

async function endings({ database }: JobsApp, actor: Actor): Promise<string[]> {
  const rows = await database.query<{ kind: string }>(
    `SELECT kind FROM events WHERE project_id = $1 AND kind IN ('job.succeeded', 'job.failed', 'job.cancelled')`,
    [actor.projectId],
  );
  return rows.map(({ kind }) => kind);
}

async function logText({ logs }: JobsApp, actor: Actor, jobId: string): Promise<string> {
  let text = '';
  for await (const piece of await logs.read(actor, FACE, jobId)) text += piece;
  return text;
}

describe('running a job', () => {
  let world: JobsWorld;
  beforeAll(async () => (world = await JobsWorld.open()));
  afterAll(() => world.close());

  it('makes an image, and gives back what the job held', async () => {
    const app = await world.worker();
    const actor = await world.member(app);
    const job = await world.job(app, actor);
    expect(await usage(app, actor)).toMatchObject({ queued: 1, running: 0 });

    await app.runner.run(job.id);

    const done = await app.jobs.get(actor, FACE, job.id);
    expect(done).toMatchObject({ status: 'succeeded', state: 'success', resultantImageId: job.targetImageId });
    expect(await imagesOf(app, actor)).toEqual([
      {
        id: job.targetImageId,
        status: 'active',
        properties: expect.objectContaining({
          kiln_job_id: job.id,
          kiln_recipe_id: job.recipe.id,
          kiln_recipe_sha256: sha256('a recipe archive'),
        }),
      },
    ]);
    const left = await usage(app, actor);
    expect(left).toMatchObject({ queued: 0, running: 0 });
    expect(left.bytes).toBe(left.stored);
    expect(await logText(app, actor, job.id)).toBe('building\n');
    expect(app.builder.builds[0]!.order).toMatchObject({
      jobId: job.id,
      kernelFileName: 'vmlinuz',
      template: [{ key: 'COLOUR', value: 'blue' }],
    });
  });

  it('keeps the archive of a recipe that is deleted meanwhile, and only as long as it is needed', async () => {
    const app = await world.worker();
    const actor = await world.member(app);
    const job = await world.job(app, actor);
    await app.recipes.delete(actor, job.recipe.id);

    await app.runner.run(job.id);

    expect((await app.jobs.get(actor, FACE, job.id)).status).toBe('succeeded');
    const [file] = await app.database.query<{ references: number; charges: number }>(
      'SELECT reference_count AS references, charge_count AS charges FROM stored_files WHERE id = $1',
      [job.recipeFileId],
    );
    // The deleted recipe still has it, but nobody pays for it.
    expect(file).toEqual({ references: 1, charges: 0 });
  });

  it('lets a second execution take over when the first goes silent, and refuses what the first still writes', async () => {
    const { gate, release } = held();
    const first = await world.worker({
      script: async ({ report }) => {
        await report.phase('building');
        report.log('first\n');
        await gate;
        report.log('too late\n');
        await report.phase('packaging');
        return aResult({ rootfs: 'of the first' });
      },
    });
    const second = await world.worker();
    const actor = await world.member(first);
    const job = await world.job(first, actor);
    const firstRun = first.runner.run(job.id);
    await eventually(async () => (await logText(first, actor, job.id)) === 'first\n');

    await expireLease(first, job.id);
    await second.runner.run(job.id);
    release();
    await firstRun;

    expect(await first.jobs.get(actor, FACE, job.id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(await imagesOf(first, actor)).toHaveLength(1);
    expect(await endings(first, actor)).toEqual(['job.succeeded']);
    const log = await logText(first, actor, job.id);
    expect(log).toContain('kiln: attempt 2 of 3');
    expect(log).not.toContain('too late');
    const left = await usage(first, actor);
    expect(left.bytes).toBe(left.stored);
  });

  it('stops a build whose lease is taken over', async () => {
    const first = await world.worker({ script: ({ signal }) => aborted(signal) });
    const second = await world.worker();
    const actor = await world.member(first);
    const job = await world.job(first, actor);
    const firstRun = first.runner.run(job.id);
    await eventually(() => first.builder.builds.length === 1);

    await expireLease(first, job.id);
    await second.runner.run(job.id);
    await firstRun;

    expect(first.builder.builds[0]!.signal.reason).toMatchObject({ code: 'jobs.lease_lost' });
    expect((await first.jobs.get(actor, FACE, job.id)).status).toBe('succeeded');
  });

  it('gives back what an execution had stored that died before it could finish', async () => {
    const [first, second] = [await world.worker(), await world.worker()];
    // Room for the archive and one result, but not for two.
    const actor = await world.member(first, { storage_bytes: 60 });
    const job = await world.job(first, actor);
    const stored = await first.artifacts.storeFile(actor.projectId, Readable.from([Buffer.from('a root file syst')]), {
      charge: true,
    });
    await abandon(first, job, 1);
    await first.database.run('UPDATE jobs SET result_file_ids = $2 WHERE id = $1', [job.id, [stored.id]]);

    await second.runner.run(job.id);

    expect(await first.jobs.get(actor, FACE, job.id)).toMatchObject({ status: 'succeeded', resultFileIds: [] });
    const left = await usage(first, actor);
    expect(left.bytes).toBe(left.stored);
  });

  it('ends a job in error when three executions went away', async () => {
    const app = await world.worker();
    const actor = await world.member(app);
    const job = await world.job(app, actor);
    await abandon(app, job, 3);

    await app.runner.run(job.id);

    expect(await app.jobs.get(actor, FACE, job.id)).toMatchObject({ status: 'failed', causeCode: 'executor.lost' });
    expect(app.builder.builds).toHaveLength(0);
    expect(await usage(app, actor)).toMatchObject({ queued: 0, running: 0 });
    expect(await logText(app, actor, job.id)).toMatch(/^kiln: The job was started 3 times, .*\n$/);
  });

  it('ends with the last words of a foreign program, whatever characters they have', async () => {
    const app = await world.worker({
      script: async ({ report }) => {
        report.log('out\0put\n');
        throw new BuildFailedError('build.script_failed', 'Script 1 ended with status 3: last\0 \ud83d words');
      },
    });
    const actor = await world.member(app);
    const job = await world.job(app, actor);

    await app.runner.run(job.id);

    const causeMessage = 'Script 1 ended with status 3: last\ufffd \ufffd words';
    expect(await app.jobs.get(actor, FACE, job.id)).toMatchObject({
      status: 'failed',
      attempt: 1,
      causeCode: 'build.script_failed',
      causeMessage,
    });
    expect(await logText(app, actor, job.id)).toBe(`out\ufffdput\nkiln: ${causeMessage}\n`);
  });

  it('ends at the first attempt also where it cannot end with its cause', async () => {
    const app = await world.worker({
      script: () => Promise.reject(new BuildFailedError('build.script_failed', 'Script 1 ended with status 3')),
    });
    app.app.get(JobEndings, { strict: false }).onEndOf(FACE, async (_job, { cause }) => {
      if (cause?.code === 'build.script_failed') throw new TypeError('nobody foresaw this');
    });
    const actor = await world.member(app);
    const job = await world.job(app, actor);

    await app.runner.run(job.id);

    expect(await app.jobs.get(actor, FACE, job.id)).toMatchObject({
      status: 'failed',
      attempt: 1,
      causeCode: 'build.failed',
      causeMessage: expect.stringContaining('unexpectedly'),
    });
    expect(await usage(app, actor)).toMatchObject({ queued: 0, running: 0 });
  });

  it.each<[string, string, (app: JobsApp, actor: Actor, id: string) => Promise<unknown>]>([
    ['is cancelled', 'The job was cancelled.', ({ jobs }, actor, id) => jobs.cancel(actor, FACE, id)],
    [
      'is reported as failed',
      'Whoever ran the job reported that it failed.',
      ({ jobs }, actor, id) => jobs.report(actor, FACE, id, { ended: 'failed' }),
    ],
  ])('says why in the last line of the log of a job that %s', async (_how, why, end) => {
    const worker = await world.worker({
      script: ({ report, signal }) => {
        report.log('building\n');
        return aborted(signal);
      },
    });
    const actor = await world.member(worker);
    const [job, waiting] = [await world.job(worker, actor), await world.job(worker, actor)];
    const run = worker.runner.run(job.id);
    await eventually(async () => (await logText(worker, actor, job.id)) === 'building\n');

    await end(worker, actor, job.id);
    await end(worker, actor, waiting.id);
    await run;

    expect(await logText(worker, actor, job.id)).toBe(`building\nkiln: ${why}\n`);
    expect(await logText(worker, actor, waiting.id)).toBe(`kiln: ${why}\n`);
  });

  it('runs once when many are given it at the same time', async () => {
    const apps = await Promise.all([world.worker(), world.worker()]);
    const actor = await world.member(apps[0]);
    const job = await world.job(apps[0], actor);

    await Promise.all(apps.flatMap(({ runner }) => [runner.run(job.id), runner.run(job.id), runner.run(job.id)]));

    expect(apps.flatMap(({ builder }) => builder.builds)).toHaveLength(1);
    expect(await endings(apps[0], actor)).toEqual(['job.succeeded']);
  });

  it('leaves no image and no file of a job that is cancelled while its result is stored', async () => {
    const storing = held();
    const app = await world.worker({
      script: async ({ report }) => {
        await report.phase('packaging');
        return aResult({ initrd: () => (storing.release(), aborted(app.builder.builds[0]!.signal)) });
      },
    });
    const actor = await world.member(app);
    const job = await world.job(app, actor);
    const before = await usage(app, actor);
    const run = app.runner.run(job.id);
    await storing.gate;

    const cancelled = await app.jobs.cancel(actor, FACE, job.id);
    await run;

    expect(cancelled).toMatchObject({ status: 'cancelled', state: 'error', causeCode: 'user.cancelled' });
    expect(await imagesOf(app, actor)).toEqual([]);
    expect(await usage(app, actor)).toEqual({ ...before, queued: 0 });
    expect(await endings(app, actor)).toEqual(['job.cancelled']);
  });

  it.each([
    ['cancelled', async (app: JobsApp, actor: Actor, id: string) => void (await app.jobs.cancel(actor, FACE, id))],
    ['deleted', (app: JobsApp, actor: Actor, id: string) => app.jobs.delete(actor, FACE, id)],
    [
      'reported as done',
      async (app: JobsApp, actor: Actor, id: string) => {
        await app.jobs.report(actor, FACE, id, { ended: 'succeeded' });
      },
    ],
  ])('stops the build of a job that is %s through another process before its lease ends', async (_how, end) => {
    const env = { KILN_JOB_LEASE: '1h' };
    const worker = await world.worker({ env, script: ({ signal }) => aborted(signal) });
    const other = await world.worker();
    const actor = await world.member(worker);
    const job = await world.job(worker, actor);
    const run = worker.runner.run(job.id);
    await eventually(() => worker.builder.builds.length === 1);

    await end(other, actor, job.id);
    await run;

    expect(await imagesOf(worker, actor)).toEqual([]);
    expect(await usage(worker, actor)).toMatchObject({ queued: 0, running: 0 });
    expect(await endings(worker, actor)).toHaveLength(1);
  });

  it('keeps a job queued while its project runs as many as it may', async () => {
    const { gate, release } = held();
    const app = await world.worker({ script: async () => gate.then(() => aResult()) });
    const actor = await world.member(app, { running_jobs: 1 });
    const [first, second] = [await world.job(app, actor), await world.job(app, actor)];
    const firstRun = app.runner.run(first.id);
    await eventually(() => app.builder.builds.length === 1);

    await app.runner.run(second.id);
    expect(await app.jobs.get(actor, FACE, second.id)).toMatchObject({ status: 'queued', attempt: 0 });
    release();
    await firstRun;
    await app.runner.run(second.id);

    expect((await app.jobs.get(actor, FACE, second.id)).status).toBe('succeeded');
  });

  it('keeps a build queued while all workers together run as many as they may', async () => {
    const { gate, release } = held();
    const env = { KILN_BUILDS_RUNNING: '2' };
    const [one, other] = [
      await world.worker({ env, script: async () => gate.then(() => aResult()) }),
      await world.worker({ env, script: async () => gate.then(() => aResult()) }),
    ];
    const actors = [await world.member(one), await world.member(one), await world.member(one)];
    const jobs = await Promise.all(actors.map((actor) => world.job(one, actor)));

    const runs = jobs.map((job, at) => (at % 2 === 0 ? one : other).runner.run(job.id));
    await eventually(() => one.builder.builds.length + other.builder.builds.length === 2);
    const statuses = await eventually(async () => {
      const found = await Promise.all(jobs.map((job, at) => one.jobs.get(actors[at]!, FACE, job.id)));
      return found.some(({ status }) => status === 'queued') && found.map(({ status }) => status).sort();
    });
    release();
    await Promise.all(runs);
    await Promise.all(jobs.map((job) => one.runner.run(job.id)));

    expect(statuses).toEqual(['queued', 'running', 'running']);
    const ended = await Promise.all(jobs.map((job, at) => one.jobs.get(actors[at]!, FACE, job.id)));
    expect(ended.map(({ status }) => status)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  it('starts a build while people keep as many shells open as there may be', async () => {
    const { gate, release } = held();
    const app = await world.worker({
      env: { KILN_BUILDS_RUNNING: '1', KILN_CUSTOMIZE_RUNNING: '1' },
      script: async ({ order }) => (order.jobType === 'customize' ? gate.then(() => aResult()) : aResult()),
    });
    const actor = await world.member(app);
    const first = await world.job(app, actor);
    await app.runner.run(first.id);
    const image = (await app.jobs.get(actor, FACE, first.id)).resultantImageId!;
    const ofImage = { jobType: 'customize', artifactId: image } as const;
    const [open, waiting] = [await world.job(app, actor, ofImage), await world.job(app, actor, ofImage)];
    const build = await world.job(app, actor);

    const shell = app.runner.run(open.id);
    await eventually(() => app.builder.builds.length === 2);
    await app.runner.run(waiting.id);
    await app.runner.run(build.id);

    const statuses = await Promise.all(
      [waiting, build].map(async ({ id }) => (await app.jobs.get(actor, FACE, id)).status),
    );
    release();
    await shell;
    expect(statuses).toEqual(['queued', 'succeeded']);
  });

  it('keeps the scripts of a job at their addresses until it has ended', async () => {
    const app = await world.worker();
    const actor = await world.member(app);
    const first = await world.job(app, actor);
    await app.runner.run(first.id);
    const image = (await app.jobs.get(actor, FACE, first.id)).resultantImageId!;
    const address = { bucket: 'scripts', key: 'setup' };
    const put = (text: string, key = address.key) =>
      app.artifacts.put(actor, { ...address, key }, Readable.from([Buffer.from(text)]), {});
    await Promise.all([put('echo accepted'), put('echo other', 'other')]);
    const scripted = { updateOsPackages: false, scripts: [{ url: 's3://scripts/setup' }] };

    const job = await world.job(app, actor, { jobType: 'customize', artifactId: image, scripted });

    const inUse = { code: 'artifacts.in_use', details: { user: `job ${job.id}` } };
    await expect(put('echo replaced')).rejects.toMatchObject(inUse);
    await expect(app.artifacts.delete(actor, address)).rejects.toMatchObject(inUse);
    await put('echo free', 'other');
    await app.runner.run(job.id);
    expect(await app.jobs.get(actor, FACE, job.id)).toMatchObject({ status: 'succeeded' });
    expect(app.builder.builds.at(-1)!.order.scripts!.items.map(({ text }) => text)).toEqual(['echo accepted']);
    await put('echo replaced');
    await app.artifacts.delete(actor, address);
  });

  it('finds a queued job behind however many of another kind that may not run', async () => {
    const app = await world.worker();
    const actor = await world.member(app);
    const first = await world.job(app, actor);
    await app.runner.run(first.id);
    const image = (await app.jobs.get(actor, FACE, first.id)).resultantImageId!;
    const { recipe, key } = await world.source(app, actor);
    const build = { face: FACE, publicKeyId: key.id, imageRootArchiveName: 'an image' };
    for (let count = 0; count < 101; count += 1) {
      await app.jobs.create(actor, { ...build, jobType: 'create', artifactId: recipe.id });
    }
    const shell = await world.job(app, actor, { jobType: 'customize', artifactId: image });
    await app.database.run(`UPDATE jobs SET created_at = created_at - interval '1 minute' WHERE status = 'queued'`, []);
    const add = jest.spyOn(app.taskQueue, 'add');

    await app.jobQueue.recover();

    expect(add.mock.calls.map(([, id]) => id)).toContain(shell.id);
    await app.database.run(`UPDATE jobs SET status = 'cancelled', phase = 'done' WHERE project_id = $1`, [
      actor.projectId,
    ]);
  });

  it('refuses a job beyond the limit of queued ones', async () => {
    const app = await world.worker();
    const actor = await world.member(app, { queued_jobs: 1 });
    await world.job(app, actor);

    await expect(world.job(app, actor)).rejects.toThrow(LimitExceededError);
  });

  it('fails with a cause, and keeps no file, when the result does not fit the project', async () => {
    const app = await world.worker({ script: async () => aResult({ rootfs: 'x'.repeat(2000) }) });
    const actor = await world.member(app, { storage_bytes: 1000 });
    const job = await world.job(app, actor);
    const before = await usage(app, actor);

    await app.runner.run(job.id);

    expect(await app.jobs.get(actor, FACE, job.id)).toMatchObject({
      status: 'failed',
      causeCode: 'limit.exceeded',
      causeMessage: expect.stringContaining('limit of 1000 storage_bytes'),
    });
    expect(await usage(app, actor)).toEqual({ ...before, queued: 0 });
    expect(await logText(app, actor, job.id)).toContain('kiln: The result does not fit');
  });

  it('fails when the project may have no more images, and leaves none', async () => {
    const app = await world.worker();
    const actor = await world.member(app, { images: 0 });
    const job = await world.job(app, actor);
    const before = await usage(app, actor);

    await app.runner.run(job.id);

    expect(await app.jobs.get(actor, FACE, job.id)).toMatchObject({ status: 'failed', causeCode: 'limit.exceeded' });
    expect(await imagesOf(app, actor)).toEqual([]);
    expect(await usage(app, actor)).toEqual({ ...before, queued: 0 });
  });

  it('hands its jobs back when the worker stops, and another one builds them', async () => {
    const stopping = await world.worker({ script: ({ signal }) => aborted(signal) });
    const other = await world.worker();
    const actor = await world.member(other, { queued_jobs: 1 });
    const job = await world.job(other, actor);
    const run = stopping.runner.run(job.id);
    await eventually(() => stopping.builder.builds.length === 1);

    await Promise.all([stopping.runner.beforeApplicationShutdown(), run]);

    expect(await other.jobs.get(actor, FACE, job.id)).toMatchObject({
      status: 'queued',
      state: 'creating',
      attempt: 0,
    });
    expect(await usage(other, actor)).toMatchObject({ queued: 1, running: 0 });
    await other.runner.run(job.id);
    expect(await other.jobs.get(actor, FACE, job.id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    const [before, after] = [stopping.builder.builds[0]!.order, other.builder.builds[0]!.order];
    expect(after.attempt).toBeGreaterThan(before.attempt);
  });

  it('shows the phase and the percentage while it runs', async () => {
    const { gate, release } = held();
    const app = await world.worker({
      script: async (build) => {
        await build.report.phase('building');
        build.report.percent(41.6);
        await gate;
        return atOnce(build);
      },
    });
    const actor = await world.member(app);
    const job = await world.job(app, actor);
    const run = app.runner.run(job.id);

    const seen = await eventually(async () => {
      const found = await app.jobs.get(actor, FACE, job.id);
      return found.percent !== null && found;
    });
    release();
    await run;

    expect(seen).toMatchObject({ state: 'building', percent: 42 });
    expect((await app.jobs.get(actor, FACE, job.id)).percent).toBeNull();
  });
});
