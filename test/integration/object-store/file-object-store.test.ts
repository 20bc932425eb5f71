import { describe, it, expect, beforeEach, afterEach } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { FileObjectStore } from '../../../src/platform/object-store/file-object-store.js';
import { killDuringPut } from '../../support/killed-put.js';
import { StalledBody, all, collect, describeObjectStore, inChunks } from '../../support/object-stores.js';

const temporaryFiles = async (path: string): Promise<string[]> => fs.readdir(join(path, '.tmp')).catch(() => []);

/** A disk that is really full takes the right to mount one. */
const mayMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const onSmallDisk = mayMount ? it : it.skip;

describeObjectStore('file', async () => {
  const path = await fs.mkdtemp(join(tmpdir(), 'kiln-objects-'));
  return {
    store: new FileObjectStore({ id: 'files', path }),
    leftovers: async () => (await temporaryFiles(path)).length,
    close: () => fs.rm(path, { recursive: true, force: true }),
  };
});

describe('FileObjectStore', () => {
  let path: string;
  let store: FileObjectStore;

  beforeEach(async () => {
    path = await fs.mkdtemp(join(tmpdir(), 'kiln-objects-'));
    store = new FileObjectStore({ id: 'files', path });
  });

  afterEach(() => fs.rm(path, { recursive: true, force: true }));

  it('removes files of killed writers and keeps those written to lately', async () => {
    await store.check();
    const abandoned = join(path, '.tmp', 'of-a-killed-process');
    await fs.writeFile(abandoned, 'half');
    await fs.utimes(abandoned, new Date(0), new Date(0));
    const body = new StalledBody(100_000);
    const put = store.put('written/now', body);
    await body.stalled;

    expect(await store.removeAbandoned(3_600_000)).toBe(1);

    expect(await temporaryFiles(path)).toHaveLength(1);
    body.push(null);
    await expect(put).resolves.toEqual({ key: 'written/now', sizeBytes: 100_000 });
  });

  it('has nothing under the key after the process was killed within a put, and sweeps what it left', async () => {
    await killDuringPut({ type: 'file', path }, 'killed/one', 48_000_000);

    await expect(store.head('killed/one')).rejects.toMatchObject({ code: 'object_store.not_found' });
    await expect(store.get('killed/one')).rejects.toMatchObject({ code: 'object_store.not_found' });
    expect(await all(store, '')).toEqual([]);
    expect(await temporaryFiles(path)).toHaveLength(1);

    expect(await store.removeAbandoned(0)).toBe(1);

    expect(await temporaryFiles(path)).toEqual([]);
    await expect(store.put('killed/one', Readable.from([Buffer.from('x')]))).resolves.toMatchObject({ sizeBytes: 1 });
  });

  it('shows no object under a key before all of its bytes are written', async () => {
    const body = new StalledBody(5_000_000);
    const put = store.put('a/b', body);
    await body.stalled;

    await expect(store.head('a/b')).rejects.toMatchObject({ code: 'object_store.not_found' });

    body.push(null);
    await put;
    expect(await store.head('a/b')).toEqual({ key: 'a/b', sizeBytes: 5_000_000 });
  });

  it('removes folders that become empty and keeps its own', async () => {
    await store.put('a/b/c', Readable.from([Buffer.from('x')]));
    await store.put('a/d', Readable.from([Buffer.from('x')]));

    await store.delete('a/b/c');
    expect(await fs.readdir(join(path, 'a'))).toEqual(['d']);

    await store.delete('a/d');
    expect(await fs.readdir(path)).toEqual(['.tmp']);
  });

  it('writes into folders that come and go with what is deleted beside', async () => {
    const comeAndGo = async (writer: number): Promise<void> => {
      for (let round = 0; round < 50; round += 1) {
        const key = `a/b/c/${writer}-${round}`;
        await store.put(key, Readable.from([Buffer.from('x')]));
        await store.delete(key);
      }
    };

    await Promise.all(Array.from({ length: 8 }, (_, writer) => comeAndGo(writer)));

    expect(await fs.readdir(path)).toEqual(['.tmp']);
  });

  it('refuses at once what cannot fit on the disk', async () => {
    const body = new StalledBody(1_000);

    await expect(store.put('huge', body, { sizeBytes: 2 ** 52 })).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'object_store.full',
    });

    expect(body.destroyed).toBe(true);
    expect(await temporaryFiles(path)).toEqual([]);
  });

  onSmallDisk('says so when the disk is full, leaves nothing, and goes on with what fits', async () => {
    const disk = join(path, 'disk');
    await fs.mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
    try {
      const full = new FileObjectStore({ id: 'small', path: disk });

      await expect(full.put('a', inChunks(Buffer.alloc(6_000_000), 65_536))).rejects.toMatchObject({
        kind: 'unavailable',
        code: 'object_store.full',
        message: 'The object store small is full',
      });

      await expect(full.head('a')).rejects.toMatchObject({ code: 'object_store.not_found' });
      expect(await temporaryFiles(disk)).toEqual([]);
      await expect(full.put('b', inChunks(Buffer.alloc(3_000_000), 65_536))).resolves.toMatchObject({ key: 'b' });
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  it('is unavailable where no folder can be', async () => {
    await fs.writeFile(join(path, 'file'), '');
    const misplaced = new FileObjectStore({ id: 'files', path: join(path, 'file', 'below') });

    await expect(misplaced.check()).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(misplaced.put('a', Readable.from([Buffer.from('x')]))).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('reads an object to its end although it is deleted meanwhile', async () => {
    const bytes = Buffer.alloc(4_000_000, 7);
    await store.put('a', Readable.from([bytes]));

    const body = await store.get('a');
    await store.delete('a');

    expect((await collect(body)).equals(bytes)).toBe(true);
  });
});
