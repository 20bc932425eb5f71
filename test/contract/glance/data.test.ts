// The exchanges are those of the Image API v2 reference ("Image data") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { get, request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { readdir, readlink } from 'node:fs/promises';
import { qcow2 } from '../../support/disks/disk-images.js';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { ask, Client, clients } from './wire.js';

const MIB = 1024 * 1024;
const ROOM = 3 * MIB;

let kiln: RunningKiln;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;
let tim: Client;
let sue: Client;

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api', KILN_IMAGE_SIZE_MAX_BYTES: String(8 * MIB) },
    bootstrap: {
      projects: [
        ...STANDARD_BOOTSTRAP.projects,
        ...['tiny', 'small'].map((name) => ({ name, limits: { storage_bytes: ROOM } })),
      ],
      users: [
        ...STANDARD_BOOTSTRAP.users,
        { name: 'tim', password: 's3cret-tim', roles: [{ project: 'tiny', role: 'member' }] },
        { name: 'sue', password: 's3cret-sue', roles: [{ project: 'small', role: 'member' }] },
      ],
    },
  });
  ({ root, alice, bob, rita } = await clients(kiln));
  tim = new Client(kiln, await kiln.token('tim', 'tiny'));
  sue = new Client(kiln, await kiln.token('sue', 'small'));
});

afterAll(() => kiln?.stop());

const of = (...answers: { status: number }[]): number[] => answers.map(({ status }) => status);
const digest = (algorithm: string, data: Uint8Array): string => createHash(algorithm).update(data).digest('hex');
const FORMATS = { disk_format: 'raw', container_format: 'bare' };

/** As `fetch` cannot: a body in chunks, or one that does not come. */
function put(
  client: Client,
  id: string,
  headers: Record<string, string>,
  chunks: readonly Uint8Array[],
): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      `${kiln.url}/image/v2/images/${id}/file`,
      {
        method: 'PUT',
        headers: { 'x-auth-token': client.token, 'content-type': 'application/octet-stream', ...headers },
      },
      (reply) => {
        reply.resume();
        resolve({ status: reply.statusCode!, headers: reply.headers });
      },
    );
    sent.on('error', reject);
    for (const chunk of chunks) sent.write(chunk);
    sent.end();
  });
}

async function download(client: Client, id: string, headers: Record<string, string> = {}) {
  const reply = await fetch(`${kiln.url}/image/v2/images/${id}/file`, {
    headers: { 'x-auth-token': client.token, ...headers },
  });
  return { status: reply.status, headers: reply.headers, data: Buffer.from(await reply.arrayBuffer()) };
}

