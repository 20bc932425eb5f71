import type { BuildPhase, ShellState } from '../builder.js';
import type { Job } from '../job.entity.js';
import type { ExecutionProgress } from './execution-progress.js';
import type { Execution } from './job-executions.repository.js';
import type { JobLogWriter } from './job-log-writer.js';

const PROGRESS_MS = 1_000;

interface Progress {
  readonly percent: number | null;
  readonly message: string | null;
}

/** Writes what an execution tells, in its name. */
export class ExecutionReporter {
  private latest: Progress | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly job: Job,
    private readonly execution: Execution,
    private readonly writes: ExecutionProgress,
    private readonly writer: JobLogWriter,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  async phase(phase: BuildPhase): Promise<void> {
    // A percentage belongs to the phase it was told in.
    this.stop();
    this.latest = null;
    await this.writes.phase(this.job, this.execution, phase);
  }

  percent(percent: number): void {
    if (Number.isFinite(percent)) this.progress(percent, null);
  }

  /** Cheap; may be called often. @param percent null: nobody knows how much there is to do */
  progress(percent: number | null, message: string | null): void {
    const whole = percent === null ? null : Math.min(100, Math.max(0, Math.round(percent)));
    if (whole === this.latest?.percent && message === this.latest.message) return;
    this.latest = { percent: whole, message };
    this.timer ??= setTimeout(() => void this.writeProgress(), PROGRESS_MS);
  }

  shell(state: Partial<ShellState>): Promise<void> {
    return this.writes.shell(this.execution, state);
  }

  log(text: string): void {
    this.writer.write(text);
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private async writeProgress(): Promise<void> {
    this.timer = null;
    if (this.latest === null) return;
    try {
      await this.writes.progress(this.execution, this.latest.percent, this.latest.message);
    } catch (error) {
      this.onFailure(error);
    }
  }
}
