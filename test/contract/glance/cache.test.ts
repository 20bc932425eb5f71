// The exchanges are those of the Image API v2 reference ("Cache manage") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { type S3Server, startS3Server } from '../../support/servers/s3-server.js';
import { ask, type Client, clients } from './wire.js';

const of = (...answers: { status: number }[]): number[] => answers.map(({ status }) => status);
const DATA = randomBytes(100_000);
const MD5 = createHash('md5').update(DATA).digest('hex');

const cached = async (root: Client): Promise<string[]> =>
  (await root.ask('GET', '/v2/cache')).body.cached_images.map(({ image_id: id }: { image_id: string }) => id);
/** A file is there a moment before nobody asks for it any more. */
const becomesCached = (root: Client, id: string) =>
  eventually(async () => {
    const { cached_images, queued_images } = (await root.ask('GET', '/v2/cache')).body;
    expect(cached_images).toContainEqual(expect.objectContaining({ image_id: id }));
    expect(queued_images).not.toContain(id);
  });
/** Queues an image, and waits until it is kept. */
const keep = async (root: Client, id: string): Promise<void> => {
  expect(of(await root.ask('PUT', `/v2/cache/${id}`))).toEqual([202]);
  await becomesCached(root, id);
};
const digest = async (client: Client, id: string): Promise<string> => {
  const answer = await fetch(`${client.kiln.url}/image/v2/images/${id}/file`, {
    headers: { 'x-auth-token': client.token },
  });
  return createHash('md5')
    .update(Buffer.from(await answer.arrayBuffer()))
    .digest('hex');
};

