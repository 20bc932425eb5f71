import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { assertObjectKey } from './object-key.js';
import { ObjectStore, type ByteRange, type ObjectInfo, type StoreDescription } from './object-store.js';
import {
  ObjectExistsError,
  ObjectNotFoundError,
  ObjectRangeError,
  ObjectSizeMismatchError,
  StoreUnavailableError,
} from './object-store.errors.js';

interface StoredObject {
  readonly bytes: Buffer;
  readonly modifiedAt: Date;
}

/** Objects in memory, for tests: keeps every promise of the port except durability, and fails when told to. */
export class MemoryObjectStore extends ObjectStore {
  readonly description: StoreDescription;
  private readonly objects = new Map<string, StoredObject>();
  private bytesUntilFailure = Infinity;

  constructor(id = 'memory') {
    super();
    this.description = { id, type: 'memory' };
  }

  /** Takes `bytes` more bytes in all, and from then on fails every write until `recover`. */
  failAfter(bytes: number): void {
    this.bytesUntilFailure = bytes;
  }

  recover(): void {
    this.bytesUntilFailure = Infinity;
  }

  async put(
    key: string,
    body: Readable,
    options: { sizeBytes?: number; signal?: AbortSignal } = {},
  ): Promise<ObjectInfo> {
    const chunks: Buffer[] = [];
    try {
      assertObjectKey(key);
      options.signal?.throwIfAborted();
      if (this.bytesUntilFailure <= 0) throw this.failure();
      await pipeline(
        body,
        async (source: AsyncIterable<Buffer>) => {
          for await (const chunk of source) {
            this.bytesUntilFailure -= chunk.length;
            if (this.bytesUntilFailure < 0) throw this.failure();
            chunks.push(chunk);
          }
        },
        { signal: options.signal },
      );
    } catch (error) {
      body.destroy();
      if (options.signal?.aborted && (error as Error).name === 'AbortError') throw options.signal.reason;
      throw error;
    }
    const bytes = Buffer.concat(chunks);
    if (options.sizeBytes !== undefined && options.sizeBytes !== bytes.length) {
      throw new ObjectSizeMismatchError(options.sizeBytes, bytes.length);
    }
    if (this.objects.has(key)) throw new ObjectExistsError(key);
    this.objects.set(key, { bytes, modifiedAt: new Date() });
    return { key, sizeBytes: bytes.length };
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    const { bytes } = this.find(key);
    if (range && (range.start >= bytes.length || range.end < range.start)) {
      throw new ObjectRangeError(key, bytes.length);
    }
    const part = range ? bytes.subarray(range.start, range.end + 1) : bytes;
    return Readable.from(part.length > 0 ? [part] : [], { objectMode: false });
  }

  async head(key: string): Promise<ObjectInfo> {
    return { key, sizeBytes: this.find(key).bytes.length };
  }

  async delete(key: string): Promise<void> {
    assertObjectKey(key);
    this.objects.delete(key);
  }

  async *list(prefix: string): AsyncIterable<ObjectInfo & { modifiedAt: Date }> {
    for (const [key, { bytes, modifiedAt }] of this.objects) {
      if (key.startsWith(prefix)) yield { key, sizeBytes: bytes.length, modifiedAt };
    }
  }

  async removeAbandoned(): Promise<number> {
    return 0;
  }

  async check(): Promise<void> {
    if (this.bytesUntilFailure <= 0) throw this.failure();
  }

  private find(key: string): StoredObject {
    assertObjectKey(key);
    const found = this.objects.get(key);
    if (!found) throw new ObjectNotFoundError(key);
    return found;
  }

  private failure(): StoreUnavailableError {
    return new StoreUnavailableError(this.description.id, 'writing', 'it was told to');
  }
}
