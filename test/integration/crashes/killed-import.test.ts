import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { endLeases } from '../../support/leases.js';
import { storedObjects } from '../../support/stored-objects.js';
import { usageOf } from '../../support/usage.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { Client } from '../../contract/glance/wire.js';

const MIB = 1024 * 1024;
const RAW = { disk_format: 'raw', container_format: 'bare' };

let web: WebServer;
let database: pg.Client;
let api: RunningKiln;
let alice: Client;
let env: Record<string, string>;
const started: RunningKiln[] = [];

beforeAll(async () => {
  web = await webServer();
  env = { KILN_EGRESS_ALLOW: web.host, KILN_JOB_LEASE: '30s' };
  api = await startKiln({ env: { ...env, KILN_ROLE: 'api' } });
  alice = new Client(api, await api.token('alice'));
  database = new pg.Client({ connectionString: api.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database?.end();
  for (const kiln of started) await kiln.stop();
  await api?.stop();
  await web?.close();
});

async function worker(): Promise<RunningKiln> {
  const kiln = await startKiln({ beside: api, env: { ...env, KILN_ROLE: 'worker' } });
  started.push(kiln);
  return kiln;
}

const usage = () => usageOf(database, ALPHA, ...Object.keys(NOTHING));

/** What the rows say is stored, or on its way; or only what of it costs anything. */
async function objectKeys({ charged = false } = {}): Promise<string[]> {
  const { rows } = await database.query<{ object_key: string }>(
    `SELECT object_key FROM stored_files ${charged ? 'WHERE charged_bytes > 0' : ''}`,
  );
  return rows.map((row) => row.object_key).sort();
}

const NOTHING = { storage_bytes: 0, staging_bytes: 0, uploads: 0, running_jobs: 0, queued_jobs: 0 };

async function importFrom(uri: string): Promise<string> {
  const image = await alice.create(RAW);
  const method = { name: 'web-download', uri };
  expect((await alice.ask('POST', `/v2/images/${image.id}/import`, { method })).status).toBe(202);
  return image.id;
}

const task = async (imageId: string) => (await alice.ask('GET', `/v2/images/${imageId}/tasks`)).body.tasks[0];

it('is taken over by another worker when its own is killed while bytes flow', async () => {
  const data = randomBytes(3 * MIB);
  let hang = true;
  const uri = web.page('/once-more', (_request, reply) => {
    reply.writeHead(200, { 'content-length': data.length });
    if (hang) reply.write(data.subarray(0, 2 * MIB));
    else reply.end(data);
  });
  const first = await worker();
  const id = await importFrom(uri);
  await eventually(async () => (await task(id)).message === 'Copied 2 MiB', 60_000);
  const before = { status: (await alice.show(id)).body.status, usage: await usage() };

  await first.kill();
  await endLeases(database);
  hang = false;
  await worker();

  expect(before).toEqual({
    status: 'importing',
    usage: { ...NOTHING, storage_bytes: data.length, uploads: 1, running_jobs: 1 },
  });
  await eventually(async () => (await alice.show(id)).body.status === 'active', 90_000);
  await eventually(async () => {
    expect(await usage()).toEqual({ ...NOTHING, storage_bytes: data.length });
    expect(await storedObjects(api)).toEqual(await objectKeys());
  }, 60_000);
  expect(await task(id)).toMatchObject({ status: 'success' });
  expect((await alice.ask('DELETE', `/v2/images/${id}`)).status).toBe(204);
}, 240_000);

it('ends with a failure when every worker that has it is killed, and costs nothing then', async () => {
  const uri = web.page('/deadly', (_request, reply) => {
    reply.writeHead(200, { 'content-length': 9 * MIB });
    reply.write(randomBytes(MIB));
  });
  const id = await importFrom(uri);
  await eventually(async () => (await task(id)).message === 'Copied 1 MiB', 60_000);
  // As if two workers had died over it before this one.
  const { rows } = await database.query<{ id: string }>(
    'UPDATE jobs SET attempt = 3 WHERE image_id = $1 RETURNING id',
    [id],
  );
  // What is left of the image before this one may still come and go, but costs nothing.
  const incoming = await objectKeys({ charged: true });

  for (const kiln of started) if (kiln.process.signalCode === null) await kiln.kill();
  await endLeases(database);
  await worker();

  expect(incoming).toHaveLength(1);
  await eventually(async () => (await alice.show(id)).body.status === 'queued', 90_000);
  expect((await alice.show(id)).body.os_glance_import_task).toBeUndefined();
  expect(await task(id)).toMatchObject({
    id: rows[0]!.id,
    status: 'failure',
    message: expect.stringContaining('worker'),
  });
  await eventually(async () => {
    expect(await usage()).toEqual(NOTHING);
    expect(await objectKeys()).not.toContain(incoming[0]);
    expect(await storedObjects(api)).toEqual(await objectKeys());
  }, 60_000);
}, 240_000);

it('survives an API that is killed behind its answer, and one that is killed while it stages', async () => {
  const other = await startKiln({ beside: api, env: { ...env, KILN_ROLE: 'api' } });
  started.push(other);
  const client = new Client(other, alice.token);
  const [staged, staging] = [await client.create(RAW), await client.create(RAW)];
  const data = randomBytes(MIB);
  const octets = { 'content-type': 'application/octet-stream' };
  expect((await client.ask('PUT', `/v2/images/${staged.id}/stage`, data, octets)).status).toBe(204);
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1000)) });
  const broken = fetch(`${other.url}/image/v2/images/${staging.id}/stage`, {
    method: 'PUT',
    headers: { 'x-auth-token': alice.token, ...octets },
    body,
    duplex: 'half',
  }).catch(() => 'broken');
  await eventually(async () => (await alice.show(staging.id)).body.status === 'uploading');

  const accepted = await client.ask('POST', `/v2/images/${staged.id}/import`, { method: { name: 'glance-direct' } });
  await other.kill();

  expect(accepted.status).toBe(202);
  expect(await broken).toBe('broken');
  await eventually(async () => (await alice.show(staged.id)).body.status === 'active', 90_000);
  await eventually(async () => (await alice.show(staging.id)).body.status === 'queued', 90_000);
  await eventually(async () => expect(await usage()).toEqual({ ...NOTHING, storage_bytes: MIB }), 60_000);
}, 240_000);
