// The exchanges are those of the Image API v2 reference ("Stage binary image data") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { usageOf } from '../../support/usage.js';
import { ask, Client, clients } from './wire.js';

const MIB = 1024 * 1024;
const TINY = '7c9d2d2fc3f66e2fac8c7c2c3e3f3f03';
const RAW = { disk_format: 'raw', container_format: 'bare' };

let kiln: RunningKiln;
let database: pg.Client;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;
let tim: Client;

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api', KILN_IMAGE_SIZE_MAX_BYTES: String(8 * MIB) },
    bootstrap: {
      projects: [
        ...STANDARD_BOOTSTRAP.projects,
        { name: 'tiny', id: TINY, limits: { staging_bytes: 3 * MIB, storage_bytes: 1, uploads: 3 } },
      ],
      users: [
        ...STANDARD_BOOTSTRAP.users,
        { name: 'tim', password: 's3cret-tim', roles: [{ project: 'tiny', role: 'member' }] },
      ],
    },
  });
  database = new pg.Client({ connectionString: kiln.databaseUrl });
  await database.connect();
  ({ root, alice, bob, rita } = await clients(kiln));
  tim = new Client(kiln, await kiln.token('tim', 'tiny'));
});

afterAll(async () => {
  await database?.end();
  await kiln?.stop();
});

const stage = (client: Client, id: string, data: Uint8Array | string, headers: Record<string, string> = {}) =>
  client.ask('PUT', `/v2/images/${id}/stage`, data, { 'content-type': 'application/octet-stream', ...headers });

const usage = () => usageOf(database, TINY, 'storage_bytes', 'staging_bytes', 'uploads');

const files = async (): Promise<number> =>
  Number((await database.query<{ count: string }>('SELECT count(*) FROM stored_files')).rows[0]!.count);

const NOTHING = { storage_bytes: 0, staging_bytes: 0, uploads: 0 };

