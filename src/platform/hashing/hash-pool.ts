import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { UnavailableError } from '../../common/errors.js';
import { SLOT_BYTES, type DigestChannel, type HashAlgorithm } from './digest-channel.js';
import { HASH_WORKER_SOURCE } from './hash-worker.source.js';
import { StreamHasher, type BeforeBytes } from './stream-hasher.js';

/** A thread that computed digests died; whoever streamed must start again. */
export class HashingFailedError extends UnavailableError {
  override readonly code = 'hashing.failed';
  constructor(cause?: unknown) {
    super('Computing the checksum was interrupted', {}, { cause });
  }
}

/** One megabyte of memory that this thread fills and hashing threads read. */
interface Slot {
  readonly index: number;
  readonly shared: SharedArrayBuffer;
  readonly bytes: Buffer;
  /** Threads that have yet to read it. */
  readonly readers: Set<HashThread>;
}

interface HashThread {
  readonly worker: Worker;
  readonly knownSlots: Set<number>;
  /** Digests under way here, by `stream id + algorithm`. */
  readonly digests: Map<string, Digest>;
}

interface Digest {
  resolve(hex: string): void;
  reject(error: Error): void;
}

/**
 * Threads that hash streams while the event loop goes on serving requests.
 *
 * Threads start on first need, at most one a CPU, keep no process alive while idle and end after a while without work.
 * Memory is bounded whatever the number of streams: bytes reach the threads through a fixed set of shared slots, which
 * are held only while they are hashed, so that a slow client cannot keep one from the others.
 */
export class HashPool {
  private readonly threads = new Set<HashThread>();
  private readonly slots: Slot[] = [];
  private readonly freeSlots: Slot[] = [];
  private readonly waiting: ((slot: Slot) => void)[] = [];
  private readonly maxThreads: number;
  private readonly maxSlots: number;
  private readonly idleMs: number;
  private idleTimer: NodeJS.Timeout | undefined;
  private nextStream = 1;
  private idleWaiters: (() => void)[] = [];

  constructor(options: { threads?: number; slots?: number; idleMs?: number } = {}) {
    this.maxThreads = options.threads ?? Math.min(availableParallelism(), 16);
    this.maxSlots = options.slots ?? Math.max(8, this.maxThreads * 4);
    this.idleMs = options.idleMs ?? 30_000;
  }

  /**
   * Starts computing digests of one stream.
   *
   * @param beforeBytes called before each chunk goes on, with the number of bytes that have come including it and with the
   *   chunk; what it returns is awaited (backpressure), and if it fails, the stream fails with that error
   */
  start(algorithms: readonly HashAlgorithm[], options: { beforeBytes?: BeforeBytes } = {}): StreamHasher {
    return new StreamHasher(this.open(algorithms), options.beforeBytes);
  }

  /** Threads that run now. */
  get threadCount(): number {
    return this.threads.size;
  }

