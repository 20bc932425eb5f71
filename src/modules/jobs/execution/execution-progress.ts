import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import type { BuildPhase, ShellState } from '../builder.js';
import type { Job } from '../job.entity.js';
import type { ActivePhase } from '../job-state.js';
import { type Execution, JobExecutionsRepository } from './job-executions.repository.js';

/** What a builder program that runs elsewhere tells in one call. */
export interface ProgressReport {
  readonly phase?: BuildPhase;
  /** Whole, 0 to 100. */
  readonly percent?: number;
  readonly shell?: Partial<ShellState>;
}

/** Writes how far an execution is, whoever tells it. Every method throws `LeaseLostError` when it holds its job no more. */
@Injectable()
export class ExecutionProgress {
  constructor(
    private readonly executions: JobExecutionsRepository,
    private readonly outbox: Outbox,
    private readonly uow: UnitOfWork,
  ) {}

  async phase({ id, projectId, jobType }: Job, execution: Execution, phase: BuildPhase): Promise<void> {
    const next = toPhase(phase, jobType);
    await this.uow.run(async () => {
      await this.executions.setPhase(execution, next);
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

  /** @param percent 0 to 100 of the present phase; null: nobody knows how much there is to do */
  progress(execution: Execution, percent: number | null, message: string | null): Promise<void> {
    return this.executions.setProgress(execution, percent, message);
  }

  /** What is left out stays as it was. */
  shell(execution: Execution, shell: Partial<ShellState>): Promise<void> {
    return this.executions.setShell(execution, shell);
  }
}

function toPhase(phase: BuildPhase, jobType: string): ActivePhase {
  if (phase !== 'fetching') return phase;
  return jobType === 'create' ? 'fetching_recipe' : 'fetching_image';
}
