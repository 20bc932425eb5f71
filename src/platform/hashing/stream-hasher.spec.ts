import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HashPool } from './hash-pool.js';
import type { StreamHasher } from './stream-hasher.js';

const MIB = 1024 * 1024;

describe('StreamHasher', () => {
  let pool: HashPool;

  beforeAll(() => {
    pool = new HashPool({ threads: 2, slots: 3 });
  });
  afterAll(() => pool.close());

  it.each([0, 1, 1000, MIB - 1, MIB, MIB + 1, 3 * MIB, 9 * MIB + 12_345])(
    'computes the digests of %d bytes in chunks of any size and passes them on',
    async (length) => {
      const bytes = randomBytes(length);
      const hashing = pool.start(['md5', 'sha256', 'sha512']).from(randomChunks(bytes));

      const passed = await collect(hashing);

      expect(passed.equals(bytes)).toBe(true);
      expect(await hashing.digests()).toEqual({
        sizeBytes: length,
        md5: digest('md5', bytes),
        sha256: digest('sha256', bytes),
        sha512: digest('sha512', bytes),
      });
    },
  );

  it('computes only the digests that were asked for', async () => {
    const hashing = pool.start(['sha512']).from(Readable.from([Buffer.from('kiln')]));
    await collect(hashing);

    expect(await hashing.digests()).toEqual({ sizeBytes: 4, sha512: digest('sha512', Buffer.from('kiln')) });
  });

  it('hashes more streams at once than there are threads and slots', async () => {
    const bodies = Array.from({ length: 10 }, (_, index) => randomBytes(3 * MIB + index * 77_777));

    const digests = await Promise.all(
      bodies.map(async (bytes) => {
        const hashing = pool.start(['md5', 'sha512']).from(randomChunks(bytes));
        await drain(hashing);
        return hashing.digests();
      }),
    );

    expect(digests).toEqual(
      bodies.map((bytes) => ({
        sizeBytes: bytes.length,
        md5: digest('md5', bytes),
        sha512: digest('sha512', bytes),
      })),
    );
  });

  it('is not held up by clients that stopped sending', async () => {
    const silent = Array.from({ length: 8 }, () => {
      const source = new PassThrough();
      const hashing = pool.start(['md5']).from(source);
      hashing.on('error', () => undefined).resume();
      source.write(Buffer.alloc(700_000));
      return hashing;
    });

    const bytes = randomBytes(8 * MIB);
    const hashing = pool.start(['md5']).from(randomChunks(bytes));
    await drain(hashing);

    expect((await hashing.digests()).md5).toBe(digest('md5', bytes));
    for (const one of silent) one.abort();
  });

  it('asks before it passes bytes on, with the total so far', async () => {
    const totals: number[] = [];
    const source = Readable.from([Buffer.alloc(10), Buffer.alloc(5), Buffer.alloc(1)]);
    const hashing = pool
      .start(['md5'], {
        beforeBytes: async (total) => {
          await Promise.resolve();
          totals.push(total);
        },
      })
      .from(source);

    await drain(hashing);

    expect(totals).toEqual([10, 15, 16]);
    expect(hashing.sizeBytes).toBe(16);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('over the limit');
      },
    ],
    ['rejects', () => Promise.reject(new Error('over the limit'))],
  ])('fails with the refusal when the hook %s, and leaves the source alone', async (_word, refuse) => {
    const source = new PassThrough();
    for (let chunk = 0; chunk < 3; chunk += 1) source.write(Buffer.alloc(10));
    const hashing = pool.start(['md5'], { beforeBytes: (total) => (total > 10 ? refuse() : undefined) }).from(source);

    await expect(drain(hashing)).rejects.toThrow('over the limit');

    await expect(hashing.digests()).rejects.toThrow('over the limit');
    expect(source.destroyed).toBe(false);
    source.destroy();
  });

  it('fails as its source fails', async () => {
    const failure = new Error('the client hung up');
    const source = new PassThrough();
    const hashing = pool.start(['md5']).from(source);
    source.write(Buffer.alloc(2 * MIB));
    setImmediate(() => source.destroy(failure));

    await expect(drain(hashing)).rejects.toBe(failure);

    await expect(hashing.digests()).rejects.toBe(failure);
  });

  it('fails when its source ends too early without saying why', async () => {
    const source = new PassThrough();
    const hashing = pool.start(['md5']).from(source);
    source.write(Buffer.alloc(100));
    setImmediate(() => source.destroy());

    await expect(drain(hashing)).rejects.toThrow();

    await expect(hashing.digests()).rejects.toThrow();
  });

  it('forgets an aborted stream and computes the next one right', async () => {
    const bytes = randomBytes(5 * MIB);
    const aborted = pool.start(['md5', 'sha512']).from(randomChunks(bytes));
    const reason = new Error('cancelled');
    aborted.once('data', () => aborted.abort(reason));

    await expect(drain(aborted)).rejects.toBe(reason);
    await expect(aborted.digests()).rejects.toBe(reason);

    const next = pool.start(['md5', 'sha512']).from(randomChunks(bytes));
    await drain(next);
    expect(await next.digests()).toMatchObject({ md5: digest('md5', bytes), sha512: digest('sha512', bytes) });
  });

  it('fails streams under way when their threads end, and starts new ones', async () => {
    const short = new HashPool({ threads: 2 });
    const source = new PassThrough();
    const hashing = short.start(['md5', 'sha512']).from(source);
    hashing.on('error', () => undefined).resume();
    source.write(Buffer.alloc(3 * MIB));

    await short.close();
    source.end(Buffer.alloc(3 * MIB));

    await expect(hashing.digests()).rejects.toMatchObject({ kind: 'unavailable', code: 'hashing.failed' });
    const next = short.start(['md5']).from(Readable.from([Buffer.from('again')]));
    await drain(next);
    expect((await next.digests()).md5).toBe(digest('md5', Buffer.from('again')));
    await short.close();
  });

  it('ends idle threads and starts them again when needed', async () => {
    const idle = new HashPool({ threads: 2, idleMs: 1 });
    for (let round = 0; round < 5; round += 1) {
      const hashing = idle.start(['md5']).from(Readable.from([Buffer.from(`round ${round}`)]));
      await drain(hashing);
      expect((await hashing.digests()).md5).toBe(digest('md5', Buffer.from(`round ${round}`)));
      await idle.whenIdle();
    }
    expect(idle.threadCount).toBe(0);
  });

  it('holds back a source whose bytes nobody takes', async () => {
    let produced = 0;
    const source = new Readable({
      read() {
        produced += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    const hashing = pool.start(['md5']).from(source);
    await new Promise((resolve) => hashing.once('readable', resolve));
    await new Promise((resolve) => setImmediate(resolve));

    expect(produced).toBeLessThan(2 * MIB);
    hashing.abort();
    source.destroy();
  });
});

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length;) {
    const size = randomInt(3) === 0 ? randomInt(1, 100) : randomInt(1, 2 * MIB);
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

const randomChunks = (bytes: Buffer): Readable => Readable.from(pieces(bytes), { objectMode: false });

async function collect(stream: StreamHasher): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function drain(stream: StreamHasher): Promise<void> {
  await pipeline(stream, async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) void chunk;
  });
}

const digest = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex');