describe('staging', () => {
  it('keeps the bytes, which count as staged, until the image is deleted', async () => {
    const image = await tim.create({});

    const staged = await stage(tim, image.id, randomBytes(2 * MIB));

    expect([staged.status, staged.text]).toEqual([204, '']);
    expect((await tim.show(image.id)).body).toMatchObject({
      status: 'uploading',
      size: 2 * MIB,
      checksum: null,
      os_hash_value: null,
    });
    expect((await tim.show(image.id)).body.stores).toBeUndefined();
    expect(await usage()).toEqual({ storage_bytes: 0, staging_bytes: 2 * MIB, uploads: 1 });
    expect((await tim.ask('DELETE', `/v2/images/${image.id}`)).status).toBe(204);
    expect(await usage()).toEqual(NOTHING);
    await eventually(async () => (await files()) === 0);
  });

  it('leaves nothing to read, nothing to upload to and no format to change', async () => {
    const image = await alice.create(RAW);
    await stage(alice, image.id, 'x');

    const answers = await Promise.all([
      alice.ask('GET', `/v2/images/${image.id}/file`),
      alice.upload(image.id, 'y'),
      stage(alice, image.id, 'y'),
      alice.patch(image.id, [{ op: 'replace', path: '/disk_format', value: 'qcow2' }]),
    ]);

    expect(answers.map(({ status }) => status)).toEqual([204, 409, 409, 403]);
    expect((await alice.patch(image.id, [{ op: 'replace', path: '/name', value: 'x' }])).status).toBe(200);
  });

  it('takes a body of unknown length, and one without bytes', async () => {
    const [chunked, empty] = [await alice.create(RAW), await alice.create(RAW)];
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new Uint8Array(1000));
        controller.close();
      },
    });

    const answer = await fetch(`${kiln.url}/image/v2/images/${chunked.id}/stage`, {
      method: 'PUT',
      headers: { 'x-auth-token': alice.token, 'content-type': 'application/octet-stream' },
      body,
      duplex: 'half',
    });
    const nothing = await stage(alice, empty.id, new Uint8Array());

    expect([answer.status, nothing.status]).toEqual([204, 204]);
    expect((await alice.show(chunked.id)).body).toMatchObject({ status: 'uploading', size: 1000 });
    expect((await alice.show(empty.id)).body).toMatchObject({ status: 'uploading', size: 0 });
  });

  it('needs a token, an image that is seen, a member of its project, and bytes', async () => {
    const image = await alice.create({ visibility: 'private' });
    const path = `/v2/images/${image.id}/stage`;

    expect((await ask(kiln, 'PUT', path, { body: 'x' })).status).toBe(401);
    expect((await stage(bob, image.id, 'x')).status).toBe(404);
    expect((await stage(rita, image.id, 'x')).status).toBe(403);
    expect((await stage(alice, randomUUID(), 'x')).status).toBe(404);
    expect((await stage(alice, 'no-id', 'x')).status).toBe(404);
    expect((await stage(alice, image.id, 'x', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await stage(alice, image.id, 'x', { 'x-image-meta-store': 'none' })).status).toBe(400);
    expect((await alice.show(image.id)).body.status).toBe('queued');
    expect((await stage(root, image.id, 'x')).status).toBe(204);
  });

  it('refuses more than any image may have', async () => {
    const image = await alice.create(RAW);

    const answer = await stage(alice, image.id, Buffer.alloc(8 * MIB + 1));

    expect(answer.status).toBe(413);
    expect((await alice.show(image.id)).body).toMatchObject({ status: 'queued', size: null });
  });

  it('is given to one of many that come at the same time', async () => {
    const image = await alice.create(RAW);

    const answers = await Promise.all(Array.from({ length: 6 }, () => stage(alice, image.id, randomBytes(10_000))));

    expect(answers.map(({ status }) => status).sort()).toEqual([204, 409, 409, 409, 409, 409]);
    expect((await alice.show(image.id)).body).toMatchObject({ status: 'uploading', size: 10_000 });
  });

  it('lets no project over its limits, however many come at the same time', async () => {
    const images = await Promise.all(Array.from({ length: 8 }, () => tim.create(RAW)));

    const answers = await Promise.all(images.map(({ id }) => stage(tim, id, randomBytes(MIB))));

    // Three fit, and three may be under way.
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 413)).toHaveLength(5);
    expect(await usage()).toEqual({ storage_bytes: 0, staging_bytes: 3 * MIB, uploads: 3 });
    await Promise.all(images.map(({ id }) => tim.ask('DELETE', `/v2/images/${id}`)));
    expect(await usage()).toEqual(NOTHING);
  });

  it('goes back to queued when the sender goes away', async () => {
    const image = await tim.create(RAW);
    const socket = connect(Number(new URL(kiln.url).port), '127.0.0.1');
    socket.write(
      `PUT /image/v2/images/${image.id}/stage HTTP/1.1\r\nHost: kiln\r\nContent-Type: application/octet-stream\r\n` +
        `X-Auth-Token: ${tim.token}\r\nContent-Length: ${MIB}\r\n\r\nnot all of it`,
    );
    await eventually(async () => (await tim.show(image.id)).body.status === 'uploading');
    const early = await tim.ask('POST', `/v2/images/${image.id}/import`, { method: { name: 'glance-direct' } });

    socket.destroy();

    expect(early.status).toBe(409);
    await eventually(async () => (await tim.show(image.id)).body.status === 'queued');
    // The bytes go after the status.
    await eventually(async () => expect(await usage()).toEqual(NOTHING));
  });

  it('ends with its image', async () => {
    const image = await tim.create(RAW);
    const socket = connect(Number(new URL(kiln.url).port), '127.0.0.1');
    const answered = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.write(
      `PUT /image/v2/images/${image.id}/stage HTTP/1.1\r\nHost: kiln\r\nContent-Type: application/octet-stream\r\n` +
        `X-Auth-Token: ${tim.token}\r\nContent-Length: ${MIB}\r\n\r\nnot all of it`,
    );
    await eventually(async () => (await tim.show(image.id)).body.status === 'uploading');

    await tim.ask('DELETE', `/v2/images/${image.id}`);

    expect(await usage()).toEqual(NOTHING);
    expect(await answered).toMatch(/^HTTP\/1.1 410 /);
    socket.destroy();
  });
});

describe('methods that are switched off', () => {
  let other: RunningKiln;
  beforeAll(async () => {
    other = await startKiln({ beside: kiln, env: { KILN_ROLE: 'api', KILN_IMPORT_METHODS: 'web-download' } });
  });
  afterAll(() => other?.stop());

  it('are neither named nor served', async () => {
    const client = new Client(other, alice.token);
    const image = await client.create(RAW);

    const info = await client.ask('GET', '/v2/info/import');
    const created = await client.ask('POST', '/v2/images', {});
    const staged = await stage(client, image.id, 'x');
    const imported = await client.ask('POST', `/v2/images/${image.id}/import`, { method: { name: 'copy-image' } });

    expect(info.body['import-methods'].value).toEqual(['web-download']);
    expect(created.headers.get('openstack-image-import-methods')).toBe('web-download');
    expect([staged.status, imported.status]).toEqual([404, 400]);
  });
});