describe('the cache', () => {
  let kiln: RunningKiln;
  let root: Client;
  let alice: Client;
  let bob: Client;
  let folder: string;

  beforeAll(async () => {
    kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_IMAGE_CACHE_MAX_BYTES: '350000' } });
    ({ root, alice, bob } = await clients(kiln));
    folder = join(kiln.dataDir, 'cache', 'files');
  });

  afterAll(() => kiln?.stop());

  it('keeps the images that administrators ask for, and counts who reads them', async () => {
    const { id } = await alice.createWithData(DATA);

    const queued = await root.ask('PUT', `/v2/cache/${id}`);
    await becomesCached(root, id);
    const before = (await root.ask('GET', '/v2/cache')).body;
    expect(await digest(alice, id)).toBe(MD5);
    const after = (await root.ask('GET', '/v2/cache')).body;

    expect([queued.status, queued.text]).toEqual([202, '']);
    expect(before).toEqual({
      cached_images: [
        { image_id: id, hits: 0, last_accessed: expect.any(Number), last_modified: expect.any(Number), size: 100_000 },
      ],
      queued_images: [],
    });
    expect(after.cached_images[0]).toMatchObject({ hits: 1, last_modified: before.cached_images[0].last_modified });
    expect(after.cached_images[0].last_accessed).toBeGreaterThan(before.cached_images[0].last_accessed);
    expect(Math.abs(Date.now() / 1000 - after.cached_images[0].last_accessed)).toBeLessThan(600);
    await root.ask('DELETE', '/v2/cache');
  });

  it('serves downloads from the file it has, whole or in part', async () => {
    const { id } = await alice.createWithData(DATA);
    await keep(root, id);
    // So that it shows where the bytes come from.
    const other = Buffer.alloc(100_000, 'x');
    await writeFile(join(folder, id), other);

    const part = await alice.ask('GET', `/v2/images/${id}/file`, undefined, { range: 'bytes=10-19' });

    expect([part.status, part.text]).toEqual([206, 'x'.repeat(10)]);
    expect(await digest(alice, id)).toBe(createHash('md5').update(other).digest('hex'));
    await root.ask('DELETE', `/v2/cache/${id}`);
    expect(await digest(alice, id)).toBe(MD5);
  });

  it('does no harm when it is lost or damaged', async () => {
    const { id } = await alice.createWithData(DATA);
    await keep(root, id);

    await truncate(join(folder, id), 5);
    expect(await digest(alice, id)).toBe(MD5);
    expect(await cached(root)).not.toContain(id);

    await keep(root, id);
    await rm(join(kiln.dataDir, 'cache'), { recursive: true });
    expect(await digest(alice, id)).toBe(MD5);
    expect(await cached(root)).toEqual([]);
    await keep(root, id);
    await root.ask('DELETE', '/v2/cache');
  });

  it('lets go of what nobody read for longest when there is no room', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 3; index += 1) {
      const { id } = await alice.createWithData(DATA);
      await keep(root, id);
      ids.push(id);
    }
    await digest(alice, ids[0]!);
    const { id } = await alice.createWithData(DATA);

    await keep(root, id);

    expect((await cached(root)).sort()).toEqual([ids[0], ids[2], id].sort());
    await root.ask('DELETE', '/v2/cache');
  });

  it('keeps nothing that is larger than itself', async () => {
    const { id } = await alice.createWithData(randomBytes(350_001));
    const small = await alice.createWithData(DATA);

    expect(of(await root.ask('PUT', `/v2/cache/${id}`))).toEqual([202]);
    await keep(root, small.id);

    expect(await cached(root)).toEqual([small.id]);
    await root.ask('DELETE', '/v2/cache');
  });

  it('does not let anybody read what the policy does not', async () => {
    const { id } = await alice.createWithData(DATA);
    await keep(root, id);
    const file = `/v2/images/${id}/file`;

    expect(of(await bob.ask('GET', file), await ask(kiln, 'GET', file))).toEqual([404, 401]);
    await alice.ask('DELETE', `/v2/images/${id}`);
    expect(of(await alice.ask('GET', file), await root.ask('GET', file))).toEqual([404, 404]);
    expect(await readdir(folder)).not.toContain(id);
  });

  it('is asked by administrators alone', async () => {
    const { id } = await alice.createWithData(DATA);
    for (const [method, path] of [
      ['GET', '/v2/cache'],
      ['DELETE', '/v2/cache'],
      ['PUT', `/v2/cache/${id}`],
      ['DELETE', `/v2/cache/${id}`],
      ['POST', '/v2/cache/clean'],
      ['POST', '/v2/cache/prune'],
      ['GET', `/v2/cache/nodes/${id}`],
    ] as const) {
      expect([path, ...of(await alice.ask(method, path), await ask(kiln, method, path))]).toEqual([path, 403, 401]);
    }
    expect(of(await bob.ask('PUT', `/v2/cache/${id}`), await bob.ask('DELETE', `/v2/cache/${id}`))).toEqual([404, 404]);
  });

  it('takes active images only, and knows no other', async () => {
    const { id } = await alice.create();

    expect(of(await root.ask('PUT', `/v2/cache/${id}`), await root.ask('PUT', `/v2/cache/${randomUUID()}`))).toEqual([
      400, 404,
    ]);
    expect(of(await root.ask('PUT', '/v2/cache/x'), await root.ask('DELETE', '/v2/cache/x'))).toEqual([404, 404]);
    expect(of(await root.ask('DELETE', `/v2/cache/${id}`))).toEqual([204]);
    expect(of(await root.ask('DELETE', `/v2/cache/${randomUUID()}`))).toEqual([404]);
    expect(of(await root.ask('PUT', `/v2/cache/${id}`, { a: 1 }))).toEqual([400]);
  });

  it.each([
    ['cache', 204, false],
    ['Cache', 204, false],
    ['', 204, false],
    [undefined, 204, false],
    ['queue', 204, true],
    ['other', 400, true],
  ])('is cleared for the target %j with %d', async (target, status, stays) => {
    const { id } = await alice.createWithData(DATA);
    await keep(root, id);

    const headers: Record<string, string> = target === undefined ? {} : { 'x-image-cache-clear-target': target };
    expect(of(await root.ask('DELETE', '/v2/cache', undefined, headers))).toEqual([status]);

    expect((await cached(root)).includes(id)).toBe(stays);
    await root.ask('DELETE', '/v2/cache');
  });

  it('is cleaned of images that are gone, and pruned to its size', async () => {
    const gone = randomUUID();
    await writeFile(join(folder, gone), DATA);
    expect(await cached(root)).toContain(gone);

    const cleaned = await root.ask('POST', '/v2/cache/clean');
    expect(cleaned.status).toBe(200);
    expect(await cached(root)).not.toContain(gone);

    expect((await root.ask('POST', '/v2/cache/prune')).body).toEqual({ total_files_pruned: 0, total_bytes_pruned: 0 });
    await writeFile(join(folder, gone), Buffer.alloc(350_001));
    expect((await root.ask('POST', '/v2/cache/prune', {})).body).toEqual({
      total_files_pruned: 1,
      total_bytes_pruned: 350_001,
    });
    expect(of(await root.ask('GET', `/v2/cache/nodes/${gone}`))).toEqual([409]);
  });

  it('goes on with what was asked for when Kiln starts again', async () => {
    const { id } = await alice.createWithData(DATA);
    await writeFile(join(kiln.dataDir, 'cache', 'wanted', id), '');
    expect((await root.ask('GET', '/v2/cache')).body.queued_images).toEqual([id]);

    const second = await startKiln({ beside: kiln, env: { KILN_ROLE: 'api' } });

    try {
      await becomesCached(root, id);
      expect((await root.ask('GET', '/v2/cache')).body.queued_images).toEqual([]);
    } finally {
      await second.stop();
    }
  });

  it('copies nothing of a store on the same machine by itself', async () => {
    const { id } = await alice.createWithData(DATA);
    const asked = await alice.createWithData(DATA);

    await digest(alice, id);
    await keep(root, asked.id);

    expect(await cached(root)).not.toContain(id);
  });

  it.each([
    ['POST', '/v2/cache', 'GET, DELETE'],
    ['GET', `/v2/cache/${randomUUID()}`, 'PUT, DELETE'],
    ['DELETE', `/v2/cache/nodes/${randomUUID()}`, 'GET'],
  ])('%s of %s is told what there is', async (method, path, allow) => {
    const answer = await root.ask(method, path);

    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow]);
  });
});

