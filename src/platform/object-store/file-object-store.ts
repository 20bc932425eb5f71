import { close, createReadStream, fstat, open, type Dirent } from 'node:fs';
import * as fs from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { KilnError } from '../../common/errors.js';
import { DescriptorWriter, IO_BYTES, syncs } from './descriptor-writer.js';
import { TEMPORARY_FOLDER, assertObjectKey } from './object-key.js';
import { ObjectStore, type ByteRange, type ObjectInfo, type StoreDescription } from './object-store.js';
import {
  ObjectExistsError,
  ObjectNotFoundError,
  ObjectRangeError,
  ObjectSizeMismatchError,
  StoreFullError,
  StoreUnavailableError,
} from './object-store.errors.js';
import { ReadableObject } from './readable-object.js';

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);
const statDescriptor = promisify(fstat);

/**
 * Objects as files below one folder, the key being the path.
 *
 * An object is written to `.tmp/`, synced, and only then linked to its place, so that whatever moment the machine
 * stops, a key has all of its bytes or does not exist. What remains in `.tmp/` is removed by `removeAbandoned`.
 */
export class FileObjectStore extends ObjectStore {
  readonly description: StoreDescription;
  private readonly root: string;
  private readonly temporary: string;

  constructor(options: { id: string; path: string; description?: string; weight?: number }) {
    super();
    this.description = { id: options.id, type: 'file', description: options.description, weight: options.weight };
    this.root = resolve(options.path);
    this.temporary = join(this.root, TEMPORARY_FOLDER);
  }

  async put(
    key: string,
    body: Readable,
    options: { sizeBytes?: number; signal?: AbortSignal } = {},
  ): Promise<ObjectInfo> {
    const temporary = join(this.temporary, randomUUID());
    let file: fs.FileHandle | undefined;
    try {
      const target = this.path(key);
      options.signal?.throwIfAborted();
      file = await this.doing('creating a file', () => this.create(temporary, options.sizeBytes));
      const writer = new DescriptorWriter(file.fd, (error) => this.failure('writing', error));
      await pipeline(body, writer, { signal: options.signal });
      const sizeBytes = writer.bytesWritten;
      if (options.sizeBytes !== undefined && options.sizeBytes !== sizeBytes) {
        throw new ObjectSizeMismatchError(options.sizeBytes, sizeBytes);
      }
      const written = file;
      await this.doing('writing', async () => {
        await syncs.run(() => written.sync());
        file = undefined;
        await written.close();
      });
      options.signal?.throwIfAborted();
      await this.publish(key, temporary, target);
      return { key, sizeBytes };
    } catch (error) {
      body.destroy();
      await file?.close().catch(() => undefined);
      await fs.rm(temporary, { force: true }).catch(() => undefined);
      if (options.signal?.aborted && (error as Error).name === 'AbortError') throw options.signal.reason;
      throw error;
    }
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    const path = this.path(key);
    const fd = await this.doing('reading', () => openDescriptor(path, 'r'), key);
    try {
      const stats = await this.doing('reading', () => statDescriptor(fd));
      if (!stats.isFile()) throw new ObjectNotFoundError(key);
      if (range && (range.start >= stats.size || range.end < range.start)) throw new ObjectRangeError(key, stats.size);
    } catch (error) {
      await closeDescriptor(fd);
      throw error;
    }
    const source = createReadStream('', { fd, highWaterMark: IO_BYTES, start: range?.start, end: range?.end });
    return new ReadableObject(source, (error) => this.failure('reading', error));
  }

  async head(key: string): Promise<ObjectInfo> {
    const path = this.path(key);
    const stats = await this.doing('reading', () => fs.stat(path), key);
    if (!stats.isFile()) throw new ObjectNotFoundError(key);
    return { key, sizeBytes: stats.size };
  }

