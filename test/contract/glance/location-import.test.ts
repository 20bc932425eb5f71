// The exchanges are those of the Image API v2 reference ("Locations", 2.17) and of Glance 2024.2.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { qcow2 } from '../../support/disks/disk-images.js';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { usageOf } from '../../support/usage.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { ask, Client, clients } from './wire.js';

const MIB = 1024 * 1024;
const RAW = { disk_format: 'raw', container_format: 'bare' };
const DATA = randomBytes(MIB);
const digest = (algorithm: string, data: Uint8Array = DATA): string => createHash(algorithm).update(data).digest('hex');
const awaiting = (algorithm: string, value = digest(algorithm)) => ({
  validation_data: { os_hash_algo: algorithm, os_hash_value: value },
});
const KNOWN = { size: MIB, checksum: digest('md5'), os_hash_algo: 'sha512', os_hash_value: digest('sha512') };

let web: WebServer;
let folder: string;
let kiln: RunningKiln;
let database: pg.Client;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;
let nova: Client;
/** An address that the rules allow, at which nobody listens. */
let deaf: string;
let url: string;

beforeAll(async () => {
  const closed = await webServer();
  deaf = `http://${closed.host}/x`;
  await closed.close();
  web = await webServer();
  url = web.bytes('/disk', DATA);
  folder = await mkdtemp(join(tmpdir(), 'kiln-stores-'));
  kiln = await startKiln({
    env: {
      KILN_IMAGE_LOCATIONS: 'shown',
      KILN_EGRESS_ALLOW: `${web.host},${closed.host}`,
      KILN_IMAGE_SIZE_MAX_BYTES: String(4 * MIB),
      KILN_STORES: JSON.stringify(['fast', 'spare'].map((id) => ({ id, type: 'file', path: join(folder, id) }))),
    },
    bootstrap: {
      ...STANDARD_BOOTSTRAP,
      users: [
        ...STANDARD_BOOTSTRAP.users,
        {
          name: 'nova',
          password: 's3cret-nova',
          roles: ['reader', 'service'].map((role) => ({ project: 'alpha', role })),
        },
      ],
    },
  });
  database = new pg.Client({ connectionString: kiln.databaseUrl });
  await database.connect();
  ({ root, alice, bob, rita } = await clients(kiln));
  nova = new Client(kiln, await kiln.token('nova', 'alpha'));
});

afterAll(async () => {
  await database?.end();
  await kiln?.stop();
  await web?.close();
  await rm(folder, { recursive: true, force: true });
});

const add = (client: Client, id: string, body: unknown) => client.ask('POST', `/v2/images/${id}/locations`, body);
const placesOf = (client: Client, id: string) => client.ask('GET', `/v2/images/${id}/locations`);
const download = (client: Client, id: string) => client.ask('GET', `/v2/images/${id}/file`);

async function settled(id: string): Promise<any> {
  return eventually(async () => {
    const { body } = await alice.show(id);
    return body.os_glance_import_task === undefined ? body : false;
  }, 60_000);
}

async function taskOf(id: string): Promise<any> {
  const { body } = await alice.ask('GET', `/v2/images/${id}/tasks`);
  expect(body.tasks).toHaveLength(1);
  return body.tasks[0];
}

const usage = () => usageOf(database, ALPHA, 'storage_bytes', 'uploads', 'running_jobs', 'queued_jobs');

