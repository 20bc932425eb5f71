import { setTimeout as delay } from 'node:timers/promises';
import type { Readable } from 'node:stream';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { HashPool } from '../../platform/hashing/hash-pool.js';
import type { Digests, StreamHasher } from '../../platform/hashing/stream-hasher.js';
import { Log } from '../../platform/logging/log.js';
import type { ObjectStore } from '../../platform/object-store/object-store.js';
import { ObjectStores } from '../../platform/object-store/object-stores.js';
import { Ledger, LimitExceededError } from '../tenancy/index.js';
import {
  ChecksumMismatchError,
  FileTooLargeError,
  SizeMismatchError,
  WriteInterruptedError,
  WriteLeaseLostError,
} from './artifacts.errors.js';
import { FileRemover } from './file-remover.js';
import type { CompleteFile, FileQuantity } from './stored-file.entity.js';
import { StoredFilesRepository } from './stored-files.repository.js';

/** Looks at bytes on their way to a store. */
export interface ByteProbe {
  /** Is shown every chunk in order and must not write into it. May refuse by throwing or rejecting; may be called again then. */
  write(chunk: Buffer): void | Promise<void>;
}

/** How the bytes of a new file come. */
export interface StoreFile {
  /** Default: the first configured store. */
  readonly storeId?: string;
  /** The announced length. Known, all of it is reserved before the first byte; else room is reserved as bytes come. */
  readonly sizeBytes?: number;
  /** Whether the project's usage grows; false for what Kiln writes on its own account. */
  readonly charge: boolean;
  /** What it grows by; default: stored bytes. */
  readonly quantity?: FileQuantity;
  readonly maxBytes?: number;
  /** The md5 that the sender announced, in lower-case hexadecimal. */
  readonly expectedMd5?: string;
  /** Also compute the sha256. */
  readonly sha256?: boolean;
  /** Sees the bytes before they are stored; what it throws fails the write. */
  readonly probe?: ByteProbe;
  readonly signal?: AbortSignal;
  /** Called in the transaction that makes the file known, before any byte flows: whoever waits for it notes its id. */
  readonly onBegin?: (fileId: string) => Promise<void>;
}

interface Writing {
  readonly id: string;
  readonly projectId: string | null;
  readonly quantity: FileQuantity;
  reservedBytes: number;
}

const MEBIBYTE = 1024 * 1024;
/** Room is taken in steps of this size while the length is unknown. */
const STEP_BYTES = 64 * MEBIBYTE;
/** How long an upload without room waits for others, while nothing changes, to give back what they do not need. */
const PATIENCE_MS = 10_000;
const LONGEST_WAIT_MS = 120_000;
const RENEW_MS = 5_000;