describe('a cache that is switched off', () => {
  let kiln: RunningKiln;
  let root: Client;

  beforeAll(async () => {
    kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_IMAGE_CACHE: 'off' } });
    ({ root } = await clients(kiln));
  });

  afterAll(() => kiln?.stop());

  it('is not there, and no version says it is', async () => {
    const { id } = await root.createWithData(DATA);

    for (const [method, path] of [
      ['GET', '/v2/cache'],
      ['DELETE', '/v2/cache'],
      ['PUT', `/v2/cache/${id}`],
      ['DELETE', `/v2/cache/${id}`],
      ['POST', '/v2/cache/prune'],
    ] as const) {
      expect([path, ...of(await root.ask(method, path))]).toEqual([path, 404]);
    }
    const versions = (await ask(kiln, 'GET', '/versions')).body.versions.map(({ id: minor }: { id: string }) => minor);
    expect(versions).not.toEqual(expect.arrayContaining(['v2.14']));
    expect(versions.filter((minor: string) => ['v2.14', 'v2.16', 'v2.18'].includes(minor))).toEqual([]);
    expect(await digest(root, id)).toBe(MD5);
    expect(await readdir(kiln.dataDir)).not.toContain('cache');
  });
});

describe('the cache of a store elsewhere', () => {
  let store: S3Server;
  let kiln: RunningKiln;

  beforeAll(async () => {
    store = await startS3Server();
    const { endpoint, bucket, accessKeyId, secretAccessKey } = store;
    const stores = [{ id: 'far', type: 's3', endpoint, bucket, accessKeyId, secretAccessKey }];
    kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_STORES: JSON.stringify(stores) } });
  });

  afterAll(async () => {
    await kiln?.stop();
    await store?.close();
  });

  it('is filled by downloads, which then need the store no more', async () => {
    const { root, alice } = await clients(kiln);
    const { id } = await alice.createWithData(DATA);

    expect(await digest(alice, id)).toBe(MD5);
    await becomesCached(root, id);
    store.interfere((_request, response) => {
      response.destroy();
      return true;
    });

    expect(await digest(alice, id)).toBe(MD5);
  });
});