describe('a location with a digest', () => {
  it.each(['md5', 'sha1', 'sha256', 'sha512'])(
    'makes the image active when its %s has come out right',
    async (name) => {
      const { id } = await alice.create(RAW);

      const answer = await add(alice, id, { url, ...awaiting(name, digest(name).toUpperCase()) });

      expect([answer.status, answer.text]).toEqual([202, '']);
      expect(await settled(id)).toMatchObject({ ...KNOWN, status: 'active', stores: 'http', virtual_size: MIB });
      expect((await placesOf(root, id)).body).toEqual([{ url, metadata: { store: 'http' } }]);
      expect(await taskOf(id)).toMatchObject({
        type: 'location_import',
        status: 'success',
        input: { image_id: id, loc_url: url, validation_data: { os_hash_algo: name, os_hash_value: digest(name) } },
        result: { image_id: id },
        message: 'Read 1 MiB',
      });
      const { rows } = await database.query('SELECT job_type, face FROM jobs WHERE image_id = $1', [id]);
      expect(rows).toEqual([{ job_type: 'hash', face: 'glance' }]);
      expect(await usage()).toMatchObject({ storage_bytes: 0, uploads: 0, running_jobs: 0, queued_jobs: 0 });
    },
  );

  it('has a manifest once it is copied into a store, and none before', async () => {
    const { id } = await alice.create(RAW);
    await add(alice, id, { url, ...awaiting('md5') });
    await settled(id);
    const link = async () =>
      (await database.query('SELECT link_path FROM images WHERE id = $1', [id])).rows[0].link_path;
    const before = await link();

    const copy = { method: { name: 'copy-image' }, stores: ['fast'] };
    expect((await root.ask('POST', `/v2/images/${id}/import`, copy)).status).toBe(202);

    await eventually(async () => expect(await link()).toBe(`s3://boot-images/${id}/manifest.json`), 60_000);
    expect(before).toBeNull();
    await settled(id);
    await alice.ask('DELETE', `/v2/images/${id}`);
  });

  it('leaves the image importing until then, for one task and nobody else', async () => {
    const page = web.held('/held', DATA);
    const { id } = await alice.create(RAW);
    expect((await add(alice, id, { url: page.url, ...awaiting('md5') })).status).toBe(202);

    const before = (await alice.show(id)).body;
    const again = await add(alice, id, { url, ...awaiting('md5') });
    const uploaded = await alice.upload(id, DATA);
    const read = await download(alice, id);
    page.release();

    expect(before).toMatchObject({ status: 'importing', locations: [] });
    expect(before.os_glance_import_task).toBe((await taskOf(id)).id);
    expect([again.status, uploaded.status, read.status]).toEqual([409, 409, 204]);
    expect(await settled(id)).toMatchObject({ ...KNOWN, status: 'active' });
  });

  it.each([
    ['comes out with another digest', () => ({ url, ...awaiting('sha256', 'ab'.repeat(32)) }), 'sha256'],
    ['is empty', () => ({ url: web.bytes('/empty', Buffer.alloc(0)), ...awaiting('md5') }), 'no data'],
    ['is not there', () => ({ url: `http://${web.host}/missing`, ...awaiting('md5') }), '404'],
    ['does not answer', () => ({ url: deaf, ...awaiting('md5') }), 'refused the connection'],
    ['is too large', () => ({ url: web.bytes('/large', Buffer.alloc(5 * MIB)), ...awaiting('md5') }), 'more than'],
    ['leads to where nobody may go', () => ({ url: redirect('http://127.0.0.1:1/x'), ...awaiting('md5') }), 'refused'],
  ])('that %s leaves the image queued, and its task a failure', async (_what, body, message) => {
    const { id } = await alice.create(RAW);

    expect((await add(alice, id, body())).status).toBe(202);

    expect(await settled(id)).toMatchObject({ status: 'queued', size: null, checksum: null, locations: [] });
    expect(await taskOf(id)).toMatchObject({ status: 'failure', message: expect.stringContaining(message) });
    expect(await usage()).toMatchObject({ uploads: 0, running_jobs: 0, queued_jobs: 0 });
    expect((await alice.upload(id, DATA)).status).toBe(204);
    await alice.ask('DELETE', `/v2/images/${id}`);
  });

  it('of another format than the image says leaves it queued', async () => {
    const data = qcow2({});
    const { id } = await alice.create(RAW);

    const answer = await add(alice, id, { url: web.bytes('/qcow2', data), ...awaiting('md5', digest('md5', data)) });

    expect(answer.status).toBe(202);
    expect(await settled(id)).toMatchObject({ status: 'queued' });
    expect((await taskOf(id)).status).toBe('failure');
  });

  const redirect = (location: string): string =>
    web.page('/redirect', (_request, reply) => void reply.writeHead(302, { location }).end());

  it('ends quietly with its image', async () => {
    const page = web.held('/forever', DATA);
    const { id } = await alice.create(RAW);
    await add(alice, id, { url: page.url, ...awaiting('md5') });
    await eventually(() => web.asked.includes('/forever'), 60_000);

    expect((await alice.ask('DELETE', `/v2/images/${id}`)).status).toBe(204);

    expect(await usage()).toMatchObject({ uploads: 0, running_jobs: 0, queued_jobs: 0 });
    const { rows } = await database.query('SELECT status, cause_code FROM jobs WHERE image_id = $1', [id]);
    expect(rows).toEqual([{ status: 'cancelled', cause_code: 'image.deleted' }]);
  });
});

const set = (client: Client, id: string, at: string) =>
  client.patch(id, [{ op: 'add', path: '/locations/-', value: { url: at, metadata: {} } }]);

