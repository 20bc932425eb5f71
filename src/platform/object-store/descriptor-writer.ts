import { fdatasync, writev } from 'node:fs';
import { Writable } from 'node:stream';
import { ChunkBatch } from '../../common/chunk-batch.js';
import { Limiter } from '../../common/limiter.js';

/** Bytes of one read or write. */
export const IO_BYTES = 1024 * 1024;
/** Dirty pages after which the kernel is asked to write, so that the fsync at the end of an upload is short. */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

/**
 * A sync can last for seconds and holds one of the (by default four) threads that do all file access and password
 * hashing of the process. So only two at once, whatever the number of uploads.
 */
export const syncs = new Limiter(2);

/** Joins small chunks into large writes, and takes in the next megabyte while one is being written. */
export class DescriptorWriter extends Writable {
  bytesWritten = 0;
  private readonly batch = new ChunkBatch();
  private writing = false;
  private syncing = false;
  private unsynced = 0;
  /** The callback of `_write` or `_final` that waits for the write under way. */
  private blocked: (() => void) | undefined;
  private failed: Error | undefined;

  constructor(
    private readonly fd: number,
    private readonly asStoreError: (error: unknown) => Error,
  ) {
    super({ highWaterMark: 64 * 1024 });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.batch.add(chunk);
    if (this.batch.length < IO_BYTES && !this.failed) done();
    else this.whenIdle(done, () => done());
  }

  override _final(done: (error?: Error) => void): void {
    this.whenIdle(done, () => this.whenSettled(done));
  }

  /** The descriptor is closed, and its number given to another file, right after this: no operation may be left behind. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.writing && !this.syncing) return done(error);
    this.blocked = () => this._destroy(error, done);
  }

  /** Waits for the write under way, starts the one that is due, and goes on. */
  private whenIdle(fail: (error: Error) => void, proceed: () => void): void {
    if (this.failed) return fail(this.failed);
    if (this.writing) {
      this.blocked = () => this.whenIdle(fail, proceed);
      return;
    }
    if (this.batch.length > 0) this.flush();
    proceed();
  }

  private whenSettled(done: (error?: Error) => void): void {
    if (this.writing || this.syncing) this.blocked = () => this.whenSettled(done);
    else done(this.failed);
  }

  private flush(): void {
    const bytes = this.batch.length;
    this.writing = true;
    this.writeAll(this.batch.take(), bytes);
  }

  private writeAll(buffers: Buffer[], bytes: number): void {
    writev(this.fd, buffers, (error, written) => {
      if (!error && written < bytes) return this.writeAll(rest(buffers, written), bytes - written);
      this.writing = false;
      if (error) this.failed = this.asStoreError(error);
      this.bytesWritten += bytes;
      this.unsynced += bytes;
      this.syncAhead();
      this.unblock();
    });
  }

  private syncAhead(): void {
    if (this.unsynced < SYNC_EVERY_BYTES || this.syncing || !syncs.hasRoom || this.destroyed) return;
    this.unsynced = 0;
    this.syncing = true;
    void syncs.run(
      () =>
        new Promise<void>((finished) => {
          fdatasync(this.fd, (error) => {
            this.syncing = false;
            // The kernel reports a failed write-back once: the sync at the end would not hear of it.
            if (error) this.failed = this.asStoreError(error);
            this.unblock();
            finished();
          });
        }),
    );
  }

  private unblock(): void {
    const blocked = this.blocked;
    this.blocked = undefined;
    blocked?.();
  }
}

function rest(buffers: readonly Buffer[], written: number): Buffer[] {
  let skip = written;
  const left: Buffer[] = [];
  for (const buffer of buffers) {
    if (skip >= buffer.length) skip -= buffer.length;
    else {
      left.push(skip > 0 ? buffer.subarray(skip) : buffer);
      skip = 0;
    }
  }
  return left;
}
