import { statfs } from 'node:fs/promises';
import { BuildFailedError } from '../../modules/jobs/builder.js';
import type { WorkFolder } from '../sandbox/work-folder.js';
import type { ProgramLimits } from './order.js';

/** Longest delay a Node timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Counts that fail one after the other before whoever made the files is ended. */
const MOST_UNCOUNTED = 2;
const MOST_PAUSE_MS = 60_000;
/** Inodes that stay free on the disk. */
const FREE_INODES = 10_000;

/** Ends a build that takes too long. It stands still while people are in the shell, who have a time of their own. */
export class BuildClock {
  private leftMs: number;
  private since = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly limits: ProgramLimits,
    private readonly limit: AbortController,
  ) {
    this.leftMs = limits.timeoutMs;
    this.go();
  }

  /** Runs `work` on a time of its own instead. */
  async instead<T>(ms: number, message: string, work: () => Promise<T>): Promise<T> {
    this.stop();
    const timer = setTimeout(() => this.end(message), Math.min(ms, MAX_TIMER_MS));
    try {
      return await work();
    } finally {
      clearTimeout(timer);
      if (!this.limit.signal.aborted) this.go();
    }
  }

  stop(): void {
    if (this.timer === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.leftMs -= Date.now() - this.since;
  }

  private go(): void {
    this.since = Date.now();
    const { timeoutMs } = this.limits;
    this.timer = setTimeout(
      () => this.end(`The build took longer than the ${timeoutMs / 1_000} seconds allowed`),
      Math.min(Math.max(this.leftMs, 0), MAX_TIMER_MS),
    );
  }

  private end(message: string): void {
    this.limit.abort(new BuildFailedError('build.timeout', message));
  }
}

/** What a work folder may use of its disk, and what stays free there for everybody else. */
export interface DiskLimits {
  readonly diskBytes: number;
  readonly freeBytes: number;
  /** Between two looks. */
  readonly everyMs: number;
  /** Who used it, for people. */
  readonly what: string;
}

/** Ends a build, or whatever else has a work folder, that uses too much disk. Returns how to stop watching. */
export function watchDisk(folder: WorkFolder, limits: DiskLimits, limit: AbortController): () => void {
  const { diskBytes, freeBytes, everyMs, what } = limits;
  let uncounted = 0;
  const count = async (): Promise<string | null> => {
    const used = await folder.usedBytes();
    uncounted = used === null ? uncounted + 1 : 0;
    if (uncounted >= MOST_UNCOUNTED) return `${what} left files on the disk that cannot be counted`;
    return used !== null && used > diskBytes ? `${what} used more than the ${diskBytes} bytes of disk allowed` : null;
  };
  // It takes no time, and sees files that are open and have no name any more.
  const lookAtDisk = async (): Promise<string | null> => {
    const disk = await statfs(folder.path).catch(() => null);
    // The folder goes when the build ends.
    if (disk === null) return null;
    const { bsize, bavail, files, ffree } = disk;
    // Some file systems make inodes as they are needed, and have no number of them.
    const isFull = bsize * bavail < freeBytes || (files > 0 && ffree < FREE_INODES);
    return isFull ? 'The disk of the worker is full' : null;
  };
  const end = (message: string) => limit.abort(new BuildFailedError('build.out_of_disk', message));
  const ends = [count, lookAtDisk].map((look) => repeat(everyMs, look, end));
  return () => ends.forEach((stop) => stop());
}

/** Looks until it finds something. What costs time itself gets at most a tenth of it, but is done once a minute. */
function repeat(everyMs: number, look: () => Promise<string | null>, found: (message: string) => void): () => void {
  let timer: NodeJS.Timeout;
  let ended = false;
  const go = async (): Promise<void> => {
    const started = Date.now();
    const message = await look();
    if (ended) return;
    if (message !== null) return found(message);
    const pauseMs = Math.min(9 * (Date.now() - started), MOST_PAUSE_MS);
    timer = setTimeout(() => void go(), Math.max(everyMs, pauseMs));
  };
  timer = setTimeout(() => void go(), everyMs);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
