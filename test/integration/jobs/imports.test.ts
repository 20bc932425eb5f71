import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ImageDataService,
  ImageImportsService,
  ImageStagingService,
  ImagesService,
} from '../../../src/modules/images/index.js';
import { type ImportImage, ImportsService, TasksService } from '../../../src/modules/jobs/index.js';
import { Actor } from '../../../src/modules/tenancy/index.js';
import { eventually } from '../../support/eventually.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { type JobsApp, JobsWorld } from './jobs-app.js';

const MIB = 1024 * 1024;
const FACE = 'glance';
const RAW = { diskFormat: 'raw', containerFormat: 'bare' };

let world: JobsWorld;
let web: WebServer;
let app: JobsApp;
let storesDir: string;

beforeAll(async () => {
  world = await JobsWorld.open();
  web = await webServer();
  storesDir = join(world.dataDir, 'stores');
  app = await world.worker({ env: settings() });
});
afterAll(async () => {
  await world?.close();
  await web?.close();
});

function settings(): Record<string, string> {
  return {
    KILN_EGRESS_ALLOW: web.host,
    KILN_STORES: JSON.stringify(['one', 'two', 'three'].map((id) => ({ id, type: 'file', path: join(storesDir, id) }))),
  };
}

const get = <T>(of: JobsApp, type: abstract new (...args: never[]) => T): T =>
  of.app.get(type as never, { strict: false });

/** Somebody of the actor's project who may do everything. */
const asAdmin = ({ projectId, projectName }: Actor): Actor =>
  Actor.user({ id: 'root', name: 'root', projectId, projectName, roles: ['admin'] });

/** Puts a plain file where a store has its folder, so that nothing can be written there any more. */
async function breakStore(id: string): Promise<void> {
  await rm(join(storesDir, id), { recursive: true, force: true });
  await mkdir(storesDir, { recursive: true });
  await writeFile(join(storesDir, id), 'no folder');
}

async function mendStore(id: string): Promise<void> {
  await rm(join(storesDir, id), { recursive: true, force: true });
  await mkdir(join(storesDir, id, '.tmp'), { recursive: true });
}

async function usage(actor: Actor): Promise<Record<string, number>> {
  const all = await app.ledger.usage(actor.projectId!);
  return Object.fromEntries(all.filter(({ used }) => used > 0).map(({ quantity, used }) => [quantity, used]));
}

/** An image, staged with these bytes. */
async function staged(actor: Actor, data: Buffer) {
  const image = await get(app, ImagesService).create(actor, RAW);
  await get(app, ImageStagingService).stage(actor, image.id, Readable.from([data]), { sizeBytes: data.length });
  return image;
}

async function start(actor: Actor, imageId: string, command: Partial<ImportImage>) {
  const whole = { face: FACE, method: 'glance-direct', stores: {}, ...command };
  return (await get(app, ImportsService).start(actor, imageId, whole))!;
}

const imageOf = (actor: Actor, id: string) => get(app, ImagesService).get(actor, id);
const taskOf = async (actor: Actor, imageId: string) =>
  (await get(app, TasksService).ofImage(actor, FACE, imageId))[0]!;

/** Runs a job as often as it is tried. */
async function runToEnd(jobId: string): Promise<void> {
  await eventually(async () => {
    await app.runner.run(jobId);
    const job = await app.database.one<{ finished: boolean }>(
      'SELECT finished_at IS NOT NULL AS finished FROM jobs WHERE id = $1',
      [jobId],
    );
    return job!.finished;
  });
}

