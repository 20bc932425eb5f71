import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { ObjectSizeMismatchError } from './object-store.errors.js';
import { PartMemory, type PartMemoryUser } from './part-memory.js';
import { partSize } from './s3-part-size.js';

/** Buffers beyond the one that each upload may have. */
const SPARE_BUFFERS = 4;
const SPOOLED_PART_ATTEMPTS = 3;
const SPOOL_PREFIX = 'kiln-part-';
const memory = new PartMemory(SPARE_BUFFERS);

interface S3UploadOptions {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number | undefined;
  /** Size of parts that are kept in memory. */
  readonly partBytes: number;
  /** How many parts to get by with, if larger ones will do. */
  readonly fewParts: number;
  readonly spoolDir: string;
  readonly asStoreError: (error: unknown) => Error;
  /** Ids of multipart uploads that nobody may take for abandoned. */
  readonly underWay: Set<string>;
}

/** Bytes of one part while they gather. */
interface Part {
  readonly room: number;
  readonly length: number;
  add(bytes: Buffer): Promise<void> | undefined;
  /** Hands the bytes to `send`, again if that fails in a way that may pass. */
  send<T>(send: (body: Buffer | NodeJS.ReadableStream, length: number) => Promise<T>): Promise<T>;
  /** @param sent the server has it all, so that no connection reads from it any more */
  release(sent: boolean): Promise<void>;
}

/**
 * Writes a stream of any length into one object: with a single request if it fits into one part, else as a multipart
 * upload. Parts are sent while the next ones arrive, as far as memory allows.
 *
 * After the stream has ended, `complete` makes the object appear. If anything fails, `discard` removes every trace.
 */
export class S3Upload extends Writable {
  /** Bytes that came so far. */
  bytesTaken = 0;
  private readonly user: PartMemoryUser = { held: 0 };
  private readonly inFlight = new Set<Promise<void>>();
  private readonly cancel = new AbortController();
  private readonly tags: { PartNumber: number; ETag: string | undefined }[] = [];
  private current: Part | undefined;
  private nextNumber = 1;
  private uploadId: string | undefined;
  /** A request was made after which the object may exist. */
  private mayExist = false;
  private failed: Error | undefined;
  private busy: Promise<void> | undefined;

  constructor(private readonly options: S3UploadOptions) {
    super({ highWaterMark: 64 * 1024 });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.bytesTaken += chunk.length;
    const { sizeBytes } = this.options;
    if (sizeBytes !== undefined && this.bytesTaken > sizeBytes) {
      return done(new ObjectSizeMismatchError(sizeBytes, this.bytesTaken));
    }
    if (this.failed) return done(this.failed);
    // The usual case, without a promise: sixteen thousand chunks make a gigabyte.
    if (this.current && this.current.room >= chunk.length) {
      const added = this.current.add(chunk);
      if (!added) return done();
      this.busy = added;
    } else {
      this.busy = this.take(chunk);
    }
    this.busy.then(
      () => done(),
      (error: unknown) => done(this.options.asStoreError(error)),
    );
  }