describe.each([
  ['added', (id: string, at: string) => add(alice, id, { url: at, validation_data: {} }), 202],
  ['set by a patch', (id: string, at: string) => set(alice, id, at), 200],
])('a location without a digest that is %s', (how, place, accepted) => {
  it('makes the image active at once; its bytes are read when they were looked at', async () => {
    const page = web.held(`/slow/${encodeURIComponent(how)}`, DATA);
    const { id } = await alice.create(RAW);

    const answer = await place(id, page.url);

    expect(answer.status).toBe(accepted);
    expect((await alice.show(id)).body).toMatchObject({ status: 'active', size: MIB, checksum: null, stores: 'http' });
    expect((await download(alice, id)).status).toBe(503);
    // Only what is the same file for certain may be said of them meanwhile.
    expect((await set(alice, id, url)).status).toBe(409);
    expect((await set(alice, id, `${page.url}#again`)).status).toBe(200);
    page.release();
    expect(await settled(id)).toMatchObject({ ...KNOWN, status: 'active', virtual_size: MIB });
    expect((await download(alice, id)).status).toBe(200);
  });

  it('of a file that nobody should open takes the image back to queued', async () => {
    const data = qcow2({ backingFile: '/etc/passwd' });
    const { id } = await alice.create({ disk_format: 'qcow2', container_format: 'bare' });

    expect((await place(id, web.bytes('/backed', data))).status).toBe(accepted);

    expect(await settled(id)).toMatchObject({ status: 'queued', size: null, locations: [] });
    expect(await taskOf(id)).toMatchObject({ status: 'failure', message: expect.stringContaining(id) });
    expect((await download(alice, id)).status).toBe(204);
    expect(await usage()).toMatchObject({ uploads: 0, running_jobs: 0 });
  });

  it('of another format than the image says takes it back, too', async () => {
    const { id } = await alice.create(RAW);

    expect((await place(id, web.bytes('/qcow2', qcow2({})))).status).toBe(accepted);

    expect(await settled(id)).toMatchObject({ status: 'queued' });
    expect((await taskOf(id)).status).toBe('failure');
  });

  it.each([
    ['nothing is there', () => `http://${web.host}/missing`, 400],
    ['nobody answers', () => deaf, 503],
  ])('is refused at once where %s', async (_what, address, status) => {
    const { id } = await alice.create(RAW);

    expect((await place(id, address())).status).toBe(status);

    expect((await alice.show(id)).body.status).toBe('queued');
    expect((await alice.ask('GET', `/v2/images/${id}/tasks`)).body.tasks).toEqual([]);
  });
});

describe('a location that is added', () => {
  it.each([
    ['no JSON', '{'],
    ['a list', []],
    ['no url', {}],
    ['a url that is a number', { url: 7 }],
    ['an empty url', { url: '' }],
    ['a url that is too long', { url: `http://mirror.example.org/${'a'.repeat(255)}` }],
    ['something else', { url: 'http://mirror.example.org/', metadata: {} }],
    ['validation data that is a text', { url: 'http://mirror.example.org/', validation_data: 'x' }],
    ['an algorithm alone', { url: 'http://mirror.example.org/', validation_data: { os_hash_algo: 'md5' } }],
    ['a digest alone', { url: 'http://mirror.example.org/', validation_data: { os_hash_value: 'ab'.repeat(16) } }],
    ['an unknown algorithm', { url: 'http://mirror.example.org/', ...awaiting('md4', 'ab'.repeat(16)) }],
    ['an algorithm of another name', { url: 'http://mirror.example.org/', ...awaiting('toString', 'ab') }],
    ['a digest that is too short', { url: 'http://mirror.example.org/', ...awaiting('sha1', 'ab'.repeat(19)) }],
    ['a digest that is no hexadecimal', { url: 'http://mirror.example.org/', ...awaiting('md5', 'xy'.repeat(16)) }],
    ['an inner address', { url: 'http://169.254.169.254/x', ...awaiting('md5') }],
    ['a password', { url: 'http://user:secret@mirror.example.org/x', ...awaiting('md5') }],
  ])('is refused with %s', async (_what, body) => {
    const { id } = await alice.create(RAW);

    expect((await add(alice, id, body)).status).toBe(400);

    expect((await alice.show(id)).body.status).toBe('queued');
  });

  it('is on the web for users, and nowhere else for anybody', async () => {
    const { id } = await alice.create(RAW);

    for (const place of ['file:///etc/passwd', 'kiln://fast/00000000-0000-0000-0000-000000000000', 'rbd://a/b/c/d']) {
      expect((await add(alice, id, { url: place, ...awaiting('md5') })).status).toBe(403);
      expect((await add(root, id, { url: place, ...awaiting('md5') })).status).toBe(400);
    }
  });

  it('needs a token, an image that is seen and queued with its formats, and a member of its project', async () => {
    const { id } = await alice.create({ ...RAW, visibility: 'private' });
    const unformed = await alice.create({ visibility: 'private' });
    const full = await alice.createWithData(Buffer.from('x'));
    const body = { url, ...awaiting('md5') };

    expect((await ask(kiln, 'POST', `/v2/images/${id}/locations`, { body })).status).toBe(401);
    expect((await ask(kiln, 'POST', `/v2/images/${id}/locations`, { body, token: 'wrong' })).status).toBe(401);
    expect((await add(bob, id, body)).status).toBe(404);
    expect((await add(rita, id, body)).status).toBe(403);
    expect((await add(alice, randomUUID(), body)).status).toBe(404);
    expect((await add(alice, 'no-id', body)).status).toBe(404);
    expect((await add(alice, full.id, body)).status).toBe(409);
    expect((await add(alice, unformed.id, body)).status).toBe(400);
    expect((await add(nova, id, body)).status).toBe(202);
    expect(await settled(id)).toMatchObject({ status: 'active' });
    await alice.ask('DELETE', `/v2/images/${full.id}`);
  });
});

