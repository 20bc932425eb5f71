import { performance } from 'node:perf_hooks';
import { LeaseLostError } from '../jobs.errors.js';

/** What a lease is kept with. */
export interface Lease {
  readonly jobId: string;
  readonly leaseMs: number;
  /** @throws LeaseLostError it is somebody else's, or the job has ended */
  renew(): Promise<void>;
  isHeld(): Promise<boolean>;
  /** Called once, when the lease is lost or may be. */
  lost(error: LeaseLostError): void;
  /** The database did not answer; it is asked again. */
  trouble(error: unknown): void;
}

/** An execution that was ended by somebody else knows after this long at the latest. */
const ASK_MS = 1_000;

/**
 * Keeps a lease. It counts as lost as soon as it may have run out: when the database was silent for too long, but also
 * when this process itself stood still and slept through its end.
 */
export class LeaseKeeper {
  private readonly timer: NodeJS.Timeout;
  private asking = false;
  private stopped = false;
  private renewedAt: number;

  /** @param takenAt `performance.now()` from before the lease was taken */
  constructor(
    private readonly lease: Lease,
    takenAt: number,
  ) {
    this.renewedAt = takenAt;
    this.timer = setInterval(() => void this.check(), Math.min(ASK_MS, lease.leaseMs / 6));
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
  }

  private async check(): Promise<void> {
    if (performance.now() - this.renewedAt >= this.lease.leaseMs) {
      return this.lose(new LeaseLostError(this.lease.jobId, 'it could not be renewed in time'));
    }
    if (this.asking) return;
    this.asking = true;
    try {
      await this.ask();
    } catch (error) {
      if (error instanceof LeaseLostError) this.lose(error);
      else this.lease.trouble(error);
    } finally {
      this.asking = false;
    }
  }

  private async ask(): Promise<void> {
    // From before the question: the database may take it for given from any moment after that.
    const askedAt = performance.now();
    if (askedAt - this.renewedAt >= this.lease.leaseMs / 3) {
      await this.lease.renew();
      this.renewedAt = askedAt;
    } else if (!(await this.lease.isHeld())) {
      throw new LeaseLostError(this.lease.jobId);
    }
  }

  private lose(error: LeaseLostError): void {
    if (this.stopped) return;
    this.stop();
    this.lease.lost(error);
  }
}
