import { describe, it, expect, beforeAll, beforeEach, afterAll, afterEach } from '@jest/globals';
import { CreateMultipartUploadCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { S3ObjectStore, type S3ObjectStoreOptions } from '../../../src/platform/object-store/s3-object-store.js';
import { eventually } from '../../support/eventually.js';
import { killDuringPut } from '../../support/killed-put.js';
import { all, collect, describeObjectStore, inChunks } from '../../support/object-stores.js';
import { describeWith } from '../../support/programs.js';
import { SWIFT_PROGRAMS, startSwift, type Swift } from '../../support/servers/swift.js';

const MIB = 1024 * 1024;
const PREFIX = 'some/prefix/';
/** Swift tells times rounded up to the next second. */
const ROUNDING_MS = 1_000;

describeWith(SWIFT_PROGRAMS, 'OpenStack Swift', () => {
  let swift: Swift;

  beforeAll(async () => {
    swift = await startSwift();
  });
  afterAll(() => swift?.stop());

  const storeOf = (options: Partial<S3ObjectStoreOptions> = {}): S3ObjectStore =>
    new S3ObjectStore({ id: 'bulk', prefix: PREFIX, ...swift, ...options });

  describeObjectStore(
    's3 (Swift)',
    async () => {
      const store = storeOf();
      return {
        store,
        leftovers: async () => (await swift.leftovers()).length,
        close: () => store.close(),
      };
    },
    { replaces: true },
  );

  describe('S3ObjectStore', () => {
    let store: S3ObjectStore;
    let folder: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kiln-spool-'));
      store = storeOf({ spoolDir: folder });
    });
    afterEach(async () => {
      for (const { key } of await all(store, '')) await store.delete(key);
      await store.close();
      await rm(folder, { recursive: true, force: true });
    });

    it('is unavailable with a wrong secret, and says that it is the signature', async () => {
      const stranger = storeOf({ secretAccessKey: 'guessed' });

      await expect(stranger.check()).rejects.toMatchObject({ kind: 'unavailable' });
      await expect(stranger.get('a')).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/signature/i) as unknown,
      });
      await expect(stranger.put('a', Readable.from([Buffer.from('x')]))).rejects.toMatchObject({ kind: 'unavailable' });

      await stranger.close();
      expect(await all(store, '')).toEqual([]);
    });

    it('reads the first byte alone', async () => {
      await store.put('a', Readable.from([Buffer.from('xyz')]));

      expect((await collect(await store.get('a', { start: 0, end: 0 }))).toString()).toBe('x');
    });

    it('reads a range across the parts of an object, and removes them with it', async () => {
      const bytes = randomBytes(11 * MIB);
      await store.put('a', inChunks(bytes, 65_536));

      const part = await collect(await store.get('a', { start: 5 * MIB - 10, end: 10 * MIB + 9 }));

      expect(part.equals(bytes.subarray(5 * MIB - 10, 10 * MIB + 10))).toBe(true);
      await store.delete('a');
      expect(await swift.leftovers()).toEqual([]);
    });

    it('lists several pages', async () => {
      const keys = Array.from({ length: 25 }, (_, index) => `page/${String(index).padStart(2, '0')}`);
      for (const key of keys) await store.put(key, Readable.from([Buffer.from('x')]));

      expect((await all(store, 'page/')).map(({ key }) => key).sort()).toEqual(keys);
    });

    it('keeps keys with characters that addresses and signatures must escape', async () => {
      const keys = ['a b', 'ä+ö=%25', 'x&y?z#w', "quote'(1)*!"];
      for (const key of keys) await store.put(`odd/${key}`, Readable.from([Buffer.from(key)]));

      for (const key of keys) expect((await collect(await store.get(`odd/${key}`))).toString()).toBe(key);
      expect((await all(store, 'odd/')).map(({ key }) => key).sort()).toEqual(keys.map((key) => `odd/${key}`).sort());
      for (const key of keys) await store.delete(`odd/${key}`);
      expect(await all(store, 'odd/')).toEqual([]);
    });

    it.each([
      ['known', 47 * MIB],
      ['unknown', undefined],
    ])('sends parts too large for memory through the spool folder, of %s length', async (_word, sizeBytes) => {
      const spoolDir = join(folder, 'made', 'when-needed');
      const spooling = storeOf({ spoolDir, fewParts: 4 });
      const bytes = randomBytes(47 * MIB);

      await spooling.put('large', inChunks(bytes, 65_536), { sizeBytes });

      expect((await collect(await spooling.get('large'))).equals(bytes)).toBe(true);
      expect(await readdir(spoolDir)).toEqual([]);
      await spooling.close();
    });

    it('leaves neither parts nor spooled files when a large body fails', async () => {
      const spooling = storeOf({ spoolDir: folder, fewParts: 2 });
      const failure = new Error('the client hung up');

      await expect(spooling.put('large', Readable.from(failing(33 * MIB, failure)))).rejects.toBe(failure);

      expect(await readdir(folder)).toEqual([]);
      expect(await swift.leftovers()).toEqual([]);
      await expect(spooling.head('large')).rejects.toMatchObject({ code: 'object_store.not_found' });
      await spooling.close();
    });

    it('has nothing under the key after the process was killed within a put, and sweeps what it left', async () => {
      const { endpoint, region, bucket, accessKeyId, secretAccessKey } = swift;
      const access = { endpoint, region, bucket, accessKeyId, secretAccessKey };
      await killDuringPut({ type: 's3', prefix: PREFIX, forcePathStyle: true, ...access }, 'killed/one', 48_000_000);
      // A part that was on its way may still arrive.
      await eventually(async () => {
        const before = await swift.leftovers();
        await delay(ROUNDING_MS);
        expect(await swift.leftovers()).toEqual(before);
      });

      await expect(store.head('killed/one')).rejects.toMatchObject({ code: 'object_store.not_found' });
      await expect(store.get('killed/one')).rejects.toMatchObject({ code: 'object_store.not_found' });
      expect(await all(store, '')).toEqual([]);
      // The mark of the upload and more than one piece.
      expect((await swift.leftovers()).length).toBeGreaterThan(2);
      expect(await store.removeAbandoned(3_600_000)).toBe(0);

      expect(await store.removeAbandoned(0)).toBe(1);

      expect(await swift.leftovers()).toEqual([]);
      await store.put('killed/one', Readable.from([Buffer.from('x')]));
      expect(await store.head('killed/one')).toMatchObject({ sizeBytes: 1 });
    });

    it('sweeps unfinished uploads of its prefix and no others', async () => {
      const { endpoint, region, bucket, accessKeyId, secretAccessKey } = swift;
      const client = new S3Client({
        endpoint,
        region,
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey },
      });
      const begin = async (Key: string): Promise<void> => {
        const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
        const part = { Bucket: bucket, Key, UploadId, PartNumber: 1, Body: Buffer.from('x') };
        await client.send(new UploadPartCommand(part));
      };
      for (let index = 0; index < 3; index += 1) await begin(`${PREFIX}begun/${index}`);
      await begin('elsewhere/theirs');
      client.destroy();
      const everything = storeOf({ prefix: '' });
      await delay(ROUNDING_MS);

      expect(await store.removeAbandoned(0)).toBe(3);
      const left = await swift.leftovers();
      expect(await everything.removeAbandoned(0)).toBe(1);

      expect(left.map((name) => name.split('/').slice(0, 2).join('/'))).toEqual([
        'elsewhere/theirs',
        'elsewhere/theirs',
      ]);
      expect(await swift.leftovers()).toEqual([]);
      await everything.close();
    });

    it('sweeps spooled files of killed processes and nothing else', async () => {
      await writeFile(join(folder, 'kiln-part-of-a-killed-process'), '');
      await writeFile(join(folder, 'somebody-elses'), '');
      await mkdir(join(folder, 'folder'));

      expect(await store.removeAbandoned(3_600_000)).toBe(0);
      expect(await store.removeAbandoned(0)).toBe(1);

      expect((await readdir(folder)).sort()).toEqual(['folder', 'somebody-elses']);
    });
  });
});

async function* failing(bytes: number, failure: Error): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536));
  throw failure;
}
