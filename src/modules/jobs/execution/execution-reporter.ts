import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import type { BuildPhase, BuildReporter } from '../builder.js';
import type { Job } from '../job.entity.js';
import type { ActivePhase } from '../job-state.js';
import type { Execution, JobExecutionsRepository } from './job-executions.repository.js';
import type { JobLogWriter } from './job-log-writer.js';

const PERCENT_MS = 1_000;

/** Writes what an execution tells, in its name. */
export class ExecutionReporter implements BuildReporter {
  private latest: number | null = null;
  private written: number | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly job: Job,
    private readonly execution: Execution,
    private readonly executions: JobExecutionsRepository,
    private readonly outbox: Outbox,
    private readonly uow: UnitOfWork,
    private readonly writer: JobLogWriter,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  async phase(phase: BuildPhase): Promise<void> {
    // A percentage belongs to the phase it was told in.
    this.stop();
    this.latest = this.written = null;
    const { id, projectId, jobType } = this.job;
    const next = toPhase(phase, jobType);
    await this.uow.run(async () => {
      await this.executions.setPhase(this.execution, next);
      await this.outbox.record({
        kind: 'job.phase_changed',
        noun: 'job',
        nounId: id,
        projectId,
        actorId: null,
        data: { phase: next },
      });
    });
  }

  percent(percent: number): void {
    if (!Number.isFinite(percent)) return;
    this.latest = Math.min(100, Math.max(0, Math.round(percent)));
    this.timer ??= setTimeout(() => void this.writePercent(), PERCENT_MS);
  }

  log(text: string): void {
    this.writer.write(text);
  }

  stop(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private async writePercent(): Promise<void> {
    this.timer = null;
    const percent = this.latest;
    if (percent === null || percent === this.written) return;
    this.written = percent;
    try {
      await this.executions.setPercent(this.execution, percent);
    } catch (error) {
      this.onFailure(error);
    }
  }
}

function toPhase(phase: BuildPhase, jobType: string): ActivePhase {
  if (phase !== 'fetching') return phase;
  return jobType === 'customize' ? 'fetching_image' : 'fetching_recipe';
}
