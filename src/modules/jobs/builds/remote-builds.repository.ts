import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { Execution } from '../execution/job-executions.repository.js';
import type { Job } from '../job.entity.js';
import { LeaseLostError } from '../jobs.errors.js';
import { JOB_COLUMNS } from '../jobs.repository.js';

/** A job as its execution may see it: still held, and with what its program must show. */
export interface CredentialedJob {
  readonly job: Job;
  readonly tokenSha256: Buffer;
}

/** Statements on credentials of executions, which are worth something only while their execution holds its job. */
@Injectable()
export class RemoteBuildsRepository {
  constructor(private readonly database: Database) {}

  /** Gives an execution its only credential. @throws LeaseLostError */
  async setCredential({ jobId, fencingNumber }: Execution, tokenSha256: Buffer): Promise<void> {
    const changed = await this.database.run(
      `INSERT INTO job_credentials (job_id, fencing_number, token_sha256)
       SELECT id, fencing_number, $3 FROM jobs
       WHERE id = $1 AND fencing_number = $2 AND status = 'running' AND deleted_at IS NULL
       ON CONFLICT (job_id) DO UPDATE
         SET fencing_number = excluded.fencing_number, token_sha256 = excluded.token_sha256`,
      [jobId, fencingNumber, tokenSha256],
      'job-credentials-set',
    );
    if (changed === 0) throw new LeaseLostError(jobId);
  }

  /** Null: no such job, nobody holds it, or its present execution has no credential. */
  async find(jobId: string): Promise<CredentialedJob | null> {
    const found = await this.database.one<Job & { tokenSha256: Buffer }>(
      `SELECT ${JOB_COLUMNS}, c.token_sha256 AS "tokenSha256"
       FROM jobs j JOIN job_credentials c ON c.job_id = j.id AND c.fencing_number = j.fencing_number
       WHERE j.id = $1 AND j.status = 'running' AND j.deleted_at IS NULL`,
      [jobId],
      'job-credentials-find',
    );
    if (!found) return null;
    const { tokenSha256, ...job } = found;
    return { job, tokenSha256 };
  }
}