describe('an import into several stores, of which one fails', () => {
  it('fails as a whole when all must succeed, and is tried three times first', async () => {
    await breakStore('two');
    const actor = await world.member(app);
    const image = await staged(actor, randomBytes(MIB));
    const job = await start(actor, image.id, { stores: { named: ['one', 'two', 'three'] } });

    await runToEnd(job.id);

    expect(await imageOf(actor, image.id)).toMatchObject({
      status: 'queued',
      sizeBytes: null,
      storeIds: [],
      properties: { os_glance_importing_to_stores: '', os_glance_failed_import: 'two' },
    });
    expect(await taskOf(actor, image.id)).toMatchObject({ status: 'failed', attempt: 3, resultFileIds: [] });
    expect(await usage(actor)).toEqual({ images: 1 });
    await mendStore('two');
  });

  it.each([
    ['the first', 'one', ['two', 'three']],
    ['the last', 'three', ['one', 'two']],
  ])('keeps the others when not all must succeed and %s fails', async (_which, broken, left) => {
    await breakStore(broken);
    const data = randomBytes(MIB);
    const uri = web.bytes(`/without-${broken}`, data);
    const actor = await world.member(app);
    const image = await get(app, ImagesService).create(actor, RAW);
    const job = await start(actor, image.id, {
      method: 'web-download',
      uri,
      stores: { all: true },
      allStoresMustSucceed: false,
    });

    await runToEnd(job.id);

    expect(await imageOf(actor, image.id)).toMatchObject({
      status: 'active',
      sizeBytes: MIB,
      storeIds: left,
      properties: { os_glance_importing_to_stores: '', os_glance_failed_import: broken },
    });
    expect(await usage(actor)).toEqual({ images: 1, storage_bytes: 2 * MIB });
    await mendStore(broken);
  });

  it('fails when no store takes the data', async () => {
    await Promise.all(['two', 'three'].map(breakStore));
    const actor = await world.member(app);
    const image = await staged(actor, randomBytes(100));
    const job = await start(actor, image.id, { stores: { named: ['two', 'three'] }, allStoresMustSucceed: false });

    await runToEnd(job.id);

    expect(await imageOf(actor, image.id)).toMatchObject({ status: 'queued' });
    expect(await taskOf(actor, image.id)).toMatchObject({ status: 'failed', causeCode: 'import.no_store', attempt: 1 });
    expect(await usage(actor)).toEqual({ images: 1 });
    await Promise.all(['two', 'three'].map(mendStore));
  });

  it('leaves an image that is copied as it was', async () => {
    const actor = await world.member(app);
    const image = await get(app, ImagesService).create(actor, RAW);
    await get(app, ImageDataService).upload(actor, image.id, Readable.from([randomBytes(1000)]));
    await breakStore('three');
    const job = await start(asAdmin(actor), image.id, { method: 'copy-image', stores: { all: true } });

    await runToEnd(job.id);

    expect(await imageOf(actor, image.id)).toMatchObject({
      status: 'active',
      storeIds: ['one'],
      properties: { os_glance_importing_to_stores: '', os_glance_failed_import: 'three' },
    });
    expect(await usage(actor)).toEqual({ images: 1, storage_bytes: 1000 });
    await mendStore('three');
  });
});

describe('an image that a task holds', () => {
  /** A copy that waits, of which the record was last changed so long ago. */
  async function heldSince(interval: string, status: 'queued' | 'running') {
    const actor = await world.member(app);
    const image = await get(app, ImagesService).create(actor, RAW);
    await get(app, ImageDataService).upload(actor, image.id, Readable.from([randomBytes(10)]));
    const admin = asAdmin(actor);
    const job = await start(admin, image.id, { method: 'copy-image', stores: { named: ['two'] } });
    if (status === 'running') {
      await app.database.run(
        `UPDATE jobs SET status = 'running', attempt = 1, lease_expires_at = now() + interval '1 hour' WHERE id = $1`,
        [job.id],
      );
      await app.ledger.reserve(job.projectId, 'running_jobs', 1);
      await app.ledger.release(job.projectId, 'queued_jobs', 1);
    }
    await app.database.run(`UPDATE jobs SET updated_at = now() - $2::interval WHERE id = $1`, [job.id, interval]);
    const again = () => start(admin, image.id, { method: 'copy-image', stores: { named: ['three'] } });
    return { actor, image, job, again };
  }

  it.each([
    ['119 minutes', 'queued'],
    ['59 minutes', 'running'],
  ] as const)('stays its when it has done nothing for %s and is %s', async (interval, status) => {
    const { again } = await heldSince(interval, status);

    await expect(again()).rejects.toMatchObject({ code: 'images.import_locked', kind: 'conflict' });
  });

  it.each([
    ['121 minutes', 'queued'],
    ['61 minutes', 'running'],
  ] as const)('may be taken over when it has done nothing for %s and is %s', async (interval, status) => {
    const { actor, image, job, again } = await heldSince(interval, status);

    const next = await again();
    await app.runner.run(job.id);
    await runToEnd(next.id);

    const [second, first] = await get(app, TasksService).ofImage(actor, FACE, image.id);
    expect(first).toMatchObject({ id: job.id, status: 'failed', causeCode: 'import.stalled' });
    expect(second).toMatchObject({ id: next.id, status: 'succeeded' });
    expect(await imageOf(actor, image.id)).toMatchObject({ storeIds: ['one', 'three'] });
    expect(await usage(actor)).toEqual({ images: 1, storage_bytes: 20 });
  });

  it('may be taken over when the task is gone', async () => {
    const { actor, image, job, again } = await heldSince('1 second', 'queued');
    await app.database.run('DELETE FROM jobs WHERE id = $1', [job.id]);
    await app.ledger.release(job.projectId, 'queued_jobs', 1);

    await runToEnd((await again()).id);

    expect(await imageOf(actor, image.id)).toMatchObject({ storeIds: ['one', 'three'] });
    expect(await usage(actor)).toEqual({ images: 1, storage_bytes: 20 });
  });

  it('is not given to another owner', async () => {
    const { actor, image } = await heldSince('1 second', 'queued');
    const other = await world.member(app);

    await expect(
      get(app, ImagesService).update(asAdmin(actor), image.id, { projectId: other.projectId }),
    ).rejects.toMatchObject({ code: 'images.busy' });
  });
});

