import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { FileCache } from './file-cache.js';

describe('a file cache', () => {
  let path: string;
  let cache: FileCache;

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'kiln-file-cache-'));
    cache = new FileCache({ path, maxBytes: 10 });
  });

  afterEach(() => rm(path, { recursive: true, force: true }));

  const fill = (key: string, content: string) => cache.fill(key, content.length, async () => Readable.from([content]));
  const keys = async () => (await cache.list()).map(({ key }) => key).sort();
  const read = async (key: string, sizeBytes: number) => {
    const body = await cache.open(key, sizeBytes);
    return body && text(body);
  };

  it('gives back what it keeps', async () => {
    expect(await fill('a', 'hello')).toBe(true);

    expect([await read('a', 5), await read('b', 5)]).toEqual(['hello', null]);
    expect(await cache.list()).toMatchObject([{ key: 'a', sizeBytes: 5, hits: 1 }]);
  });

  it('throws away what is not of the right size', async () => {
    await fill('a', 'hello');

    expect(await read('a', 4)).toBeNull();
    expect(await keys()).toEqual([]);
  });

  it('keeps nothing of a source that breaks off, or brings something else', async () => {
    const broken = () =>
      Promise.resolve(
        Readable.from(
          (function* () {
            yield 'hel';
            throw new Error('broken');
          })(),
        ),
      );

    await expect(cache.fill('a', 5, broken)).rejects.toThrow('broken');
    await expect(cache.fill('a', 5, async () => Readable.from(['longer than that']))).rejects.toThrow();

    expect([await keys(), await readdir(join(path, 'files', '.tmp'))]).toEqual([[], []]);
  });

  it('makes room by what was not read for longest, and has none for what is too large', async () => {
    await fill('a', '1234');
    await fill('b', '1234');
    await read('a', 4);

    await fill('c', '1234');

    expect(await keys()).toEqual(['a', 'c']);
    expect(await fill('d', '12345678901')).toBe(false);
    expect(await keys()).toEqual(['a', 'c']);
  });

  it('is pruned to its limit', async () => {
    await fill('a', '12345');
    await writeFile(join(path, 'files', 'b'), '1234567');

    expect(await cache.prune()).toEqual({ files: 1, bytes: 5 });
    expect(await cache.prune()).toEqual({ files: 0, bytes: 0 });
  });

  it('remembers what is wanted, in order and in another process', async () => {
    for (const key of ['b', 'a', 'b', 'c']) await cache.want(key);
    for (const [time, key] of ['c', 'b', 'a'].entries()) await utimes(join(path, 'wanted', key), time, time);

    expect(await new FileCache({ path, maxBytes: 10 }).wanted()).toEqual(['c', 'b', 'a']);
    expect([await cache.unwant('b'), await cache.unwant('b')]).toEqual([true, false]);
  });

  it('can be wanted from, filled and emptied by many at once', async () => {
    const all = [...Array(30).keys()].map((index) => `k${index % 5}`);

    await Promise.all(
      all.map(async (key) => {
        await cache.want(key);
        await fill(key, '12');
        await cache.unwant(key);
        await cache.remove(key);
      }),
    );

    expect([await cache.wanted(), await keys()]).toEqual([[], []]);
  });

  it('cleans only what has not moved for long', async () => {
    await fill('a', 'hello');
    const temporary = join(path, 'files', '.tmp');
    await writeFile(join(temporary, 'old'), '');
    await writeFile(join(temporary, 'new'), '');
    await utimes(join(temporary, 'old'), 1, 1);

    await cache.clean();

    expect(await readdir(temporary)).toEqual(['new']);
  });
});
