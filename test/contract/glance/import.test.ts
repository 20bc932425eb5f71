// The exchanges are those of the Image API v2 reference ("Interoperable image import") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { usageOf } from '../../support/usage.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { ask, Client, clients } from './wire.js';

const MIB = 1024 * 1024;
const TINY = '7c9d2d2fc3f66e2fac8c7c2c3e3f3f03';
const RAW = { disk_format: 'raw', container_format: 'bare' };
const OCTETS = { 'content-type': 'application/octet-stream' };

let web: WebServer;
let folder: string;
let kiln: RunningKiln;
let database: pg.Client;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;
let tim: Client;

beforeAll(async () => {
  web = await webServer();
  folder = await mkdtemp(join(tmpdir(), 'kiln-stores-'));
  kiln = await startKiln({
    env: {
      KILN_EGRESS_ALLOW: web.host,
      KILN_IMAGE_SIZE_MAX_BYTES: String(16 * MIB),
      KILN_STORES: JSON.stringify(
        ['fast', 'archive', 'spare'].map((id) => ({ id, type: 'file', path: join(folder, id) })),
      ),
      KILN_GLANCE_REGIONS: JSON.stringify({ RegionTwo: { public: `http://${web.host}/two` } }),
      KILN_IMPORT_INJECT_PROPERTIES: '{"from_import":"yes"}',
    },
    bootstrap: {
      projects: [
        ...STANDARD_BOOTSTRAP.projects,
        { name: 'tiny', id: TINY, limits: { storage_bytes: 3 * MIB, staging_bytes: 2 * MIB, uploads: 1 } },
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
  await web?.close();
  await rm(folder, { recursive: true, force: true });
});

const digest = (algorithm: string, data: Uint8Array): string => createHash(algorithm).update(data).digest('hex');
const stage = (client: Client, id: string, data: Uint8Array) =>
  client.ask('PUT', `/v2/images/${id}/stage`, data, OCTETS);
const imported = (client: Client, id: string, body: unknown, headers: Record<string, string> = {}) =>
  client.ask('POST', `/v2/images/${id}/import`, body, headers);
const fromWeb = (uri: string) => ({ method: { name: 'web-download', uri } });
const DIRECT = { method: { name: 'glance-direct' } };
const COPY = { method: { name: 'copy-image' } };

/** The image once no import has it any more. */
async function settled(client: Client, id: string): Promise<any> {
  return eventually(async () => {
    const { body } = await client.show(id);
    return body.os_glance_import_task === undefined && body.status !== 'importing' ? body : false;
  }, 60_000);
}

async function tasksOf(client: Client, id: string): Promise<any[]> {
  const { status, body } = await client.ask('GET', `/v2/images/${id}/tasks`);
  expect(status).toBe(200);
  return body.tasks;
}

const usage = (project = ALPHA) =>
  usageOf(database, project, 'storage_bytes', 'staging_bytes', 'uploads', 'running_jobs', 'queued_jobs');

async function download(client: Client, id: string): Promise<Buffer> {
  const reply = await fetch(`${kiln.url}/image/v2/images/${id}/file`, { headers: { 'x-auth-token': client.token } });
  return Buffer.from(await reply.arrayBuffer());
}

describe('discovery', () => {
  it('names the methods, in a call of its own and in the answer to every create', async () => {
    const methods = ['glance-direct', 'web-download', 'glance-download', 'copy-image'];

    const info = await alice.ask('GET', '/v2/info/import');
    const created = await alice.ask('POST', '/v2/images', {});

    expect(info.body).toEqual({
      'import-methods': { description: expect.any(String), type: 'array', value: methods },
    });
    expect(created.headers.get('openstack-image-import-methods')).toBe(methods.join(','));
    expect(created.headers.get('openstack-image-store-ids')).toBe('fast,archive,spare');
  });

  it.each([
    ['GET', '/v2/images/x/stage', 'PUT'],
    ['GET', '/v2/images/x/import', 'POST'],
    ['POST', '/v2/info/import', 'GET'],
    ['POST', '/v2/images/x/tasks', 'GET'],
  ])('answers %s %s with what it takes', async (method, path, allow) => {
    const answer = await alice.ask(method, path);

    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe(allow);
  });
});

describe('glance-direct', () => {
  it('makes what is staged the data of the image', async () => {
    const data = randomBytes(2 * MIB);
    const before = await usage();
    const image = await alice.create({ ...RAW, name: 'direct' });
    expect((await stage(alice, image.id, data)).status).toBe(204);
    expect(await usage()).toEqual({ ...before, staging_bytes: before.staging_bytes! + 2 * MIB, uploads: 1 });

    const accepted = await imported(alice, image.id, DIRECT);

    expect(accepted).toMatchObject({ status: 202, text: '' });
    expect(await settled(alice, image.id)).toMatchObject({
      status: 'active',
      size: 2 * MIB,
      virtual_size: 2 * MIB,
      checksum: digest('md5', data),
      os_hash_algo: 'sha512',
      os_hash_value: digest('sha512', data),
      stores: 'fast',
      os_glance_importing_to_stores: '',
      os_glance_failed_import: '',
      from_import: 'yes',
    });
    expect(await download(alice, image.id)).toEqual(data);
    const after = { ...before, storage_bytes: before.storage_bytes! + 2 * MIB };
    await eventually(async () => expect(await usage()).toEqual(after));
    expect(await tasksOf(alice, image.id)).toEqual([
      {
        id: expect.any(String),
        type: 'api_image_import',
        status: 'success',
        owner: ALPHA,
        input: {
          image_id: image.id,
          import_req: { method: { name: 'glance-direct' }, stores: ['fast'], all_stores_must_succeed: true },
          backend: ['fast'],
        },
        result: { image_id: image.id },
        message: 'Copied 2 MiB',
        image_id: image.id,
        request_id: accepted.headers.get('x-openstack-request-id'),
        user_id: expect.any(String),
        expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        created_at: expect.any(String),
        updated_at: expect.any(String),
        self: expect.stringMatching(/^\/v2\/tasks\//),
        schema: '/v2/schemas/task',
      },
    ]);
  });

  it.each([
    ['a store where it is not staged', { stores: ['archive'] }, {}, 'archive'],
    ['the store that the header names', {}, { 'x-image-meta-store': 'spare' }, 'spare'],
    ['several stores', { stores: ['archive', 'fast'] }, {}, 'archive,fast'],
    ['every store', { all_stores: true }, {}, 'archive,fast,spare'],
  ])('puts it into %s', async (_where, choice, headers, stores) => {
    const data = randomBytes(MIB);
    const image = await alice.create(RAW);
    await stage(alice, image.id, data);

    const accepted = await imported(alice, image.id, { ...DIRECT, ...choice }, headers);

    expect(accepted.status).toBe(202);
    expect(await settled(alice, image.id)).toMatchObject({ status: 'active', stores, checksum: digest('md5', data) });
    const { rows } = await database.query('SELECT store_id FROM image_copies WHERE image_id = $1', [image.id]);
    expect(
      rows
        .map(({ store_id }) => store_id)
        .sort()
        .join(','),
    ).toBe(stores);
    expect((await usage()).staging_bytes).toBe(0);
  });

  it('needs something that is staged', async () => {
    const image = await alice.create(RAW);

    const answer = await imported(alice, image.id, DIRECT);

    expect(answer.status).toBe(409);
  });

  it('fails when the copies do not fit, and nothing is left of what was staged', async () => {
    const image = await tim.create(RAW);
    expect((await stage(tim, image.id, randomBytes(2 * MIB))).status).toBe(204);

    const answer = await imported(tim, image.id, { ...DIRECT, stores: ['fast', 'archive'] });

    expect(answer.status).toBe(413);
    expect((await tim.show(image.id)).body).toMatchObject({ status: 'uploading', size: 2 * MIB });
    expect((await tim.ask('DELETE', `/v2/images/${image.id}`)).status).toBe(204);
    expect(await usage(TINY)).toMatchObject({ storage_bytes: 0, staging_bytes: 0, uploads: 0 });
  });
});

describe('web-download', () => {
  it('fetches from an address, with the length or without', async () => {
    const data = randomBytes(3 * MIB);
    const pages = [
      web.bytes('/with-length', data),
      web.page('/in-chunks', (_request, reply) => {
        reply.write(data.subarray(0, MIB));
        reply.end(data.subarray(MIB));
      }),
      web.page('/elsewhere', (_request, reply) => void reply.writeHead(302, { location: '/with-length' }).end()),
    ];

    for (const uri of pages) {
      const image = await alice.create(RAW);
      expect((await imported(alice, image.id, fromWeb(uri))).status).toBe(202);

      expect(await settled(alice, image.id)).toMatchObject({ status: 'active', checksum: digest('md5', data) });
    }
  });

  it('asks its source once for several stores', async () => {
    const data = randomBytes(MIB);
    const uri = web.bytes('/once', data);
    const image = await alice.create(RAW);

    await imported(alice, image.id, { ...fromWeb(uri), all_stores: true });

    expect(await settled(alice, image.id)).toMatchObject({ status: 'active', stores: 'archive,fast,spare' });
    expect(web.asked.filter((path) => path === '/once')).toHaveLength(1);
  });

  it('shows what it is at while bytes flow', async () => {
    let finish!: () => void;
    const uri = web.page('/slow', (_request, reply) => {
      reply.writeHead(200, { 'content-length': 4 * MIB });
      reply.write(Buffer.alloc(2 * MIB));
      finish = () => reply.end(Buffer.alloc(2 * MIB));
    });
    const image = await alice.create(RAW);
    await imported(alice, image.id, { ...fromWeb(uri), stores: ['fast', 'spare'] });

    const task = await eventually(async () => {
      const [found] = await tasksOf(alice, image.id);
      return found.message === 'Copied 2 MiB' ? found : false;
    });
    const during = (await alice.show(image.id)).body;
    const data = await alice.ask('GET', `/v2/images/${image.id}/file`);
    finish();

    expect(task).toMatchObject({ status: 'processing', type: 'api_image_import' });
    expect(during).toMatchObject({
      status: 'importing',
      os_glance_import_task: task.id,
      os_glance_importing_to_stores: 'fast,spare',
      os_glance_failed_import: '',
    });
    expect(data.status).toBe(204);
    expect(await settled(alice, image.id)).toMatchObject({ status: 'active', size: 4 * MIB });
  });

  it.each([
    ['answers with an error', '/missing', null],
    ['breaks off', '/short', 10],
    ['sends more than any image may have', '/long', 17 * MIB],
  ])('fails when its source %s, and can be tried again', async (_what, path, announced) => {
    const uri =
      announced === null
        ? `http://${web.host}${path}`
        : web.page(path, (_request, reply) => {
            reply.writeHead(200, { 'content-length': announced });
            reply.write('short');
            reply.destroy();
          });
    const before = await usage();
    const image = await alice.create(RAW);
    expect((await imported(alice, image.id, fromWeb(uri))).status).toBe(202);

    expect(await settled(alice, image.id)).toMatchObject({ status: 'queued', size: null, checksum: null });
    expect(await tasksOf(alice, image.id)).toMatchObject([
      { status: 'failure', message: expect.stringMatching(/.../), result: null },
    ]);
    expect(await usage()).toEqual(before);

    await imported(alice, image.id, fromWeb(web.bytes('/good', randomBytes(100))));
    expect(await settled(alice, image.id)).toMatchObject({ status: 'active', size: 100 });
  });

  it('fails when it outgrows the room of its project while it streams', async () => {
    const uri = web.page('/unknown-length', (_request, reply) => {
      reply.write(Buffer.alloc(2 * MIB));
      reply.end(Buffer.alloc(2 * MIB));
    });
    const image = await tim.create(RAW);
    await imported(tim, image.id, fromWeb(uri));

    expect(await settled(tim, image.id)).toMatchObject({ status: 'queued' });
    const [task] = await tasksOf(tim, image.id);
    expect(task).toMatchObject({ status: 'failure', message: expect.stringContaining('storage_bytes') });
    expect(await usage(TINY)).toMatchObject({ storage_bytes: 0, uploads: 0 });
  });

  it.each([
    ['none', undefined],
    ['a number', 7],
    ['another scheme', 'file:///etc/passwd'],
    ['a private address', 'http://10.0.0.1/x'],
    ['loopback behind a number', 'http://2130706433/x'],
    ['a port that is not for the web', 'http://example.org:22/x'],
  ])('refuses %s as its address', async (_what, uri) => {
    const image = await alice.create(RAW);

    const answer = await imported(alice, image.id, { method: { name: 'web-download', uri } });

    expect(answer.status).toBe(400);
    expect((await alice.show(image.id)).body).toMatchObject({ status: 'queued' });
    expect(await tasksOf(alice, image.id)).toEqual([]);
  });

  it('follows no redirect to where it may not go', async () => {
    const uri = web.page(
      '/inside',
      (_request, reply) => void reply.writeHead(302, { location: 'http://127.0.0.1:1/secret' }).end(),
    );
    const image = await alice.create(RAW);
    await imported(alice, image.id, fromWeb(uri));

    expect(await settled(alice, image.id)).toMatchObject({ status: 'queued' });
    expect(await tasksOf(alice, image.id)).toMatchObject([{ status: 'failure' }]);
  });
});

describe('copy-image', () => {
  it('adds copies, and leaves the image as it is', async () => {
    const data = randomBytes(MIB);
    const image = await alice.createWithData(data);

    const answer = await imported(root, image.id, { ...COPY, stores: ['archive', 'spare'] });

    expect(answer.status).toBe(202);
    expect((await alice.show(image.id)).body.status).toBe('active');
    const copied = await settled(alice, image.id);
    expect(copied).toMatchObject({ stores: 'archive,fast,spare', checksum: image.checksum, status: 'active' });
    expect(copied.from_import).toBeUndefined();
  });

  it('has nothing to do when every store has the data', async () => {
    const image = await alice.createWithData(randomBytes(10));
    await imported(root, image.id, { ...COPY, all_stores: true });
    await settled(alice, image.id);

    const again = await imported(root, image.id, { ...COPY, all_stores: true });

    expect(again.status).toBe(202);
    expect(await tasksOf(alice, image.id)).toHaveLength(1);
  });

  it('is for administrators, and for active images', async () => {
    const image = await alice.createWithData(randomBytes(10));
    const empty = await alice.create(RAW);

    expect((await imported(alice, image.id, { ...COPY, stores: ['spare'] })).status).toBe(403);
    expect((await imported(bob, image.id, { ...COPY, stores: ['spare'] })).status).toBe(404);
    expect((await imported(root, empty.id, { ...COPY, stores: ['spare'] })).status).toBe(409);
    expect((await imported(root, image.id, { ...COPY, stores: ['fast'] })).status).toBe(400);
  });
});

describe('glance-download', () => {
  it('takes data, formats and some properties of an image of this region', async () => {
    const data = randomBytes(MIB);
    const source = await alice.createWithData(data, {
      container_format: 'bare',
      hw_disk_bus: 'scsi',
      os_distro: 'debian',
      secret: 'x',
    });
    const image = await alice.create({ disk_format: 'qcow2', container_format: 'bare', hw_disk_bus: 'ide' });

    const answer = await imported(alice, image.id, {
      method: { name: 'glance-download', glance_region: 'RegionOne', glance_image_id: source.id },
    });

    expect(answer.status).toBe(202);
    const done = await settled(alice, image.id);
    expect(done).toMatchObject({
      status: 'active',
      checksum: digest('md5', data),
      disk_format: 'raw',
      hw_disk_bus: 'scsi',
      os_distro: 'debian',
    });
    expect(done.secret).toBeUndefined();
  });

  /** An image of another region, which shows it to whoever has this token. */
  function remoteImage(token: string, data: Buffer, changes: object = {}): string {
    const id = randomUUID();
    const record = { id, status: 'active', disk_format: 'raw', container_format: 'bare', os_type: 'linux', ...changes };
    const shown = (path: string, body: string | Buffer) =>
      web.page(path, ({ headers }, reply) => {
        if (headers['x-auth-token'] === token) reply.end(body);
        else reply.writeHead(404).end();
      });
    shown(`/two/v2/images/${id}`, JSON.stringify(record));
    shown(`/two/v2/images/${id}/file`, data);
    return id;
  }

  it('asks another region with the token of whoever asked, and keeps that no longer than needed', async () => {
    const data = randomBytes(1000);
    const remote = remoteImage(alice.token, data, { os_hash_algo: 'sha512', os_hash_value: digest('sha512', data) });
    const image = await alice.create(RAW);

    const method = { name: 'glance-download', glance_region: 'RegionTwo', glance_image_id: remote };
    expect((await imported(alice, image.id, { method })).status).toBe(202);

    expect(await settled(alice, image.id)).toMatchObject({
      status: 'active',
      checksum: digest('md5', data),
      os_type: 'linux',
    });
    const { rows } = await database.query('SELECT sealed_token, input::text FROM jobs WHERE image_id = $1', [image.id]);
    expect(rows).toEqual([{ sealed_token: null, input: expect.not.stringContaining(alice.token) }]);
  });

  it.each([
    ['that its region shows to somebody else', () => remoteImage('another token', randomBytes(5)), 'public'],
    ['without data', () => remoteImage(alice.token, randomBytes(5), { status: 'queued' }), 'public'],
    [
      'that comes out different from what its region says',
      () => remoteImage(alice.token, randomBytes(5), { os_hash_algo: 'sha512', os_hash_value: 'ab'.repeat(64) }),
      'public',
    ],
    ['of an interface that its region does not have', () => remoteImage(alice.token, randomBytes(5)), 'admin'],
  ])('fails for an image of another region %s', async (_what, remote, serviceInterface) => {
    const image = await alice.create(RAW);
    const method = {
      name: 'glance-download',
      glance_region: 'RegionTwo',
      glance_image_id: remote(),
      glance_service_interface: serviceInterface,
    };

    expect((await imported(alice, image.id, { method })).status).toBe(202);

    expect(await settled(alice, image.id)).toMatchObject({ status: 'queued' });
    expect(await tasksOf(alice, image.id)).toMatchObject([{ status: 'failure' }]);
  });

  it.each([
    ['of a region that does not exist', 'Nowhere', () => randomUUID()],
    ['that does not exist', 'RegionOne', () => randomUUID()],
    ['that the asker may not see', 'RegionOne', async () => (await bob.createWithData(randomBytes(5))).id],
  ])('fails for an image %s', async (_what, region, id) => {
    const image = await alice.create({ ...RAW, hw_disk_bus: 'ide' });

    const answer = await imported(alice, image.id, {
      method: { name: 'glance-download', glance_region: region, glance_image_id: await id() },
    });

    expect(answer.status).toBe(202);
    expect(await settled(alice, image.id)).toMatchObject({ status: 'queued', hw_disk_bus: 'ide', disk_format: 'raw' });
    expect(await tasksOf(alice, image.id)).toMatchObject([{ status: 'failure' }]);
  });

  it.each([
    ['no region', { glance_image_id: randomUUID() }],
    ['no image', { glance_region: 'RegionOne' }],
    ['an image id that is none', { glance_region: 'RegionOne', glance_image_id: 'x' }],
    [
      'an interface that is no text',
      { glance_region: 'RegionOne', glance_image_id: randomUUID(), glance_service_interface: 1 },
    ],
  ])('refuses %s', async (_what, method) => {
    const image = await alice.create(RAW);

    const answer = await imported(alice, image.id, { method: { name: 'glance-download', ...method } });

    expect(answer.status).toBe(400);
  });
});

describe('an import', () => {
  it.each([
    ['no JSON', '{'],
    ['a list', []],
    ['no method', {}],
    ['a method that is a text', { method: 'web-download' }],
    ['a method without a name', { method: {} }],
    ['a method that is not offered', { method: { name: 'rsync' } }],
    ['an all_stores that is a text', { ...DIRECT, all_stores: 'true' }],
    ['an all_stores_must_succeed that is a text', { ...DIRECT, all_stores_must_succeed: 'no' }],
    ['stores that are a text', { ...DIRECT, stores: 'fast' }],
    ['stores that are numbers', { ...DIRECT, stores: [1] }],
  ])('refuses a body with %s', async (_what, body) => {
    const image = await alice.create(RAW);
    await stage(alice, image.id, Buffer.from('x'));

    const answer = await imported(alice, image.id, body);

    expect(answer.status).toBe(400);
    expect((await alice.show(image.id)).body.status).toBe('uploading');
  });

  it.each([
    ['all_stores with stores', { all_stores: true, stores: ['fast'] }, {}, 400],
    ['all_stores with the header', { all_stores: true }, { 'x-image-meta-store': 'fast' }, 400],
    ['stores with the header', { stores: ['fast'] }, { 'x-image-meta-store': 'fast' }, 400],
    ['no store at all', { stores: [] }, {}, 400],
    ['an unknown store', { stores: ['fast', 'none'] }, {}, 409],
    ['an unknown store in the header', {}, { 'x-image-meta-store': 'none' }, 409],
  ])('refuses %s', async (_what, choice, headers, status) => {
    const image = await alice.create(RAW);
    await stage(alice, image.id, Buffer.from('x'));

    const answer = await imported(alice, image.id, { ...DIRECT, ...choice }, headers);

    expect(answer.status).toBe(status);
    expect((await alice.show(image.id)).body.status).toBe('uploading');
  });

  it('needs a token, an image that is seen, and a member of its project', async () => {
    const uri = web.bytes('/mine', Buffer.from('x'));
    const image = await alice.create({ ...RAW, visibility: 'private' });
    const path = `/v2/images/${image.id}/import`;

    expect((await ask(kiln, 'POST', path, { body: fromWeb(uri) })).status).toBe(401);
    expect((await imported(bob, image.id, fromWeb(uri))).status).toBe(404);
    expect((await imported(rita, image.id, fromWeb(uri))).status).toBe(403);
    expect((await imported(alice, randomUUID(), fromWeb(uri))).status).toBe(404);
    expect((await imported(alice, 'no-id', fromWeb(uri))).status).toBe(404);
    expect((await ask(kiln, 'GET', '/v2/info/import')).status).toBe(401);
  });

  it('needs both formats, and an image that is not active', async () => {
    const uri = web.bytes('/formats', Buffer.from('x'));
    const active = await alice.createWithData(Buffer.from('x'));
    const half = await alice.create({ disk_format: 'raw' });

    expect((await imported(alice, half.id, fromWeb(uri))).status).toBe(409);
    expect((await imported(alice, active.id, fromWeb(uri))).status).toBe(409);
    expect((await imported(alice, active.id, DIRECT)).status).toBe(409);
  });

  it('is accepted once when many are asked for at the same time', async () => {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const uri = web.page('/held', (_request, reply) => void released.then(() => reply.end('data')));
    const image = await alice.create(RAW);

    const answers = await Promise.all(Array.from({ length: 8 }, () => imported(alice, image.id, fromWeb(uri))));
    const copies = await alice.createWithData(randomBytes(1000));
    const both = await Promise.all(
      Array.from({ length: 6 }, () => imported(root, copies.id, { ...COPY, stores: ['spare'] })),
    );
    release();

    expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array<number>(7).fill(409)]);
    expect(both.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(await settled(alice, image.id)).toMatchObject({ status: 'active' });
    expect(await tasksOf(alice, image.id)).toHaveLength(1);
    expect(await settled(alice, copies.id)).toMatchObject({ stores: 'fast,spare' });
  });

  it('ends quietly with its image, which costs nothing from then on', async () => {
    const uri = web.page('/endless', (_request, reply) => void reply.write(Buffer.alloc(MIB)));
    const before = await usage();
    const image = await alice.create(RAW);
    await imported(alice, image.id, fromWeb(uri));
    await eventually(async () => (await tasksOf(alice, image.id))[0]!.message === 'Copied 1 MiB');

    const deleted = await alice.ask('DELETE', `/v2/images/${image.id}`);

    expect(deleted.status).toBe(204);
    expect(await usage()).toMatchObject({ ...before });
    const { body } = await root.ask('GET', '/v2/tasks?status=failure&limit=1');
    expect(body.tasks).toHaveLength(1);
  });

  it('lets nobody write its properties', async () => {
    const image = await alice.create(RAW);
    const name = 'os_glance_import_task';

    const created = await alice.ask('POST', '/v2/images', { [name]: 'x' });
    const patched = await alice.patch(image.id, [{ op: 'add', path: `/${name}`, value: 'x' }]);

    expect([created.status, patched.status]).toEqual([403, 403]);
  });

  it('is bounded by the uploads that a project may have at once', async () => {
    const uri = web.page('/tim', (_request, reply) => void reply.write('x'));
    const [first, second] = [await tim.create(RAW), await tim.create(RAW)];
    expect((await imported(tim, first.id, fromWeb(uri))).status).toBe(202);

    const refused = await imported(tim, second.id, fromWeb(uri));

    expect(refused.status).toBe(413);
    await tim.ask('DELETE', `/v2/images/${first.id}`);
    expect(await usage(TINY)).toMatchObject({ uploads: 0, storage_bytes: 0 });
  });
});
