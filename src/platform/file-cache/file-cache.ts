import { join } from 'node:path';
import { Readable } from 'node:stream';
import { FileObjectStore } from '../object-store/file-object-store.js';
import { ObjectExistsError } from '../object-store/object-store.errors.js';
import type { ByteRange, ObjectInfo } from '../object-store/object-store.js';

/** A write that has not moved for so long is nobody's any more. */
const ABANDONED_AFTER_MS = 60 * 60_000;

/** A file that is kept. */
export interface CachedFile {
  readonly key: string;
  readonly sizeBytes: number;
  /** How often this process read it. */
  readonly hits: number;
  /** When this process last read it; until it did, when the file came. */
  readonly lastAccessedAt: Date;
  readonly modifiedAt: Date;
}

interface Access {
  hits: number;
  at: Date;
}

/**
 * Whole files kept in a folder of this machine, up to so many bytes: those that nobody read for longest go first. Beside
 * them it remembers which files are wanted, so that a restart does not forget.
 *
 * The folder is the truth and may be shared or emptied at any time. A file appears under its key when all of it is
 * there; what is not as long as it must be is thrown away. Keys are those of `ObjectStore`, without `/`.
 */
export class FileCache {
  private readonly kept: FileObjectStore;
  /** Empty files, named as what is wanted. */
  private readonly wishes: FileObjectStore;
  private readonly accesses = new Map<string, Access>();

  constructor(private readonly options: { path: string; maxBytes: number }) {
    this.kept = new FileObjectStore({ id: 'cache', path: join(options.path, 'files') });
    this.wishes = new FileObjectStore({ id: 'cache', path: join(options.path, 'wanted') });
  }

  /**
   * Opens a kept file; null when there is none, or none of that size. The caller consumes or destroys the stream.
   */
  async open(key: string, sizeBytes: number, range?: ByteRange): Promise<Readable | null> {
    try {
      const found = await this.kept.head(key);
      if (found.sizeBytes !== sizeBytes) {
        await this.remove(key);
        return null;
      }
      const body = await this.kept.get(key, range);
      this.accesses.set(key, { hits: (this.accesses.get(key)?.hits ?? 0) + 1, at: new Date() });
      return body;
    } catch {
      // Gone, or not readable: whoever asks has another place to read from.
      return null;
    }
  }

  /** Whether a file is there, of that size. */
  async has(key: string, sizeBytes: number): Promise<boolean> {
    const found = await this.kept.head(key).catch(() => null);
    return found?.sizeBytes === sizeBytes;
  }

  /**
   * Keeps a file, for which others go if there is no room. False when it is larger than all the room there is.
   * @param source opens the bytes; not called when they will not be kept
   * @throws whatever the source throws, or StoreFullError; nothing is kept then
   */
  async fill(key: string, sizeBytes: number, source: () => Promise<Readable>, signal?: AbortSignal): Promise<boolean> {
    if (sizeBytes > this.options.maxBytes) return false;
    if (await this.has(key, sizeBytes)) return true;
    await this.kept.delete(key);
    await this.prune(sizeBytes);
    try {
      await this.kept.put(key, await source(), { sizeBytes, signal });
    } catch (error) {
      // Another process that shares the folder was faster.
      if (!(error instanceof ObjectExistsError)) throw error;
    }
    return true;
  }

  /** Whether there was such a file. */
  async remove(key: string): Promise<boolean> {
    const found = await this.kept.head(key).catch(() => null);
    await this.kept.delete(key);
    this.accesses.delete(key);
    return found !== null;
  }

  /** Every file that is kept, the one least recently read first. */
  async list(): Promise<CachedFile[]> {
    const files = (await all(this.kept)).map(({ key, sizeBytes, modifiedAt }) => {
      const access = this.accesses.get(key);
      return { key, sizeBytes, modifiedAt, hits: access?.hits ?? 0, lastAccessedAt: access?.at ?? modifiedAt };
    });
    return files.sort((one, other) => one.lastAccessedAt.getTime() - other.lastAccessedAt.getTime());
  }

  /** Removes the files least recently read until there is room for so many bytes. */
  async prune(roomBytes = 0): Promise<{ files: number; bytes: number }> {
    const files = await this.list();
    let over = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, roomBytes) - this.options.maxBytes;
    const gone = { files: 0, bytes: 0 };
    for (const { key, sizeBytes } of files) {
      if (over <= 0) break;
      await this.remove(key);
      over -= sizeBytes;
      gone.files += 1;
      gone.bytes += sizeBytes;
    }
    return gone;
  }

  /** Removes what interrupted writes left behind. */
  async clean(): Promise<void> {
    await this.kept.removeAbandoned(ABANDONED_AFTER_MS);
    await this.wishes.removeAbandoned(ABANDONED_AFTER_MS);
  }

  /** Remembers that a file is wanted. */
  async want(key: string): Promise<void> {
    await this.wishes.put(key, Readable.from([])).catch((error: unknown) => {
      if (!(error instanceof ObjectExistsError)) throw error;
    });
  }

  /** The keys of the files that are wanted, in the order in which they were asked for. */
  async wanted(): Promise<string[]> {
    const wishes = await all(this.wishes);
    return wishes.sort((one, other) => one.modifiedAt.getTime() - other.modifiedAt.getTime()).map(({ key }) => key);
  }

  /** Whether it was wanted. */
  async unwant(key: string): Promise<boolean> {
    const found = await this.wishes.head(key).catch(() => null);
    await this.wishes.delete(key);
    return found !== null;
  }
}

async function all(store: FileObjectStore): Promise<(ObjectInfo & { modifiedAt: Date })[]> {
  const found: (ObjectInfo & { modifiedAt: Date })[] = [];
  for await (const object of store.list('')) found.push(object);
  return found;
}