describe('an execution of an import', () => {
  it('hands its job back when the worker stops, and another one imports', async () => {
    let hang = true;
    const uri = web.page('/handed-back', (_request, reply) => {
      if (hang) reply.write('part of it');
      else reply.end('all of it');
    });
    const stopping = await world.worker({ env: settings() });
    const actor = await world.member(app);
    const image = await get(app, ImagesService).create(actor, RAW);
    const job = await start(actor, image.id, { method: 'web-download', uri });
    const run = stopping.runner.run(job.id);
    await eventually(async () => (await taskOf(actor, image.id)).message === 'Copied 0 MiB');

    await Promise.all([stopping.runner.beforeApplicationShutdown(), run]);
    hang = false;

    expect(await taskOf(actor, image.id)).toMatchObject({ status: 'queued', attempt: 0 });
    expect(await imageOf(actor, image.id)).toMatchObject({ status: 'importing' });
    await app.runner.run(job.id);
    expect(await imageOf(actor, image.id)).toMatchObject({ status: 'active', sizeBytes: 9 });
    expect(await usage(actor)).toEqual({ images: 1, storage_bytes: 9 });
  });

  it('writes nothing any more once another one has its job', async () => {
    let release!: () => void;
    const uri = web.page('/overtaken', (request, reply) => {
      if (web.asked.filter((path) => path === request.url).length > 1) return void reply.end('second');
      reply.write('fir');
      release = () => reply.end('st');
    });
    const slow = await world.worker({ env: settings() });
    const actor = await world.member(app);
    const image = await get(app, ImagesService).create(actor, RAW);
    const job = await start(actor, image.id, { method: 'web-download', uri });
    const first = slow.runner.run(job.id);
    await eventually(async () => (await taskOf(actor, image.id)).message === 'Copied 0 MiB');

    await app.database.run(`UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE id = $1`, [job.id]);
    await app.runner.run(job.id);
    release();
    await first;

    expect(await imageOf(actor, image.id)).toMatchObject({ status: 'active', sizeBytes: 6 });
    expect(await taskOf(actor, image.id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    await eventually(async () => expect(await usage(actor)).toEqual({ images: 1, storage_bytes: 6 }));
  });

  it('does not become the data of an image that was brought back after its import had been ended by a delete', async () => {
    const actor = await world.member(app);
    const image = await staged(actor, randomBytes(50));
    const job = await start(actor, image.id, {});
    await get(app, ImagesService).delete(actor, image.id);
    expect(await usage(actor)).toEqual({});

    await app.runner.run(job.id);

    await expect(get(app, ImageImportsService).get(image.id, job.id)).rejects.toMatchObject({ code: 'images.gone' });
    const [row] = await app.database.query<{ status: string }>('SELECT status FROM images WHERE id = $1', [image.id]);
    expect(row).toEqual({ status: 'queued' });
    expect(await usage(actor)).toEqual({});
  });
});