describe('an upload', () => {
  it('makes the image active, with size and digests', async () => {
    const data = randomBytes(2 * MIB + 17);
    const { id } = await alice.create(FORMATS);
    const answer = await alice.upload(id, data);

    expect([answer.status, answer.text]).toEqual([204, '']);
    expect((await alice.show(id)).body).toMatchObject({
      status: 'active',
      size: data.length,
      virtual_size: data.length,
      checksum: digest('md5', data),
      os_hash_algo: 'sha512',
      os_hash_value: digest('sha512', data),
      stores: 'default',
    });
  });

  it('tells the size of the disk only of what is one', async () => {
    const compressed = await alice.createWithData(Buffer.from('x'), { container_format: 'compressed' });
    const sparse = await alice.createWithData(qcow2(), { disk_format: 'qcow2' });

    expect([compressed, sparse]).toMatchObject([
      { size: 1, virtual_size: null },
      { size: qcow2().length, virtual_size: 2 ** 30 },
    ]);
  });

  it('may come in chunks, with its length in a header of its own', async () => {
    const chunks = [randomBytes(100_000), randomBytes(1), randomBytes(70_000)];
    const whole = Buffer.concat(chunks);
    const announced: Record<string, string>[] = [{}, { 'x-openstack-image-size': String(whole.length) }];
    for (const headers of announced) {
      const { id } = await alice.create(FORMATS);

      expect((await put(alice, id, { 'transfer-encoding': 'chunked', ...headers }, chunks)).status).toBe(204);
      expect((await download(alice, id)).data.equals(whole)).toBe(true);
    }
    const { id } = await alice.create(FORMATS);
    const wrong = { 'transfer-encoding': 'chunked', 'x-openstack-image-size': 'many' };
    expect((await put(alice, id, wrong, chunks)).status).toBe(400);
  });

  it('may have no bytes at all', async () => {
    const image = await alice.createWithData(new Uint8Array());

    expect(image).toMatchObject({ status: 'active', size: 0, checksum: digest('md5', new Uint8Array()) });
    expect(await download(alice, image.id)).toMatchObject({ status: 200, data: Buffer.alloc(0) });
  });

  it('goes to a store that exists', async () => {
    const { id } = await alice.create(FORMATS);

    expect(of(await alice.upload(id, 'x', { 'x-image-meta-store': 'nowhere' }))).toEqual([400]);
    expect(of(await alice.upload(id, 'x', { 'x-image-meta-store': 'default' }))).toEqual([204]);
  });

  it('is of one media type', async () => {
    const { id } = await alice.create(FORMATS);
    for (const type of ['application/json', 'text/plain', '']) {
      expect(of(await alice.upload(id, 'x', { 'content-type': type }))).toEqual([415]);
    }
    const without = await fetch(`${kiln.url}/image/v2/images/${id}/file`, {
      method: 'PUT',
      headers: { 'x-auth-token': alice.token },
      body: new Uint8Array([1]),
    });
    expect(without.status).toBe(415);
    expect((await alice.show(id)).body.status).toBe('queued');
  });

  it('happens once', async () => {
    const { id } = await alice.createWithData(Buffer.from('first'));

    expect(of(await alice.upload(id, 'second'))).toEqual([409]);
    expect((await download(alice, id)).data.toString()).toBe('first');
  });

  it('of two at once goes on with one', async () => {
    const { id } = await alice.create(FORMATS);
    const bodies = Array.from({ length: 6 }, () => randomBytes(MIB));
    const answers = await Promise.all(bodies.map((body) => alice.upload(id, body)));

    expect(of(...answers).sort()).toEqual([204, 409, 409, 409, 409, 409]);
    const winner = bodies[answers.findIndex(({ status }) => status === 204)]!;
    expect((await alice.show(id)).body).toMatchObject({ status: 'active', checksum: digest('md5', winner) });
  });

  it('needs both formats', async () => {
    const none = await alice.create();
    const one = await alice.create({ disk_format: 'raw' });

    expect(of(await alice.upload(none.id, 'x'), await alice.upload(one.id, 'x'))).toEqual([400, 400]);
  });

  it('is for members of the owner, and for administrators', async () => {
    const seen = await alice.create({ ...FORMATS, visibility: 'community' });
    const hidden = await alice.create(FORMATS);

    expect(
      of(await bob.upload(seen.id, 'x'), await rita.upload(seen.id, 'x'), await bob.upload(hidden.id, 'x')),
    ).toEqual([403, 403, 404]);
    expect(of(await alice.upload(randomUUID(), 'x'), await alice.upload('x', 'x'))).toEqual([404, 404]);
    expect(of(await ask(kiln, 'PUT', `/v2/images/${seen.id}/file`, { body: 'x' }))).toEqual([401]);
    expect(of(await root.upload(seen.id, 'x'))).toEqual([204]);
  });

  it('has a size that no image may exceed, announced or not', async () => {
    const { id } = await alice.create(FORMATS);
    const data = randomBytes(8 * MIB + 1);

    expect((await put(alice, id, { 'content-length': String(data.length) }, [data])).status).toBe(413);
    expect((await put(alice, id, { 'transfer-encoding': 'chunked' }, [data])).status).toBe(413);
    expect((await alice.show(id)).body).toMatchObject({ status: 'queued', size: null });
    expect(of(await alice.upload(id, data.subarray(1)))).toEqual([204]);
  });

  it('takes the room of its project, and a delete gives it back', async () => {
    const create = () => tim.create(FORMATS);
    const first = await tim.createWithData(randomBytes(2 * MIB));
    const second = await create();
    const over = randomBytes(MIB + 1);

    expect(of(await tim.upload(second.id, over))).toEqual([413]);
    expect((await put(tim, second.id, { 'transfer-encoding': 'chunked' }, [over])).status).toBe(413);
    expect((await tim.show(second.id)).body).toMatchObject({ status: 'queued', size: null });
    await tim.ask('DELETE', `/v2/images/${first.id}`);
    expect(of(await tim.upload(second.id, over))).toEqual([204]);
  });
});