  /** Resolves when no thread is left, which is some time after the last stream ended. */
  async whenIdle(): Promise<void> {
    while (this.threads.size > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
  }

  /** Ends all threads; streams under way fail. The pool can be used again. */
  async close(): Promise<void> {
    clearTimeout(this.idleTimer);
    await Promise.all([...this.threads].map((thread) => thread.worker.terminate()));
  }

  private open(algorithms: readonly HashAlgorithm[]): DigestChannel {
    const stream = `${this.nextStream++}:`;
    const byThread = new Map<HashThread, HashAlgorithm[]>();
    const results = new Map<HashAlgorithm, Promise<string>>();
    let failure: Error | undefined;
    for (const algorithm of new Set(algorithms)) {
      const thread = this.leastBusyThread();
      const result = new Promise<string>((resolve, reject) => {
        thread.digests.set(stream + algorithm, {
          resolve,
          reject: (error) => {
            failure ??= error;
            reject(error);
          },
        });
      });
      // Whoever calls finish() hears of it; a stream that is abandoned has nobody to tell.
      result.catch(() => undefined);
      results.set(algorithm, result);
      byThread.set(thread, [...(byThread.get(thread) ?? []), algorithm]);
      thread.worker.postMessage([0, stream, algorithm]);
    }
    this.keepAlive();

    const fill = (slot: Slot, chunks: readonly Buffer[], length: number): void => {
      let offset = 0;
      for (const chunk of chunks) offset += chunk.copy(slot.bytes, offset);
      for (const [thread, keys] of byThread) {
        if (!this.threads.has(thread)) continue;
        if (!thread.knownSlots.has(slot.index)) {
          thread.knownSlots.add(slot.index);
          thread.worker.postMessage([1, slot.index, slot.shared]);
        }
        slot.readers.add(thread);
        thread.worker.postMessage([2, stream, slot.index, length, keys]);
      }
      if (slot.readers.size === 0) this.release(slot);
    };

    return {
      send: (chunks, length) => {
        if (failure) throw failure;
        const slot = this.tryTakeSlot();
        if (slot) {
          fill(slot, chunks, length);
          return undefined;
        }
        return new Promise<Slot>((resolve) => this.waiting.push(resolve)).then((granted) => {
          fill(granted, chunks, length);
          if (failure) throw failure;
        });
      },
      finish: async () => {
        for (const [thread, keys] of byThread) {
          for (const algorithm of keys) thread.worker.postMessage([3, stream, algorithm]);
        }
        const entries = await Promise.all([...results].map(async ([name, hex]) => [name, await hex] as const));
        return Object.fromEntries(entries);
      },
      abandon: () => {
        for (const [thread, keys] of byThread) {
          for (const algorithm of keys) {
            if (thread.digests.delete(stream + algorithm)) thread.worker.postMessage([4, stream, algorithm]);
          }
        }
        this.keepAlive();
      },
    };
  }

  private leastBusyThread(): HashThread {
    let best: HashThread | undefined;
    for (const thread of this.threads) if (!best || thread.digests.size < best.digests.size) best = thread;
    if (best && (best.digests.size === 0 || this.threads.size >= this.maxThreads)) return best;
    return this.startThread();
  }

  private startThread(): HashThread {
    const worker = new Worker(HASH_WORKER_SOURCE, {
      eval: true,
      name: 'kiln-hash',
      // No flags of the parent: a test runner's loaders or an inspector have no business here.
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    const thread: HashThread = { worker, knownSlots: new Set(), digests: new Map() };
    let cause: unknown;
    worker.on('message', (message: readonly [0, number] | readonly [1, string, string, string]) => {
      if (message[0] === 0) this.finishReading(this.slots[message[1]]!, thread);
      else {
        const key = message[1] + message[2];
        thread.digests.get(key)?.resolve(message[3]);
        thread.digests.delete(key);
        this.keepAlive();
      }
    });
    worker.on('error', (error) => (cause = error));
    worker.on('exit', () => {
      this.threads.delete(thread);
      for (const digest of thread.digests.values()) digest.reject(new HashingFailedError(cause));
      thread.digests.clear();
      for (const slot of this.slots) if (slot.readers.has(thread)) this.finishReading(slot, thread);
    });
    this.threads.add(thread);
    return thread;
  }

  private finishReading(slot: Slot, thread: HashThread): void {
    slot.readers.delete(thread);
    if (slot.readers.size === 0) this.release(slot);
  }

  private release(slot: Slot): void {
    const next = this.waiting.shift();
    if (next) next(slot);
    else this.freeSlots.push(slot);
  }

  private tryTakeSlot(): Slot | undefined {
    const free = this.freeSlots.pop();
    if (free || this.slots.length >= this.maxSlots) return free;
    const shared = new SharedArrayBuffer(SLOT_BYTES);
    const slot: Slot = {
      index: this.slots.length,
      shared,
      bytes: Buffer.from(shared),
      readers: new Set(),
    };
    this.slots.push(slot);
    return slot;
  }

  /** A thread keeps the process alive while it owes somebody a digest, and ends after some time without any. */
  private keepAlive(): void {
    let busy = false;
    for (const thread of this.threads) {
      if (thread.digests.size > 0) {
        busy = true;
        thread.worker.ref();
      } else thread.worker.unref();
    }
    clearTimeout(this.idleTimer);
    if (busy || this.threads.size === 0) return;
    this.idleTimer = setTimeout(() => void this.endIdleThreads(), this.idleMs).unref();
  }

  private async endIdleThreads(): Promise<void> {
    const idle = [...this.threads].filter((thread) => thread.digests.size === 0);
    // Out of the set first, so that no stream starts on a thread that is about to end.
    for (const thread of idle) this.threads.delete(thread);
    await Promise.all(idle.map((thread) => thread.worker.terminate()));
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
