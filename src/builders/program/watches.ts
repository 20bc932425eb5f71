import { BuildFailedError } from '../../modules/jobs/builder.js';
import type { WorkFolder } from '../sandbox/work-folder.js';
import type { ProgramLimits } from './order.js';

/** Longest delay a Node timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

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

/** Ends a build, or whatever else has a work folder, that uses too much disk. Returns how to stop watching. */
export function watchDisk(
  folder: WorkFolder,
  diskBytes: number,
  everyMs: number,
  limit: AbortController,
  what = 'The build',
): () => void {
  let timer: NodeJS.Timeout;
  let ended = false;
  const look = async (): Promise<void> => {
    const started = Date.now();
    const used = await folder.usedBytes();
    if (ended) return;
    if (used > diskBytes) {
      limit.abort(
        new BuildFailedError('build.out_of_disk', `${what} used more than the ${diskBytes} bytes of disk allowed`),
      );
      return;
    }
    // Counting a large tree costs time itself: at most a tenth of it.
    timer = setTimeout(() => void look(), Math.max(everyMs, 9 * (Date.now() - started)));
  };
  timer = setTimeout(() => void look(), everyMs);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