  async delete(key: string): Promise<void> {
    const path = this.path(key);
    await this.doing('deleting', async () => {
      try {
        await fs.unlink(path);
      } catch (error) {
        if (!isGone(error) && !isCode(error, 'EISDIR', 'EPERM')) throw error;
        // Some systems say EPERM for a folder: that is no object, so there is nothing to delete.
        if (isCode(error, 'EPERM') && !(await fs.stat(path)).isDirectory()) throw error;
      }
    });
    await this.removeEmptyFolders(dirname(path));
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo & { modifiedAt: Date }> {
    yield* this.walk('', prefix);
  }

  async removeAbandoned(ageMs: number): Promise<number> {
    const before = Date.now() - ageMs;
    let removed = 0;
    for await (const entry of this.entries(this.temporary)) {
      const path = join(this.temporary, entry.name);
      // A write under way touches its file all the time, in whichever process it runs.
      const stats = await fs.stat(path).catch(() => undefined);
      if (!stats?.isFile() || stats.mtimeMs > before) continue;
      await this.doing('deleting', () => fs.rm(path, { force: true }));
      removed += 1;
    }
    return removed;
  }

  async check(): Promise<void> {
    await this.doing('its check', async () => {
      await fs.mkdir(this.temporary, { recursive: true });
      await fs.access(this.temporary, fs.constants.W_OK | fs.constants.X_OK);
    });
  }

  private path(key: string): string {
    assertObjectKey(key);
    return join(this.root, ...key.split('/'));
  }

  private async create(path: string, sizeBytes: number | undefined): Promise<fs.FileHandle> {
    let file: fs.FileHandle;
    try {
      file = await fs.open(path, 'wx', 0o640);
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error;
      await fs.mkdir(this.temporary, { recursive: true });
      file = await fs.open(path, 'wx', 0o640);
    }
    if (sizeBytes !== undefined && sizeBytes > IO_BYTES) {
      const room = await fs.statfs(this.temporary);
      // Sooner refused than found out after hours of writing, and by everybody else on this disk.
      if (room.bavail * room.bsize < sizeBytes) {
        await file.close();
        throw new StoreFullError(this.description.id);
      }
    }
    return file;
  }

  /** Gives a finished file its key. From the link on the object exists; the syncs make that survive a power cut. */
  private async publish(key: string, temporary: string, target: string): Promise<void> {
    await this.doing('writing', async () => {
      await this.link(key, temporary, target);
      try {
        await this.syncFolders(dirname(target));
      } catch (error) {
        await fs.rm(target, { force: true });
        throw error;
      }
      await fs.rm(temporary, { force: true });
    });
  }

  private async link(key: string, temporary: string, target: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await fs.mkdir(dirname(target), { recursive: true });
        // Not a rename: that would silently replace an object which is there already.
        await fs.link(temporary, target).catch((error: unknown) => {
          throw isCode(error, 'EEXIST') ? new ObjectExistsError(key) : error;
        });
        return;
      } catch (error) {
        // A delete next door may just have removed the folder, empty for a moment, or one of those above it.
        if (!isCode(error, 'ENOENT') || attempt >= 10) throw error;
      }
    }
  }

  /** Every folder from the object up to the root: any of them may have been made for it, or for its neighbour just now. */
  private async syncFolders(folder: string): Promise<void> {
    for (let at = folder; ; at = dirname(at)) {
      const handle = await fs.open(at, 'r');
      try {
        await syncs.run(() => handle.sync());
      } finally {
        await handle.close();
      }
      if (at === this.root) return;
    }
  }

  private async removeEmptyFolders(folder: string): Promise<void> {
    try {
      for (let at = folder; at.startsWith(this.root + sep); at = dirname(at)) await fs.rmdir(at);
    } catch {
      // Not empty, which is the usual case, or gone.
    }
  }

  private async *walk(folder: string, prefix: string): AsyncGenerator<ObjectInfo & { modifiedAt: Date }> {
    for await (const entry of this.entries(join(this.root, folder))) {
      const key = folder + entry.name;
      if (key === TEMPORARY_FOLDER) continue;
      if (entry.isDirectory()) {
        const below = `${key}/`;
        if (below.startsWith(prefix) || prefix.startsWith(below)) yield* this.walk(below, prefix);
      } else if (entry.isFile() && key.startsWith(prefix)) {
        const stats = await fs.stat(join(this.root, key)).catch(() => undefined);
        if (stats) yield { key, sizeBytes: stats.size, modifiedAt: stats.mtime };
      }
    }
  }

  private async *entries(folder: string): AsyncGenerator<Dirent> {
    try {
      for await (const entry of await fs.opendir(folder)) yield entry;
    } catch (error) {
      if (!isGone(error)) throw this.failure('listing', error);
    }
  }

  private async doing<T>(what: string, work: () => Promise<T>, readKey?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (readKey !== undefined && isGone(error)) throw new ObjectNotFoundError(readKey, { cause: error });
      throw this.failure(what, error);
    }
  }

  private failure(doing: string, error: unknown): Error {
    if (error instanceof KilnError) return error;
    if (isCode(error, 'ENOSPC', 'EDQUOT')) return new StoreFullError(this.description.id, error);
    return new StoreUnavailableError(this.description.id, doing, error);
  }
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

function isGone(error: unknown): boolean {
  return isCode(error, 'ENOENT', 'ENOTDIR');
}