describe('locations of an image', () => {
  it('are fetched by services and administrators', async () => {
    const image = await alice.createWithData(DATA, { visibility: 'private' });
    const places = [{ url: expect.stringMatching(/^kiln:\/\/fast\/[0-9a-f-]{36}$/), metadata: { store: 'fast' } }];

    for (const client of [root, nova]) {
      const answer = await placesOf(client, image.id);
      expect([answer.status, answer.body]).toEqual([200, places]);
    }
    expect((await placesOf(alice, image.id)).status).toBe(403);
    expect((await placesOf(bob, image.id)).status).toBe(404);
    expect((await placesOf(root, randomUUID())).status).toBe(404);
    expect((await ask(kiln, 'GET', `/v2/images/${image.id}/locations`)).status).toBe(401);
    await alice.ask('DELETE', `/v2/images/${image.id}`);
  });
});

describe('copy-image of what lies on the web', () => {
  const copy = (id: string) =>
    root.ask('POST', `/v2/images/${id}/import`, { method: { name: 'copy-image' }, all_stores: true });

  it('puts it into stores, and keeps its place on the web', async () => {
    const { id } = await alice.create(RAW);
    await add(alice, id, { url, ...awaiting('md5') });
    await settled(id);

    expect((await copy(id)).status).toBe(202);

    expect(await settled(id)).toMatchObject({ ...KNOWN, stores: 'fast,http,spare' });
    expect((await alice.show(id)).body.locations).toHaveLength(3);
    await alice.ask('DELETE', `/v2/images/${id}`);
  });

  it('fails when something else has come to lie there', async () => {
    const address = web.bytes('/changing', DATA);
    const { id } = await alice.create(RAW);
    await add(alice, id, { url: address, ...awaiting('md5') });
    await settled(id);
    web.bytes('/changing', randomBytes(MIB));

    expect((await copy(id)).status).toBe(202);

    expect(await settled(id)).toMatchObject({ ...KNOWN, status: 'active', stores: 'http' });
    const { body } = await alice.ask('GET', `/v2/images/${id}/tasks`);
    expect(body.tasks.map(({ status }: { status: string }) => status)).toEqual(['failure', 'success']);
    expect(await usage()).toMatchObject({ storage_bytes: 0, uploads: 0 });
  });

  it('is refused while nobody knows its digest', async () => {
    const page = web.held('/to-copy', DATA);
    const { id } = await alice.create(RAW);
    await set(alice, id, page.url);

    expect((await copy(id)).status).toBe(409);
    page.release();
    await settled(id);
  });
});

describe('the cache', () => {
  it('keeps what lies on the web once its digest is known', async () => {
    const page = web.held('/to-cache', DATA);
    await root.ask('DELETE', '/v2/cache');
    const [known, unknown] = [await alice.create(RAW), await alice.create(RAW)];
    await add(alice, known.id, { url, ...awaiting('md5') });
    await settled(known.id);
    await set(alice, unknown.id, page.url);

    // Files come one at a time.
    for (const { id } of [unknown, known]) expect((await root.ask('PUT', `/v2/cache/${id}`)).status).toBe(202);

    await eventually(async () => {
      const { cached_images: cached, queued_images: queued } = (await root.ask('GET', '/v2/cache')).body;
      expect([cached.map((each: { image_id: string }) => each.image_id), queued]).toEqual([[known.id], []]);
    });
    page.release();
    await settled(unknown.id);
  });
});
