import type { Readable } from 'node:stream';

/** Bytes `start` to `end`, both included and zero-based. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a store knows of one object. */
export interface ObjectInfo {
  readonly key: string;
  readonly sizeBytes: number;
}

/** How a store tells itself to operators and to faces that list stores. */
export interface StoreDescription {
  readonly id: string;
  readonly type: 'file' | 's3' | 'memory';
  readonly description?: string;
  /** Of two copies the one in the store that weighs more is read first; absent: 0. */
  readonly weight?: number;
  /** Settings that say how it works, without secrets; for operators. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Where bytes lie. Objects are written once under a key that nobody reuses, so there is no overwrite to race with.
 *
 * Every method rejects with `UnavailableError` when the store does not answer or refuses the credentials, and with
 * `ObjectNotFoundError` where it says so. Keys are relative, `/`-separated, made by Kiln (never by a user).
 */
export abstract class ObjectStore {
  abstract readonly description: StoreDescription;

  /**
   * Streams `body` into a new object and returns when it is durable (file: fsynced and renamed; S3: completed).
   *
   * On any failure, of the store or of `body`, nothing is left under `key` and the first error is rethrown as it is.
   * `body` is read exactly once and destroyed on failure. Its length need not be known.
   *
   * @param options.sizeBytes the length, if it is known: saves work, and refuses early what does not fit
   * @param options.signal gives up; rejects with the signal's reason
   * @throws ObjectExistsError the key is taken (where a store can tell; S3 replaces)
   * @throws ObjectSizeMismatchError the body was not `sizeBytes` long
   * @throws StoreFullError no room left
   */
  abstract put(
    key: string,
    body: Readable,
    options?: { sizeBytes?: number; signal?: AbortSignal },
  ): Promise<ObjectInfo>;

  /**
   * Opens an object for reading. The caller must consume or destroy the stream.
   *
   * A range may end behind the object's end, which cuts it there.
   * @throws ObjectNotFoundError before the stream is returned
   * @throws ObjectRangeError the range begins behind the object's end, or ends before it begins
   */
  abstract get(key: string, range?: ByteRange): Promise<Readable>;

  /** @throws ObjectNotFoundError */
  abstract head(key: string): Promise<ObjectInfo>;

  /**
   * An address from which whoever has it can read an object for so long, without Kiln in between and without any
   * credential: it is a secret. Null: such a store has none. Not contacted, so the object may be missing.
   */
  async presignGet(_key: string, _lifeSeconds: number): Promise<string | null> {
    return null;
  }

  /** Removes an object; one that does not exist is no error. */
  abstract delete(key: string): Promise<void>;

  /** All objects below a prefix, in no order, without holding them in memory. For sweeps. */
  abstract list(prefix: string): AsyncIterable<ObjectInfo & { modifiedAt: Date }>;

  /** Removes what interrupted writes left behind (temporary files, unfinished multipart uploads) older than `ageMs`. */
  abstract removeAbandoned(ageMs: number): Promise<number>;

  /** Rejects with `UnavailableError` if the store cannot be used now. */
  abstract check(): Promise<void>;

  /** Lets go of connections. The store is not used afterwards. */
  async close(): Promise<void> {}
}
