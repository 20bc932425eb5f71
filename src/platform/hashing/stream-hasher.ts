import { Transform, finished, type Readable, type TransformCallback } from 'node:stream';
import { ChunkBatch } from '../../common/chunk-batch.js';
import { SLOT_BYTES, type DigestChannel, type HashAlgorithm } from './digest-channel.js';

/**
 * Called before `chunk` goes on; `totalBytes` counts all that came, including it. May refuse by throwing or rejecting, and
 * must not write into it.
 */
export type BeforeBytes = (totalBytes: number, chunk: Buffer) => void | Promise<void>;

/** What is known of a stream that ended well: its length and the digests that were asked for, in lower-case hex. */
export type Digests = { readonly sizeBytes: number } & Readonly<Partial<Record<HashAlgorithm, string>>>;

/** The stream was destroyed before its end, so there is no digest. */
class StreamAbandonedError extends Error {
  constructor() {
    super('The stream ended before all its bytes had come');
    this.name = 'StreamAbandonedError';
  }
}

/**
 * Passes bytes on unchanged while other threads compute their digests. Made by `HashPool.start`.
 *
 * ```ts
 * const hashing = pool.start(['md5', 'sha512']);
 * await store.put(key, hashing.from(body));
 * const { sizeBytes, md5, sha512 } = await hashing.digests();
 * ```
 *
 * The consumer gets the very chunks that came, so nobody may write into them.
 */
export class StreamHasher extends Transform {
  private readonly batch = new ChunkBatch();
  private readonly result: Promise<Digests>;
  private resolve!: (digests: Digests) => void;
  private reject!: (error: Error) => void;
  private total = 0;
  private flushed = false;

  constructor(
    private readonly channel: DigestChannel,
    private readonly beforeBytes: BeforeBytes | undefined,
  ) {
    super({ highWaterMark: 256 * 1024 });
    this.result = new Promise<Digests>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // A failure reaches whoever consumes the stream; who does not ask for digests need not hear of it twice.
    this.result.catch(() => undefined);
    // A client may hang up before anybody consumes the stream, which must not end the process.
    this.on('error', () => undefined);
  }

  /** Bytes that have come so far. */
  get sizeBytes(): number {
    return this.total;
  }

  /**
   * Reads everything from `source`; its failure or early end fails this stream.
   *
   * If this stream fails instead, `source` is left paused and undestroyed: it may be a request that still needs an
   * answer. Whoever owns it drains or destroys it.
   */
  from(source: Readable): this {
    const stopWatching = finished(source, { writable: false }, (error) => {
      if (error) this.destroy(error);
    });
    this.once('close', () => {
      stopWatching();
      source.unpipe(this);
      // It can still fail after everybody stopped listening, which must not end the process.
      source.on('error', () => undefined);
    });
    source.pipe(this);
    return this;
  }

  /**
   * The digests, once all bytes have come.
   *
   * Consume the stream first or meanwhile: nothing flows into it otherwise.
   * @throws the stream's error if it failed or was aborted; HashingFailedError if a hashing thread died
   */
  digests(): Promise<Digests> {
    return this.result;
  }

  /** Gives up: the consumer and `digests()` fail with `reason`, and the threads forget the stream. */
  abort(reason: Error = new StreamAbandonedError()): void {
    this.channel.abandon();
    this.reject(reason);
    this.destroy(reason);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.total += chunk.length;
    try {
      const admitted = this.beforeBytes?.(this.total, chunk);
      if (admitted) admitted.then(() => this.hashAndPass(chunk, done)).catch(done);
      else this.hashAndPass(chunk, done);
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    const end = (): void => {
      this.flushed = true;
      this.channel.finish().then((digests) => this.resolve({ ...digests, sizeBytes: this.total }), this.reject);
      done();
    };
    try {
      const sent = this.batch.length > 0 ? this.send() : undefined;
      if (sent) sent.then(end, done);
      else end();
    } catch (error) {
      done(error as Error);
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.flushed) {
      this.batch.take();
      this.channel.abandon();
      this.reject(error ?? new StreamAbandonedError());
    }
    done(error);
  }

  private hashAndPass(chunk: Buffer, done: TransformCallback): void {
    const hashed = this.hash(chunk, 0);
    if (hashed) hashed.then(() => done(null, chunk), done);
    else done(null, chunk);
  }

  private hash(chunk: Buffer, from: number): Promise<void> | undefined {
    let offset = from;
    while (offset < chunk.length) {
      const piece = chunk.subarray(offset, offset + SLOT_BYTES - this.batch.length);
      this.batch.add(piece);
      offset += piece.length;
      if (this.batch.length < SLOT_BYTES) break;
      const sent = this.send();
      const rest = offset;
      if (sent) return sent.then(() => this.hash(chunk, rest));
    }
    return undefined;
  }

  private send(): Promise<void> | undefined {
    const length = this.batch.length;
    return this.channel.send(this.batch.take(), length);
  }
}