  /**
   * Sends what is left, and makes the object appear.
   * @returns its size in bytes
   */
  async complete(signal?: AbortSignal): Promise<number> {
    const cancel = (): void => this.cancel.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      if (this.uploadId === undefined) await this.sendWhole();
      else await this.sendLastPart();
      signal?.throwIfAborted();
      return this.bytesTaken;
    } catch (error) {
      throw signal?.aborted ? signal.reason : this.options.asStoreError(error);
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (this.uploadId !== undefined) this.options.underWay.delete(this.uploadId);
    }
  }

  /** Removes what a failed upload left on the server, as far as that still answers, and frees the memory. */
  async discard(): Promise<void> {
    this.cancel.abort();
    this.destroy();
    await this.busy?.catch(() => undefined);
    // A part that arrives after the abort would stay for ever.
    await Promise.allSettled(this.inFlight);
    await this.current?.release(false);
    this.current = undefined;
    const { client, bucket, key, underWay } = this.options;
    const object = { Bucket: bucket, Key: key };
    // What cannot be removed now is found by the sweeps; the caller must hear of the first failure, not of this one.
    if (this.uploadId !== undefined) {
      await client.send(new AbortMultipartUploadCommand({ ...object, UploadId: this.uploadId })).catch(() => undefined);
      underWay.delete(this.uploadId);
    }
    if (this.mayExist) await client.send(new DeleteObjectCommand(object)).catch(() => undefined);
  }

  private async take(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.current?.room === 0) await this.sendCurrent();
      this.current ??= await this.openPart();
      if (this.failed) throw this.failed;
      this.cancel.signal.throwIfAborted();
      const piece = rest.subarray(0, this.current.room);
      await this.current.add(piece);
      rest = rest.subarray(piece.length);
    }
  }

  private async openPart(): Promise<Part> {
    const { partBytes, sizeBytes, fewParts, spoolDir } = this.options;
    const bytes = partSize(this.nextNumber, partBytes, sizeBytes, fewParts);
    if (bytes > partBytes) {
      // One is sent while the next fills; more would only take more disk.
      while (this.inFlight.size > 1) await Promise.race(this.inFlight);
      return SpooledPart.open(spoolDir, bytes);
    }
    return new MemoryPart(this.user, await memory.acquire(this.user, bytes));
  }

  private async sendCurrent(): Promise<void> {
    const part = this.current!;
    const { client, bucket, key, underWay } = this.options;
    const object = { Bucket: bucket, Key: key };
    if (this.uploadId === undefined) {
      const created = await client.send(new CreateMultipartUploadCommand(object));
      if (!created.UploadId) throw new Error('the server began a multipart upload without an id');
      this.uploadId = created.UploadId;
      underWay.add(created.UploadId);
      this.cancel.signal.throwIfAborted();
    }
    this.current = undefined;
    const number = this.nextNumber++;
    const sent = part
      .send((body, length) =>
        client.send(
          new UploadPartCommand({
            ...object,
            UploadId: this.uploadId,
            PartNumber: number,
            Body: body as Buffer,
            ContentLength: length,
          }),
          { abortSignal: this.cancel.signal },
        ),
      )
      .then(
        async (answer) => {
          this.tags.push({ PartNumber: number, ETag: answer.ETag });
          await part.release(true);
        },
        async (error: unknown) => {
          this.failed ??= this.options.asStoreError(error);
          await part.release(false);
          this.destroy(this.failed);
        },
      )
      .finally(() => this.inFlight.delete(sent));
    this.inFlight.add(sent);
  }

  private async sendWhole(): Promise<void> {
    const { client, bucket, key } = this.options;
    const put = (body: Buffer | NodeJS.ReadableStream, length: number): Promise<unknown> => {
      this.mayExist = true;
      return client.send(
        new PutObjectCommand({ Bucket: bucket, Key: key, Body: body as Buffer, ContentLength: length }),
        { abortSignal: this.cancel.signal },
      );
    };
    const part = this.current;
    if (!part) await put(Buffer.alloc(0), 0);
    else {
      await part.send(put);
      this.current = undefined;
      await part.release(true);
    }
  }

  private async sendLastPart(): Promise<void> {
    if (this.current) await this.sendCurrent();
    await Promise.all(this.inFlight);
    if (this.failed) throw this.failed;
    const { client, bucket, key } = this.options;
    const parts = this.tags.sort((a, b) => a.PartNumber - b.PartNumber);
    this.mayExist = true;
    try {
      await client.send(
        new CompleteMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          UploadId: this.uploadId,
          MultipartUpload: { Parts: parts },
        }),
        { abortSignal: this.cancel.signal },
      );
    } catch (error) {
      // The answer to a completion may get lost, and the repetition then finds no such upload. The object tells.
      const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })).catch(() => undefined);
      if (found?.ContentLength !== this.bytesTaken) throw error;
    }
  }
}

class MemoryPart implements Part {
  length = 0;

  constructor(
    private readonly user: PartMemoryUser,
    private readonly buffer: Buffer,
  ) {}

  get room(): number {
    return this.buffer.length - this.length;
  }

  add(bytes: Buffer): undefined {
    this.length += bytes.copy(this.buffer, this.length);
  }

  /** The SDK repeats a request whose body it holds whole. */
  send<T>(send: (body: Buffer, length: number) => Promise<T>): Promise<T> {
    return send(this.buffer.subarray(0, this.length), this.length);
  }

  async release(sent: boolean): Promise<void> {
    memory.release(this.user, this.buffer, sent);
  }
}

/** Removes what a process left that was killed between making a file for a part and taking its name away. */
export async function sweepSpool(folder: string, before: number): Promise<number> {
  let removed = 0;
  const names = await fs.readdir(folder).catch(() => []);
  for (const path of names.filter((name) => name.startsWith(SPOOL_PREFIX)).map((name) => join(folder, name))) {
    const stats = await fs.stat(path).catch(() => undefined);
    if (!stats || stats.mtimeMs > before) continue;
    await fs.rm(path, { force: true });
    removed += 1;
  }
  return removed;
}

/** A part too large for memory, in a file that has no name any more: nothing is left even if the process is killed. */
class SpooledPart implements Part {
  length = 0;

  private constructor(
    private readonly file: fs.FileHandle,
    private readonly bytes: number,
  ) {}

  static async open(folder: string, bytes: number): Promise<SpooledPart> {
    await fs.mkdir(folder, { recursive: true });
    const path = join(folder, `${SPOOL_PREFIX}${randomUUID()}`);
    const file = await fs.open(path, 'wx+', 0o600);
    await fs.rm(path, { force: true });
    return new SpooledPart(file, bytes);
  }

  get room(): number {
    return this.bytes - this.length;
  }

  async add(bytes: Buffer): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      const { bytesWritten } = await this.file.write(bytes, offset, bytes.length - offset, this.length);
      offset += bytesWritten;
      this.length += bytesWritten;
    }
  }

  async send<T>(send: (body: NodeJS.ReadableStream, length: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      // The SDK does not repeat a request whose body is a stream.
      const body = this.file.createReadStream({ start: 0, end: this.length - 1, autoClose: false });
      try {
        return await send(body, this.length);
      } catch (error) {
        if (attempt === SPOOLED_PART_ATTEMPTS || (error as Error).name === 'AbortError') throw error;
      } finally {
        body.destroy();
      }
    }
  }

  async release(): Promise<void> {
    await this.file.close();
  }
}