describe('a delete in the middle of an upload', () => {
  const PIECE = randomBytes(MIB);

  it.each<[string, Record<string, string>]>([
    ['of a known length', { 'content-length': String(3 * MIB) }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('%s gives the room back at once, and tells the sender', async (_how, headers) => {
    // All the room that the project has.
    const { id } = await sue.create(FORMATS);
    const sent = request(`${kiln.url}/image/v2/images/${id}/file`, {
      method: 'PUT',
      headers: { 'x-auth-token': sue.token, 'content-type': 'application/octet-stream', ...headers },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) =>
      sent.on('response', resolve).on('error', reject),
    );
    sent.write(PIECE);
    await eventually(async () => (await sue.show(id)).body.status === 'saving');

    expect(of(await sue.ask('DELETE', `/v2/images/${id}`))).toEqual([204]);
    const next = await sue.createWithData(randomBytes(3 * MIB));
    sent.write(PIECE);
    sent.end(PIECE);

    expect((await answered).resume().statusCode).toBe(410);
    expect(of(await sue.show(id))).toEqual([404]);
    expect(of(await sue.ask('DELETE', `/v2/images/${next.id}`))).toEqual([204]);
  });

  it('stops a sender that goes on and on', async () => {
    const { id } = await alice.create(FORMATS);
    const sent = request(`${kiln.url}/image/v2/images/${id}/file`, {
      method: 'PUT',
      headers: { 'x-auth-token': alice.token, 'content-type': 'application/octet-stream' },
    });
    const answered = new Promise<IncomingMessage>((resolve, reject) =>
      sent.on('response', resolve).on('error', reject),
    );
    const drip = setInterval(() => sent.write('x'), 100);
    try {
      await eventually(async () => (await alice.show(id)).body.status === 'saving');
      await alice.ask('DELETE', `/v2/images/${id}`);

      expect((await answered).resume().statusCode).toBe(410);
    } finally {
      clearInterval(drip);
      sent.destroy();
    }
  });
});

describe('a download', () => {
  const data = randomBytes(300_000);
  let id: string;

  beforeAll(async () => {
    ({ id } = await alice.createWithData(data, { visibility: 'community' }));
  });

  it('is the whole image with its md5 in hexadecimal', async () => {
    const { status, headers, data: found } = await download(bob, id);

    expect(status).toBe(200);
    expect(found.equals(data)).toBe(true);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': String(data.length),
      'content-md5': digest('md5', data),
    });
    expect(headers.has('accept-ranges')).toBe(false);
  });

  it.each([
    ['bytes=0-0', 0, 0],
    ['bytes=10-99', 10, 99],
    ['bytes=299999-', 299_999, 299_999],
    ['bytes=1000-', 1000, 299_999],
    ['bytes=-5', 299_995, 299_999],
    ['bytes=-999999999', 0, 299_999],
    ['bytes=299990-999999999', 299_990, 299_999],
  ])('may be the part %s', async (range, start, end) => {
    const { status, headers, data: found } = await download(alice, id, { range });

    expect(status).toBe(206);
    expect(found.equals(data.subarray(start, end + 1))).toBe(true);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-range': `bytes ${start}-${end}/300000`,
      'content-length': String(end - start + 1),
      'content-md5': digest('md5', data),
    });
  });

  it.each([
    ['bytes=300000-', 416],
    ['bytes=5-4', 416],
    ['bytes=-0', 416],
    ['bytes=-', 416],
    ['bytes=x-y', 416],
    ['chunks=0-5', 416],
    ['bytes=0-1,5-6', 400],
  ])('is not the part %s', async (range, status) => {
    expect((await download(alice, id, { range })).status).toBe(status);
  });

  it('knows the header of old clients', async () => {
    const old = await download(alice, id, { 'content-range': 'bytes 3-7/300000' });
    expect(old.status).toBe(206);
    expect(old.data.equals(data.subarray(3, 8))).toBe(true);
    expect((await download(alice, id, { 'content-range': 'bytes 3-300000/300000' })).status).toBe(416);
    expect((await download(alice, id, { 'content-range': 'bytes */300000' })).status).toBe(416);
  });

  it('is nothing while there is no data', async () => {
    const queued = await alice.create(FORMATS);

    expect(await download(alice, queued.id)).toMatchObject({ status: 204, data: Buffer.alloc(0) });
  });

  it('has no part of nothing', async () => {
    const empty = await alice.createWithData(new Uint8Array());

    expect((await download(alice, empty.id, { range: 'bytes=0-' })).status).toBe(416);
  });

  it('is for members who see the image', async () => {
    const hidden = await alice.createWithData(data);

    expect(of(await download(rita, id), await download(bob, hidden.id), await download(root, hidden.id))).toEqual([
      403, 404, 200,
    ]);
    expect(of(await download(alice, randomUUID()), await download(alice, 'x'))).toEqual([404, 404]);
    expect(of(await ask(kiln, 'GET', `/v2/images/${id}/file`))).toEqual([401]);
  });
});

