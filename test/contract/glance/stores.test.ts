// The exchanges are those of the Image API v2 reference ("Stores") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStores } from '../../support/disks/image-copies.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, type Client, clients } from './wire.js';

const DATA = Buffer.from('the bytes of an image');

let kiln: RunningKiln;
let folder: string;
let stores: FileStores;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-stores-'));
  const list = ['fast', 'bulk', 'cold'].map((id) => ({ id, type: 'file', path: join(folder, id) }));
  kiln = await startKiln({
    env: {
      KILN_ROLE: 'api',
      KILN_IMAGE_LOCATIONS: 'shown',
      KILN_STORES: JSON.stringify([
        { ...list[0], description: 'NVMe' },
        list[1],
        { ...list[2], weight: 5 },
        { id: 'far', type: 's3', bucket: 'b', endpoint: 'http://127.0.0.1:1', accessKeyId: 'a', secretAccessKey: 'b' },
      ]),
    },
  });
  stores = new FileStores(kiln, folder);
  ({ root, alice, bob, rita } = await clients(kiln));
});

afterAll(async () => {
  await kiln?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function imageIn(...copies: string[]): Promise<string> {
  const { id } = await alice.createWithData(DATA);
  for (const store of copies) await stores.copy(id, store);
  return id;
}

async function isReadable(id: string, query = ''): Promise<boolean> {
  const answer = await alice.ask('GET', `/v2/images/${id}/file${query}`);
  return answer.status === 200 && answer.text === DATA.toString();
}

describe('the list of stores', () => {
  it('names the default one and the one that is only read', async () => {
    const answer = await rita.ask('GET', '/v2/info/stores');

    expect([answer.status, answer.body]).toEqual([
      200,
      {
        stores: [
          { id: 'fast', description: 'NVMe', default: 'true' },
          { id: 'bulk' },
          { id: 'cold' },
          { id: 'far' },
          { id: 'http', description: 'Locations on the web', 'read-only': 'true' },
        ],
      },
    ]);
  });

  it('shows administrators more, but no path and no secret', async () => {
    const answer = await root.ask('GET', '/v2/info/stores/detail');

    expect(answer.body.stores[0]).toMatchObject({ id: 'fast', type: 'file', weight: 0, properties: {} });
    expect(answer.body.stores[2]).toMatchObject({ id: 'cold', weight: 5 });
    expect(answer.body.stores[3]).toMatchObject({
      type: 's3',
      properties: { s3_store_large_object_size: 5, s3_store_large_object_chunk_size: 5, s3_store_thread_pools: 1 },
    });
    expect(answer.body.stores[4]).toMatchObject({ type: 'http', 'read-only': 'true' });
    expect(answer.text).not.toContain(folder);
    expect(answer.text).not.toContain('secretAccessKey');
    for (const client of [alice, bob, rita]) {
      expect((await client.ask('GET', '/v2/info/stores/detail')).status).toBe(403);
    }
  });

  it('takes no upload to the one that is only read', async () => {
    const { id } = await alice.create({ disk_format: 'raw', container_format: 'bare' });

    expect((await alice.upload(id, DATA, { 'x-image-meta-store': 'http' })).status).toBe(400);
    expect((await alice.upload(id, DATA, { 'x-image-meta-store': 'nowhere' })).status).toBe(400);
    expect((await alice.upload(id, DATA, { 'x-image-meta-store': 'bulk' })).status).toBe(204);
    expect((await alice.show(id)).body.stores).toBe('bulk');
  });
});

describe('removal of one copy', () => {
  it('leaves the others readable, and frees what the copy cost', async () => {
    const before = await stores.used(ALPHA);
    const id = await imageIn('bulk');
    const path = (await alice.show(id)).body;

    const answer = await root.ask('DELETE', `/v2/stores/fast/${id}`);

    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(path.stores).toBe('bulk,fast');
    const image = (await alice.show(id)).body;
    expect(image).toMatchObject({ stores: 'bulk', status: 'active', checksum: path.checksum, size: DATA.length });
    expect(await isReadable(id)).toBe(true);
    expect((await stores.used(ALPHA)) - before).toBe(DATA.length);
    expect((await alice.ask('DELETE', `/v2/images/${id}`)).status).toBe(204);
    expect(await stores.used(ALPHA)).toBe(before);
  });

  it('removes its bytes from that store', async () => {
    const files = async (store: string) =>
      (await readdir(join(folder, store), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
        .length;
    const id = await imageIn('bulk');
    const before = [await files('fast'), await files('bulk')];

    await root.ask('DELETE', `/v2/stores/bulk/${id}`);

    expect([await files('fast'), await files('bulk')]).toEqual([before[0], before[1]! - 1]);
  });

  it('refuses in the order of the reference', async () => {
    const one = await imageIn();
    const two = await imageIn('bulk');
    const { id: queued } = await alice.create();
    const status = async (client: Client, store: string, id: string) =>
      (await client.ask('DELETE', `/v2/stores/${store}/${id}`)).status;

    expect(await status(root, 'nowhere', randomUUID())).toBe(409);
    expect(await status(root, 'fast', randomUUID())).toBe(404);
    expect(await status(root, 'fast', 'no-id')).toBe(404);
    expect(await status(bob, 'fast', two)).toBe(404);
    expect(await status(alice, 'fast', two)).toBe(403);
    expect(await status(rita, 'fast', two)).toBe(403);
    expect(await status(root, 'fast', queued)).toBe(409);
    expect(await status(root, 'fast', one)).toBe(403);
    expect(await status(root, 'bulk', one)).toBe(403);
    expect(await status(root, 'cold', two)).toBe(404);
    expect(await status(root, 'http', two)).toBe(404);
    expect((await ask(kiln, 'DELETE', `/v2/stores/fast/${two}`)).status).toBe(401);
    expect((await root.ask('DELETE', `/v2/stores/fast/${two}`, { a: 1 })).status).toBe(400);
    expect((await root.ask('GET', `/v2/stores/fast/${two}`)).status).toBe(405);
    expect((await alice.show(two)).body.stores).toBe('bulk,fast');
  });

  it('leaves one of several when all are asked for at once', async () => {
    const id = await imageIn('bulk', 'cold');

    const answers = await Promise.all(
      ['fast', 'bulk', 'cold'].map((store) => root.ask('DELETE', `/v2/stores/${store}/${id}`)),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([204, 204, 403]);
    expect(await isReadable(id)).toBe(true);
  });
});

describe('a download', () => {
  it('comes from a preferred store, and from another one when that has no copy or is away', async () => {
    const id = await imageIn('bulk');

    await stores.without('fast', async () => {
      expect(await isReadable(id, '?prefer=bulk')).toBe(true);
      expect(await isReadable(id, '?prefer=fast,bulk')).toBe(true);
      expect(await isReadable(id, '?prefer=cold')).toBe(true);
      expect(await isReadable(id)).toBe(true);
    });
    await stores.without('bulk', async () => expect(await isReadable(id, '?prefer=bulk,cold')).toBe(true));
  });

  it('fails when every store is away', async () => {
    const id = await imageIn('bulk');

    await stores.without('fast', () => stores.without('bulk', async () => expect(await isReadable(id)).toBe(false)));

    expect(await isReadable(id)).toBe(true);
  });

  it('refuses a store that there is not', async () => {
    const id = await imageIn();

    expect((await alice.ask('GET', `/v2/images/${id}/file?prefer=fast,nowhere`)).status).toBe(400);
    expect((await alice.ask('GET', `/v2/images/${id}/file?prefer=`)).status).toBe(200);
  });

  it('hands out a range of a copy', async () => {
    const id = await imageIn('bulk');

    const answer = await stores.without('fast', () =>
      alice.ask('GET', `/v2/images/${id}/file`, undefined, { range: 'bytes=4-8' }),
    );

    expect([answer.status, answer.text]).toEqual([206, 'bytes']);
  });
});
