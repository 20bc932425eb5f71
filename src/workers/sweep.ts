import { Injectable } from '@nestjs/common';
import { Log } from '../platform/logging/log.js';

/** Periodic work that mends or removes what is left over. Any number of processes may do it at once. */
export interface Sweep {
  readonly name: string;
  readonly everyMs: number;
  run(): Promise<unknown>;
}

/** Intervals are between half and one and a half of what they should be, so that workers do not sweep in step. */
const JITTER = 0.5;

/** Runs every sweep again and again; one that is under way is never started a second time. */
@Injectable()
export class SweepRunner {
  private readonly timers = new Map<Sweep, NodeJS.Timeout>();
  private readonly running = new Map<Sweep, Promise<void>>();
  private stopped = false;

  constructor(private readonly log: Log) {}

  /** Each sweep runs for the first time at once. */
  start(sweeps: readonly Sweep[]): void {
    for (const sweep of sweeps) this.schedule(sweep, 0);
  }

  /** Waits for the sweeps that are under way. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timers.forEach((timer) => clearTimeout(timer));
    await Promise.all(this.running.values());
  }

  private schedule(sweep: Sweep, inMs: number): void {
    if (this.stopped) return;
    this.timers.set(
      sweep,
      setTimeout(() => this.running.set(sweep, this.run(sweep)), inMs),
    );
  }

  private async run(sweep: Sweep): Promise<void> {
    try {
      await sweep.run();
    } catch (error) {
      this.log.warn('a sweep failed; it is tried again', { error, sweep: sweep.name });
    } finally {
      this.running.delete(sweep);
      this.schedule(sweep, sweep.everyMs * (1 + JITTER * (2 * Math.random() - 1)));
    }
  }
}