/** Streams bytes into a store so that a crash at any moment leaves a row by which a sweep finds what is left. */
@Injectable()
export class FileWriter implements OnApplicationShutdown {
  private readonly streams = new Map<string, StreamHasher>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly files: StoredFilesRepository,
    private readonly remover: FileRemover,
    private readonly uow: UnitOfWork,
    private readonly ledger: Ledger,
    private readonly stores: ObjectStores,
    private readonly hashing: HashPool,
    private readonly log: Log,
  ) {}

  /** @see ArtifactsService.storeFile */
  async write(projectId: string | null, body: Readable, options: StoreFile): Promise<CompleteFile> {
    const store = options.storeId === undefined ? this.stores.default : this.stores.get(options.storeId);
    const id = newId();
    const objectKey = `${id.slice(0, 2)}/${id}`;
    const file = await this.begin(id, options.charge ? projectId : null, store.description.id, objectKey, options);
    try {
      const stream = this.hashing.start(options.sha256 ? ['md5', 'sha512', 'sha256'] : ['md5', 'sha512'], {
        beforeBytes: (totalBytes, chunk) => this.admit(file, totalBytes, chunk, options),
      });
      this.keepLease(id, stream);
      const { sizeBytes, signal } = options;
      await store.put(objectKey, stream.from(body), { sizeBytes, signal });
      return await this.settle(file, await stream.digests(), options);
    } catch (error) {
      await this.giveUp(id, store, objectKey);
      throw isCutOff(body) && !options.signal?.aborted ? new WriteInterruptedError(error) : error;
    } finally {
      this.streams.delete(id);
    }
  }

  onApplicationShutdown(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  private begin(
    id: string,
    projectId: string | null,
    storeId: string,
    objectKey: string,
    options: StoreFile,
  ): Promise<Writing> {
    const announcedBytes = options.sizeBytes ?? null;
    if (announcedBytes !== null && options.maxBytes !== undefined && announcedBytes > options.maxBytes) {
      throw new FileTooLargeError(options.maxBytes);
    }
    return this.uow.run(async () => {
      const { quantity = 'storage_bytes' } = options;
      const chargedBytes = projectId === null ? 0 : (announcedBytes ?? 0);
      await this.files.insertWriting({ id, projectId, storeId, objectKey, announcedBytes, quantity, chargedBytes });
      await this.ledger.reserve(projectId, quantity, chargedBytes);
      await options.onBegin?.(id);
      return { id, projectId, quantity, reservedBytes: chargedBytes };
    });
  }

  private admit(file: Writing, totalBytes: number, chunk: Buffer, options: StoreFile): void | Promise<void> {
    if (options.maxBytes !== undefined && totalBytes > options.maxBytes) throw new FileTooLargeError(options.maxBytes);
    if (options.sizeBytes !== undefined && totalBytes > options.sizeBytes) {
      throw new SizeMismatchError(options.sizeBytes, totalBytes);
    }
    // Before room is made for it: what is refused needs none.
    const looked = options.probe?.write(chunk);
    return looked ? looked.then(() => this.makeRoom(file, totalBytes)) : this.makeRoom(file, totalBytes);
  }

  private makeRoom(file: Writing, totalBytes: number): void | Promise<void> {
    if (file.projectId !== null && totalBytes > file.reservedBytes) return this.reserveUpTo(file, totalBytes);
  }

  private async reserveUpTo(file: Writing, totalBytes: number): Promise<void> {
    const end = Date.now() + LONGEST_WAIT_MS;
    let deadline = patienceEnds();
    let seenBytes: number | null = null;
    while (totalBytes > file.reservedBytes) {
      const neededBytes = totalBytes - file.reservedBytes;
      const { used, maximum, surplus } = await this.files.storageOf(file.projectId!, file.quantity, file.id);
      const roomBytes = maximum === null ? Infinity : maximum - used;
      if (roomBytes >= neededBytes) {
        // A whole step where there is room for one, else all that is left: pieces would let many begin and none finish.
        await this.tryToReserve(file, Math.max(neededBytes, Math.min(STEP_BYTES, roomBytes)));
        continue;
      }
      // While room comes and goes the others are at work, and this one's turn may come.
      if (roomBytes !== seenBytes) deadline = patienceEnds();
      seenBytes = roomBytes;
      if (!surplus || Date.now() >= Math.min(deadline, end)) {
        throw new LimitExceededError(file.quantity, maximum!, used, neededBytes);
      }
      await delay(50 + Math.random() * 100);
    }
  }

  /** Does nothing when another one was faster. */
  private async tryToReserve(file: Writing, bytes: number): Promise<void> {
    try {
      await this.reserve(file, bytes);
    } catch (error) {
      if (!(error instanceof LimitExceededError)) throw error;
    }
  }

  private async reserve(file: Writing, bytes: number): Promise<void> {
    await this.uow.run(async () => {
      if (!(await this.files.addReservation(file.id, bytes))) throw new WriteLeaseLostError(file.id);
      await this.ledger.reserve(file.projectId, file.quantity, bytes);
    });
    file.reservedBytes += bytes;
  }

  private async settle(file: Writing, digests: Digests, options: StoreFile): Promise<CompleteFile> {
    const { sizeBytes, md5, sha512, sha256 } = digests;
    if (options.sizeBytes !== undefined && sizeBytes !== options.sizeBytes) {
      throw new SizeMismatchError(options.sizeBytes, sizeBytes);
    }
    if (options.expectedMd5 !== undefined && md5 !== options.expectedMd5) {
      throw new ChecksumMismatchError(options.expectedMd5, md5!);
    }
    return this.uow.run(async () => {
      const settled = await this.files.settle(file.id, {
        sizeBytes,
        md5: md5!,
        sha512: sha512!,
        sha256: sha256 ?? null,
      });
      if (!settled) throw new WriteLeaseLostError(file.id);
      const { reservedBytes, ...stored } = settled;
      await this.ledger.release(stored.projectId, stored.quantity, reservedBytes - stored.chargedBytes);
      return stored;
    });
  }

  private async giveUp(id: string, store: ObjectStore, objectKey: string): Promise<void> {
    try {
      await this.remover.removeUnreferenced(id);
      // Without its lease the row may be gone already, and the object have come after that.
      await store.delete(objectKey);
    } catch (error) {
      this.log.warn('a failed upload could not be cleaned up; the sweep will', { error, file_id: id });
    }
  }

  private keepLease(id: string, stream: StreamHasher): void {
    this.streams.set(id, stream);
    this.timer ??= setInterval(() => void this.renewLeases(), RENEW_MS).unref();
  }

  private async renewLeases(): Promise<void> {
    const streams = new Map(this.streams);
    if (streams.size === 0) return;
    try {
      const held = new Set(await this.files.renewLeases([...streams.keys()]));
      for (const [id, stream] of streams) {
        if (!held.has(id) && this.streams.has(id)) stream.abort(new WriteLeaseLostError(id));
      }
    } catch (error) {
      this.log.warn('leases of uploads could not be renewed; trying again', { error, uploads: streams.size });
    }
  }
}

/** Not the same for all, so that of two that wait for each other one gives up first. */
function patienceEnds(): number {
  return Date.now() + PATIENCE_MS * (0.5 + Math.random());
}

/** Whether a stream was ended by the other side rather than by whoever read it. */
function isCutOff(body: Readable): boolean {
  return body.destroyed && !body.readableEnded && (body.errored !== null || body.readableAborted);
}