describe('a client that hangs up', () => {
  it('in an upload leaves a queued image and no bytes', async () => {
    const before = await storedFiles();
    const { id } = await tim.create(FORMATS);
    const sent = request(`${kiln.url}/image/v2/images/${id}/file`, {
      method: 'PUT',
      headers: {
        'x-auth-token': tim.token,
        'content-type': 'application/octet-stream',
        'content-length': String(MIB),
      },
    });
    sent.on('error', () => undefined);
    sent.write(randomBytes(MIB / 2));
    await eventually(async () => (await tim.show(id)).body.status === 'saving');

    sent.destroy();

    await eventually(async () => (await tim.show(id)).body.status === 'queued');
    await eventually(async () => (await storedFiles()) === before);
    expect((await tim.show(id)).body).toMatchObject({ size: null, checksum: null });
    expect(of(await tim.upload(id, 'again'))).toEqual([204]);
  });

  it('in a download leaves no file open', async () => {
    const { id } = await alice.createWithData(randomBytes(8 * MIB));
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${kiln.url}/image/v2/images/${id}/file`, { headers: { 'x-auth-token': alice.token } }, resolve).on(
        'error',
        reject,
      );
    });
    await new Promise((resolve) => reply.once('data', resolve));
    reply.pause();
    await eventually(async () => (await openObjects()) === 1);

    reply.destroy();

    await eventually(async () => (await openObjects()) === 0);
  });

  async function storedFiles(): Promise<number> {
    const entries = await readdir(`${kiln.dataDir}/objects`, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).length;
  }

  /** Objects that the server has open just now. */
  async function openObjects(): Promise<number> {
    const folder = `/proc/${kiln.process.pid}/fd`;
    const targets = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')));
    return targets.filter((target) => target.startsWith(`${kiln.dataDir}/objects`)).length;
  }
});
