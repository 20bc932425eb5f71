import { describe, it, expect, beforeAll, afterAll, afterEach } from '@jest/globals';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Readable, type Transform } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { ObjectInfo, ObjectStore } from '../../src/platform/object-store/object-store.js';

const MIB = 1024 * 1024;

/** A store to try, and what the suite must know of it. */
export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** What interrupted writes left behind, whether visible through the port or not. */
  leftovers(): Promise<number>;
  close(): Promise<void>;
}

export interface SuiteOptions {
  /** Keeps objects in memory, so that a long stream must not be tried. */
  readonly inMemory?: boolean;
  /** Takes the place of an object that exists instead of refusing. */
  readonly replaces?: boolean;
}

/** What every implementation of `ObjectStore` promises. */
export function describeObjectStore(
  name: string,
  start: () => Promise<StoreUnderTest>,
  options: SuiteOptions = {},
): void {
  describe(`object store: ${name}`, () => {
    let tested: StoreUnderTest;
    let store: ObjectStore;
    let run: string;

    beforeAll(async () => {
      tested = await start();
      store = tested.store;
    });

    afterEach(async () => {
      for (const { key } of await all(store, `${run}/`)) await store.delete(key);
    });

    afterAll(() => tested.close());

    /** A key no other test uses, so that a suite can run against a bucket that is not empty. */
    const key = (): string => `${run}/${randomUUID().slice(0, 2)}/${randomUUID()}`;

    run = `suite-${randomUUID()}`;

    it('gives back the bytes that were put', async () => {
      const bytes = randomBytes(300_000);
      const at = key();

      const put = await store.put(at, inChunks(bytes, 7_001));

      expect(put).toEqual({ key: at, sizeBytes: 300_000 });
      expect(await store.head(at)).toEqual({ key: at, sizeBytes: 300_000 });
      expect(sha256(await read(store, at))).toBe(sha256(bytes));
    });

    it('takes a body of announced length', async () => {
      const bytes = randomBytes(70_000);
      const at = key();

      await store.put(at, inChunks(bytes, 64 * 1024), { sizeBytes: 70_000 });

      expect(sha256(await read(store, at))).toBe(sha256(bytes));
    });

    it.each([
      ['shorter', 69_999],
      ['longer', 70_001],
    ])('refuses a body %s than announced and keeps nothing', async (_word, sizeBytes) => {
      const at = key();
      const body = inChunks(randomBytes(sizeBytes), 4_000);

      await expect(store.put(at, body, { sizeBytes: 70_000 })).rejects.toMatchObject({
        code: 'object_store.size_mismatch',
      });

      await expectNothingAt(at);
    });

    it('keeps an object without bytes', async () => {
      const at = key();

      await store.put(at, Readable.from([]));

      expect(await store.head(at)).toEqual({ key: at, sizeBytes: 0 });
      expect(await read(store, at)).toHaveLength(0);
    });

    it('takes 17 MiB of unknown length in many small chunks', async () => {
      const bytes = randomBytes(17 * MIB + 13);
      const at = key();

      const { sizeBytes } = await store.put(at, inChunks(bytes, 65_521));

      expect(sizeBytes).toBe(bytes.length);
      expect(sha256(await read(store, at))).toBe(sha256(bytes));
    });

    it('takes one chunk larger than any buffer', async () => {
      const bytes = randomBytes(12 * MIB + 1);
      const at = key();

      await store.put(at, Readable.from([bytes]));

      expect(sha256(await read(store, at))).toBe(sha256(bytes));
    });

    it('takes a body that comes a few bytes at a time', async () => {
      const bytes = randomBytes(20_000);
      const at = key();

      await store.put(at, inChunks(bytes, 3));

      expect(sha256(await read(store, at))).toBe(sha256(bytes));
    });

    describe('ranges', () => {
      const bytes = randomBytes(200_000);
      let at: string;

      const part = async (start: number, end: number): Promise<Buffer> => collect(await store.get(at, { start, end }));

      it('reads them with both ends included', async () => {
        at = key();
        await store.put(at, inChunks(bytes, 65_536));

        // Not 0-0: s3rver takes an end of 0 for none.
        expect(await part(0, 1)).toEqual(bytes.subarray(0, 2));
        expect(await part(7, 7)).toEqual(bytes.subarray(7, 8));
        expect(await part(1, 10)).toEqual(bytes.subarray(1, 11));
        expect(sha256(await part(65_530, 131_079))).toBe(sha256(bytes.subarray(65_530, 131_080)));
        expect(await part(199_999, 199_999)).toEqual(bytes.subarray(199_999));
      });

      it('cuts them at the end of the object', async () => {
        at = key();
        await store.put(at, inChunks(bytes, 65_536));

        expect(await part(199_990, 500_000)).toEqual(bytes.subarray(199_990));
      });

      it('refuses one that begins behind the end, or is none', async () => {
        at = key();
        await store.put(at, inChunks(bytes, 65_536));

        for (const range of [
          { start: 200_000, end: 200_001 },
          { start: 5, end: 4 },
        ]) {
          await expect(store.get(at, range)).rejects.toMatchObject({
            kind: 'range_unsatisfiable',
            details: { sizeBytes: 200_000 },
          });
        }
      });
    });

    it('says that an object is missing before any stream is returned', async () => {
      const at = key();

      await expect(store.get(at)).rejects.toMatchObject({ code: 'object_store.not_found' });
      await expect(store.get(at, { start: 0, end: 1 })).rejects.toMatchObject({ code: 'object_store.not_found' });
      await expect(store.head(at)).rejects.toMatchObject({ code: 'object_store.not_found' });
    });

    it('does not take a key for an object because others lie below it', async () => {
      const at = key();
      await store.put(`${at}/below`, Readable.from([Buffer.from('x')]));

      await expect(store.head(at)).rejects.toMatchObject({ code: 'object_store.not_found' });
      await expect(store.get(at)).rejects.toMatchObject({ code: 'object_store.not_found' });
      await store.delete(at);

      expect(await store.head(`${at}/below`)).toMatchObject({ sizeBytes: 1 });
    });

    it('deletes an object, and once more without complaint', async () => {
      const at = key();
      await store.put(at, Readable.from([Buffer.from('gone')]));

      await store.delete(at);
      await store.delete(at);

      await expectNothingAt(at);
    });

    it.each(['', '/etc/passwd', '../outside', 'a/../../b', 'a//b', 'a/', 'a/./b', 'nul\0', '.tmp/x', 'x'.repeat(2000)])(
      'refuses the key %j',
      async (bad) => {
        await expect(store.put(bad, Readable.from([]))).rejects.toThrow(TypeError);
        await expect(store.get(bad)).rejects.toThrow(TypeError);
        await expect(store.head(bad)).rejects.toThrow(TypeError);
        await expect(store.delete(bad)).rejects.toThrow(TypeError);
      },
    );

    if (!options.replaces) {
      it('refuses a key that is taken and keeps what is there', async () => {
        const at = key();
        await store.put(at, Readable.from([Buffer.from('first')]));

        await expect(store.put(at, Readable.from([Buffer.from('second')]))).rejects.toMatchObject({
          code: 'object_store.exists',
        });

        expect((await read(store, at)).toString()).toBe('first');
        expect(await tested.leftovers()).toBe(0);
      });
    }

    describe('failures', () => {
      it.each([
        ['at once', 0],
        ['after some bytes', 100_000],
        ['after several parts', 14 * MIB],
      ])('leaves nothing when the body fails %s, and tells the very error', async (_word, after) => {
        const at = key();
        const failure = new Error('the client hung up');
        const body = Readable.from(bytesThenFailure(after, failure));

        await expect(store.put(at, body)).rejects.toBe(failure);

        expect(body.destroyed).toBe(true);
        await expectNothingAt(at);
      });

      it('leaves nothing when the body is destroyed without an error', async () => {
        const at = key();
        const body = new StalledBody(100_000);

        const put = store.put(at, body);
        await body.stalled;
        body.destroy();

        await expect(put).rejects.toThrow();
        await expectNothingAt(at);
      });

      it('fails on a body that is destroyed already', async () => {
        const at = key();
        const body = inChunks(randomBytes(10), 1);
        body.destroy();

        await expect(store.put(at, body)).rejects.toThrow();

        await expectNothingAt(at);
      });

      it.each([
        ['while the body stalls', 100_000],
        ['after several parts', 14 * MIB],
      ])('gives up %s when the signal says so', async (_word, bytes) => {
        const at = key();
        const controller = new AbortController();
        const reason = new Error('cancelled');
        const body = new StalledBody(bytes);

        const put = store.put(at, body, { signal: controller.signal });
        await body.stalled;
        controller.abort(reason);

        await expect(put).rejects.toBe(reason);
        expect(body.destroyed).toBe(true);
        await expectNothingAt(at);
      });

      it('does not begin when the signal came before', async () => {
        const at = key();
        const reason = new Error('too late');
        const body = inChunks(randomBytes(10), 1);

        await expect(store.put(at, body, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);

        expect(body.destroyed).toBe(true);
        await expectNothingAt(at);
      });
    });

    it('takes many objects at once', async () => {
      const bodies = Array.from({ length: 12 }, (_, index) => randomBytes(700_000 + index * 100_003));
      const keys = bodies.map(() => key());

      await Promise.all(bodies.map((bytes, index) => store.put(keys[index]!, inChunks(bytes, 65_536))));

      for (const [index, bytes] of bodies.entries()) {
        expect(sha256(await read(store, keys[index]!))).toBe(sha256(bytes));
      }
      expect(await tested.leftovers()).toBe(0);
    });

    if (!options.replaces) {
      it('gives one of several writers of a key the whole object', async () => {
        const at = key();
        const bodies = Array.from({ length: 6 }, () => randomBytes(400_000));

        const results = await Promise.allSettled(bodies.map((bytes) => store.put(at, inChunks(bytes, 65_536))));

        const digest = sha256(await read(store, at));
        expect(bodies.map(sha256)).toContain(digest);
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      });
    }

    it('creates and deletes neighbours at the same time', async () => {
      const folder = key();

      await Promise.all(
        Array.from({ length: 40 }, async (_, index) => {
          await store.put(`${folder}/shared/${index}`, Readable.from([Buffer.from('x')]));
          await store.delete(`${folder}/shared/${index}`);
        }),
      );

      expect(await all(store, folder)).toEqual([]);
    });

    it('lists what begins with a prefix, with sizes and times', async () => {
      const base = key();
      const keys = [`${base}/a/1`, `${base}/a/2`, `${base}/ab/3`, `${base}/b/4`];
      for (const [index, at] of keys.entries()) await store.put(at, Readable.from([Buffer.alloc(index + 1)]));

      const listed = async (prefix: string): Promise<string[]> =>
        (await all(store, prefix)).map((object) => object.key).sort();

      expect(await listed(`${base}/`)).toEqual(keys);
      expect(await listed(`${base}/a`)).toEqual(keys.slice(0, 3));
      expect(await listed(`${base}/a/`)).toEqual(keys.slice(0, 2));
      expect(await listed(`${base}/a/2`)).toEqual([keys[1]]);
      expect(await listed(`${base}/none/`)).toEqual([]);
      const [first] = await all(store, keys[2]!);
      expect(first).toMatchObject({ key: keys[2], sizeBytes: 3 });
      expect(Math.abs(first!.modifiedAt.getTime() - Date.now())).toBeLessThan(600_000);
    });

    it('leaves a write under way alone when it removes abandoned ones', async () => {
      const at = key();
      const body = new StalledBody(12 * MIB);

      const put = store.put(at, body);
      await body.stalled;
      await store.removeAbandoned(60_000);
      body.push(null);

      expect(await put).toEqual({ key: at, sizeBytes: 12 * MIB });
    });

    it('answers its check', async () => {
      await expect(store.check()).resolves.toBeUndefined();
    });

    if (!options.inMemory) {
      it('passes 300 MiB in and out in bounded memory', async () => {
        const at = key();
        const peak = watchMemory();

        await store.put(at, Readable.from(zeros(300)));
        let read = 0;
        for await (const chunk of await store.get(at)) read += (chunk as Buffer).length;

        expect(read).toBe(300 * MIB);
        expect(peak()).toBeLessThan(150 * MIB);
      });
    }

    async function expectNothingAt(at: string): Promise<void> {
      await expect(store.head(at)).rejects.toMatchObject({ code: 'object_store.not_found' });
      expect(await all(store, at)).toEqual([]);
      expect(await tested.leftovers()).toBe(0);
    }
  });
}

/** `bytes` as a stream of chunks of `size`. */
export function inChunks(bytes: Buffer, size: number): Readable {
  function* chunks(): Generator<Buffer> {
    for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
  }
  return Readable.from(chunks(), { objectMode: false });
}

/** Everything a stream has to give. */
export async function collect(stream: Readable | Transform): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** `bytes` zeros, and then nothing until somebody ends it: a client that went silent. */
export class StalledBody extends Readable {
  /** Resolves when all the bytes are taken and more is asked for. */
  readonly stalled: Promise<void>;
  private stall!: () => void;

  constructor(private left: number) {
    super();
    this.stalled = new Promise((resolve) => (this.stall = resolve));
  }

  override _read(): void {
    if (this.left === 0) return this.stall();
    const chunk = Buffer.alloc(Math.min(this.left, 64 * 1024));
    this.left -= chunk.length;
    this.push(chunk);
  }
}

async function* bytesThenFailure(bytes: number, failure: Error): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536));
  await turn();
  throw failure;
}

function* zeros(mebibytes: number): Generator<Buffer> {
  for (let chunk = 0; chunk < mebibytes * 4; chunk += 1) yield Buffer.alloc(MIB / 4);
}

/** Returns a function that tells the most memory outside of the heap that was in use, beyond what was at the start. */
function watchMemory(): () => number {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }, 20);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  return collect(await store.get(key));
}

/** Everything that a store lists. */
export async function all(store: ObjectStore, prefix: string): Promise<(ObjectInfo & { modifiedAt: Date })[]> {
  const found = [];
  for await (const object of store.list(prefix)) found.push(object);
  return found;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
