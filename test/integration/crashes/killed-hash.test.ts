import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import pg from 'pg';
import { Client } from '../../contract/glance/wire.js';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { endLeases } from '../../support/leases.js';
import { usageOf } from '../../support/usage.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';

const MIB = 1024 * 1024;
const RAW = { disk_format: 'raw', container_format: 'bare' };
const NOTHING = { storage_bytes: 0, uploads: 0, running_jobs: 0, queued_jobs: 0 };

let web: WebServer;
let database: pg.Client;
let api: RunningKiln;
let alice: Client;
let env: Record<string, string>;
const started: RunningKiln[] = [];

beforeAll(async () => {
  web = await webServer();
  env = { KILN_EGRESS_ALLOW: web.host, KILN_JOB_LEASE: '30s', KILN_IMAGE_LOCATIONS: 'shown' };
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

const show = async (id: string) => (await alice.show(id)).body;
const task = async (id: string) => (await alice.ask('GET', `/v2/images/${id}/tasks`)).body.tasks[0];

it('is taken over by another worker when its own is killed while it reads', async () => {
  const data = randomBytes(3 * MIB);
  const digest = (algorithm: string): string => createHash(algorithm).update(data).digest('hex');
  let hang = true;
  const url = web.page('/once-more', (_request, reply) => {
    reply.writeHead(200, { 'content-length': data.length });
    if (hang) reply.write(data.subarray(0, 2 * MIB));
    else reply.end(data);
  });
  const [awaited, unknown] = [await alice.create(RAW), await alice.create(RAW)];
  const validation_data = { os_hash_algo: 'sha256', os_hash_value: digest('sha256') };
  const first = await worker();
  for (const [{ id }, body] of [[awaited, { url, validation_data }] as const, [unknown, { url }] as const]) {
    expect((await alice.ask('POST', `/v2/images/${id}/locations`, body)).status).toBe(202);
    await eventually(async () => (await task(id)).message === 'Read 2 MiB', 60_000);
  }
  const before = [(await show(awaited.id)).status, (await show(unknown.id)).status, await usage()];

  await first.kill();
  await endLeases(database);
  hang = false;
  await worker();

  expect(before).toEqual(['importing', 'active', { ...NOTHING, uploads: 2, running_jobs: 2 }]);
  for (const { id } of [awaited, unknown]) {
    await eventually(async () => (await task(id)).status === 'success', 90_000);
    expect(await show(id)).toMatchObject({
      status: 'active',
      checksum: digest('md5'),
      os_hash_value: digest('sha512'),
    });
  }
  expect(await usage()).toEqual(NOTHING);
}, 240_000);

it('ends with a failure when every worker that has it is killed, and the image is queued then', async () => {
  const url = web.page('/deadly', (_request, reply) => {
    reply.writeHead(200, { 'content-length': 9 * MIB });
    reply.write(randomBytes(MIB));
  });
  const { id } = await alice.create(RAW);
  expect((await alice.ask('POST', `/v2/images/${id}/locations`, { url })).status).toBe(202);
  await eventually(async () => (await task(id)).message === 'Read 1 MiB', 60_000);
  // As if two workers had died over it before this one.
  await database.query('UPDATE jobs SET attempt = 3 WHERE image_id = $1', [id]);

  for (const kiln of started) if (kiln.process.signalCode === null) await kiln.kill();
  await endLeases(database);
  await worker();

  await eventually(async () => (await show(id)).status === 'queued', 90_000);
  expect(await show(id)).toMatchObject({ size: null, locations: [] });
  expect(await task(id)).toMatchObject({ status: 'failure', message: expect.stringContaining('worker') });
  expect(await usage()).toEqual(NOTHING);
}, 240_000);
