import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { toStorable, toStorableJson } from '../../../platform/database/storable-text.js';
import type { ShellState } from '../builder.js';
import type { Job } from '../job.entity.js';
import type { ActivePhase, JobType } from '../job-state.js';
import { LeaseLostError } from '../jobs.errors.js';
import { JOB_COLUMNS } from '../jobs.repository.js';

/** One execution of a job: what each of its writes carries. */
export interface Execution {
  readonly jobId: string;
  readonly fencingNumber: number;
}

/** Whoever counts running jobs in order to start one holds it; the number means nothing. */
const RUNNING_LOCK = 7_215_330_541;

/** A job that waits for a worker. */
export type QueuedJob = Pick<Job, 'id' | 'jobType'>;

/**
 * Statements of executions. Every write matches only while the execution holds its job: a newer one has a higher
 * fencing number, and a job that was ended or deleted is not running.
 */
@Injectable()
export class JobExecutionsRepository {
  constructor(private readonly database: Database) {}

  /** Locks a job that somebody may start on: queued, or running on a lease that has run out. Null: none, or in other hands. */
  lockStartable(jobId: string): Promise<Job | null> {
    return this.database.one<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs j
       WHERE j.id = $1 AND j.deleted_at IS NULL
         AND (j.status = 'queued' OR (j.status = 'running' AND j.lease_expires_at < now()))
       FOR UPDATE SKIP LOCKED`,
      [jobId],
      'jobs-lock-startable',
    );
  }

  /**
   * Counts running jobs of a type, up to `most`, in a transaction that may start one more: others that would wait.
   */
  async countRunning(jobType: JobType, most: number): Promise<number> {
    await this.database.query(`SELECT pg_advisory_xact_lock(${RUNNING_LOCK})`);
    const [row] = await this.database.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM (
         SELECT 1 FROM jobs WHERE status = 'running' AND job_type = $1 LIMIT $2) running`,
      [jobType, most],
      'jobs-count-running',
    );
    return row!.count;
  }

  /** Gives a locked job to a new execution. */
  async lease(jobId: string, owner: string, leaseMs: number): Promise<Job> {
    const rows = await this.database.query<Job>(
      `UPDATE jobs j SET status = 'running', phase = 'creating', percent = NULL, shell = NULL, attempt = attempt + 1,
         fencing_number = nextval('job_fencing_numbers'), lease_owner = $2,
         lease_expires_at = clock_timestamp() + $3::double precision * interval '1 millisecond',
         started_at = coalesce(started_at, now()), updated_at = now()
       WHERE j.id = $1
       RETURNING ${JOB_COLUMNS}`,
      [jobId, owner, leaseMs],
      'jobs-lease',
    );
    return rows[0]!;
  }

  /** Whether the execution still holds its job. */
  async isHeld(execution: Execution): Promise<boolean> {
    const rows = await this.database.query(
      `SELECT 1 FROM jobs WHERE id = $1 AND fencing_number = $2 AND status = 'running'`,
      [execution.jobId, execution.fencingNumber],
      'jobs-held',
    );
    return rows.length > 0;
  }

  /** Puts off the end of the lease. @throws LeaseLostError */
  renew(execution: Execution, leaseMs: number): Promise<void> {
    return this.write(
      execution,
      `lease_expires_at = clock_timestamp() + $3::double precision * interval '1 millisecond'`,
      [leaseMs],
      'jobs-renew',
    );
  }

  /** @throws LeaseLostError */
  setPhase(execution: Execution, phase: ActivePhase): Promise<void> {
    return this.write(execution, 'phase = $3, percent = NULL, updated_at = now()', [phase], 'jobs-phase');
  }

  /** What is left out stays as it was. @throws LeaseLostError */
  setShell(execution: Execution, shell: Partial<ShellState>): Promise<void> {
    return this.write(
      execution,
      `shell = '{"status": "establishing"}'::jsonb || coalesce(shell, '{}') || $3::jsonb, updated_at = now()`,
      [toStorableJson(shell)],
      'jobs-shell',
    );
  }

  /** @throws LeaseLostError */
  setProgress(execution: Execution, percent: number | null, message: string | null): Promise<void> {
    return this.write(
      execution,
      'percent = $3, message = coalesce($4, message), updated_at = now()',
      [percent, message && toStorable(message)],
      'jobs-progress',
    );
  }

  /** Remembers a file that is being stored for the result. @throws LeaseLostError */
  addResultFile(execution: Execution, fileId: string): Promise<void> {
    return this.write(
      execution,
      'result_file_ids = array_append(result_file_ids, $3::uuid)',
      [fileId],
      'jobs-add-file',
    );
  }

  /** Forgets the files of earlier executions. @throws LeaseLostError */
  clearResultFiles(execution: Execution): Promise<void> {
    return this.write(execution, `result_file_ids = '{}'`, [], 'jobs-clear-files');
  }

  /**
   * Locks the job of an execution, for a change that others must not see half done.
   * @throws LeaseLostError
   */
  async lockHeld(execution: Execution): Promise<Job> {
    const job = await this.database.one<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs j
       WHERE j.id = $1 AND j.fencing_number = $2 AND j.status = 'running' AND j.deleted_at IS NULL FOR UPDATE`,
      [execution.jobId, execution.fencingNumber],
      'jobs-lock-held',
    );
    if (!job) throw new LeaseLostError(execution.jobId);
    return job;
  }

  /** Puts a locked job back among the queued ones, as if this execution had not been. */
  async handBack(jobId: string): Promise<void> {
    await this.database.run(
      `UPDATE jobs SET status = 'queued', phase = 'creating', percent = NULL, shell = NULL, attempt = attempt - 1, lease_owner = NULL,
         lease_expires_at = NULL, updated_at = now()
       WHERE id = $1`,
      [jobId],
    );
  }

  /** Lets a locked job's lease run out now; the attempt counts. */
  async dropLease(jobId: string): Promise<void> {
    await this.database.run(
      `UPDATE jobs SET lease_owner = NULL, lease_expires_at = now() - interval '1 millisecond', updated_at = now() WHERE id = $1`,
      [jobId],
    );
  }

  /** Jobs whose executions have gone silent, longest first. */
  findExpired(limit: number): Promise<{ id: string; jobType: JobType; fencingNumber: number }[]> {
    return this.database.query(
      `SELECT id, job_type AS "jobType", fencing_number AS "fencingNumber" FROM jobs WHERE status = 'running' AND lease_expires_at < now()
       ORDER BY lease_expires_at LIMIT $1`,
      [limit],
    );
  }

  /** The oldest queued jobs of a type, of projects that have room for another running one. */
  findQueued(type: JobType, limit: number): Promise<QueuedJob[]> {
    return this.database.query(
      `SELECT j.id, j.job_type AS "jobType" FROM jobs j
       WHERE j.status = 'queued' AND j.job_type = $1 AND j.created_at < now() - interval '2 seconds' AND NOT EXISTS (
         SELECT 1 FROM project_usage u
         WHERE u.project_id = j.project_id AND u.quantity = 'running_jobs' AND u.used >= u.maximum)
       ORDER BY j.created_at, j.id LIMIT $2`,
      [type, limit],
    );
  }

  /** The oldest queued jobs of one project. */
  findQueuedOf(projectId: string, limit: number): Promise<QueuedJob[]> {
    return this.database.query(
      `SELECT id, job_type AS "jobType" FROM jobs
       WHERE project_id = $1 AND status = 'queued' ORDER BY created_at, id LIMIT $2`,
      [projectId, limit],
    );
  }

  private async write(execution: Execution, set: string, values: readonly unknown[], name: string): Promise<void> {
    const changed = await this.database.run(
      `UPDATE jobs SET ${set} WHERE id = $1 AND fencing_number = $2 AND status = 'running' AND deleted_at IS NULL`,
      [execution.jobId, execution.fencingNumber, ...values],
      name,
    );
    if (changed === 0) throw new LeaseLostError(execution.jobId);
  }
}
