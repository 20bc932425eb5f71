import { Injectable } from '@nestjs/common';
import { isUuid } from '../../common/ids.js';
import { Database } from '../../platform/database/database.js';
import { toStorable, toStorableJson } from '../../platform/database/storable-text.js';
import type { Bindings } from '../../platform/database/keyset.js';
import { type Conditions, KeysetReader, timeConditions } from '../../platform/database/keyset-reader.js';
import type { Ending } from './job-endings.js';
import type { Job } from './job.entity.js';
import type { ActivePhase, FinalStatus } from './job-state.js';
import type { JobFilter, JobQuery, JobSortKey, ListedJob } from './jobs.types.js';

/** What every job has of a few bytes only: a list takes these, for there may be a thousand jobs with a mebibyte each. */
const LISTED_COLUMNS = `j.id, j.project_id AS "projectId", j.user_id AS "userId", j.face, j.job_type AS "jobType", j.status, j.phase,
  j.state, j.percent, j.recipe_id AS "recipeId", j.image_id AS "imageId", j.public_key_id AS "publicKeyId",
  j.arch, j.require_dkms AS "requireDkms",
  j.image_root_archive_name AS "imageRootArchiveName", j.kernel_file_name AS "kernelFileName",
  j.initrd_file_name AS "initrdFileName", j.kernel_parameters_file_name AS "kernelParametersFileName",
  j.enable_debug AS "enableDebug", j.build_env_size_gib AS "buildEnvSizeGib", j.memory_gib AS "memoryGib",
  j.ssh_containers AS "sshContainers", j.shell, j.recipe_type AS "recipeType",
  j.recipe_file_id AS "recipeFileId", j.target_image_id AS "targetImageId",
  j.resultant_image_id AS "resultantImageId", j.result_file_ids AS "resultFileIds",
  j.message, j.request_id AS "requestId", j.sealed_token AS "sealedToken", j.cause_code AS "causeCode", j.cause_message AS "causeMessage",
  j.lease_owner AS "leaseOwner", j.lease_expires_at AS "leaseExpiresAt", j.fencing_number AS "fencingNumber", j.attempt,
  j.created_at AS "createdAt", j.updated_at AS "updatedAt", j.started_at AS "startedAt", j.finished_at AS "finishedAt",
  j.deleted_at AS "deletedAt"`;

const COLUMNS = `${LISTED_COLUMNS}, j.public_key AS "publicKey", j.template_dictionary AS "templateDictionary", j.input, j.result`;

/** Lists of names need a name. */
const NAME_SQL = `coalesce(j.image_root_archive_name, '')`;

/** What a new job is made with; the database adds the rest. What is absent is not of its type. */
export type NewJob = Pick<Job, 'id' | 'projectId' | 'userId' | 'face' | 'jobType'> &
  Partial<
    Pick<
      Job,
      | 'recipeId'
      | 'imageId'
      | 'publicKeyId'
      | 'publicKey'
      | 'arch'
      | 'requireDkms'
      | 'imageRootArchiveName'
      | 'kernelFileName'
      | 'initrdFileName'
      | 'kernelParametersFileName'
      | 'enableDebug'
      | 'buildEnvSizeGib'
      | 'memoryGib'
      | 'sshContainers'
      | 'recipeType'
      | 'templateDictionary'
      | 'recipeFileId'
      | 'targetImageId'
      | 'input'
      | 'requestId'
      | 'sealedToken'
    >
  >;

/** Statements on `jobs` that use cases need; those of executions are in `JobExecutionsRepository`. */
@Injectable()
export class JobsRepository {
  private readonly reader: KeysetReader<ListedJob, JobSortKey>;

  constructor(private readonly database: Database) {
    this.reader = new KeysetReader(database, {
      table: 'jobs j',
      columns: LISTED_COLUMNS,
      sort: {
        id: { sql: 'j.id', value: (job) => job.id },
        name: { sql: NAME_SQL, value: (job) => job.imageRootArchiveName ?? '' },
        created: { sql: 'j.created_at', value: (job) => job.createdAt },
        // A list is of one face's jobs; those of the face that sorts by this all have one.
        arch: { sql: 'j.arch', value: (job) => job.arch },
        state: { sql: 'j.state', value: (job) => job.state },
        job_type: { sql: 'j.job_type', value: (job) => job.jobType },
      },
    });
  }

  /** The job, `queued`. */
  async insert(job: NewJob): Promise<Job> {
    const rows = await this.database.query<Job>(
      `INSERT INTO jobs AS j (id, project_id, user_id, face, job_type, status, phase, recipe_id, image_id, public_key_id,
         public_key, arch, require_dkms, image_root_archive_name, kernel_file_name, initrd_file_name,
         kernel_parameters_file_name, enable_debug, build_env_size_gib, memory_gib, ssh_containers, recipe_type,
         template_dictionary, recipe_file_id, target_image_id, input, request_id, sealed_token)
       VALUES ($1, $2, $3, $4, $5, 'queued', 'creating', $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
         $19, $20, $21, $22, $23, $24, $25, $26)
       RETURNING ${COLUMNS}`,
      [
        job.id,
        job.projectId,
        job.userId,
        job.face,
        job.jobType,
        job.recipeId ?? null,
        job.imageId ?? null,
        job.publicKeyId ?? null,
        job.publicKey ?? null,
        job.arch ?? null,
        job.requireDkms ?? false,
        job.imageRootArchiveName ?? null,
        job.kernelFileName ?? null,
        job.initrdFileName ?? null,
        job.kernelParametersFileName ?? null,
        job.enableDebug ?? false,
        job.buildEnvSizeGib ?? null,
        job.memoryGib ?? null,
        asJson(job.sshContainers),
        job.recipeType ?? null,
        asJson(job.templateDictionary),
        job.recipeFileId ?? null,
        job.targetImageId ?? null,
        asJson(job.input),
        job.requestId ?? null,
        job.sealedToken ?? null,
      ],
      'jobs-insert',
    );
    return rows[0]!;
  }

  /** A job that is not deleted, whoever it belongs to; null for any text that is no such job's id. */
  async find(id: string): Promise<Job | null> {
    if (!isUuid(id)) return null;
    return this.database.one<Job>(
      `SELECT ${COLUMNS} FROM jobs j WHERE j.id = $1 AND j.deleted_at IS NULL`,
      [id],
      'jobs-find',
    );
  }

  /** As `find`; nobody else changes it until the transaction ends. */
  async findForUpdate(id: string): Promise<Job | null> {
    if (!isUuid(id)) return null;
    return this.database.one<Job>(
      `SELECT ${COLUMNS} FROM jobs j WHERE j.id = $1 AND j.deleted_at IS NULL FOR UPDATE`,
      [id],
      'jobs-lock',
    );
  }

  /** A job even if it is deleted: a list goes on although the last one seen was. */
  findEvenDeleted(id: string): Promise<Job | null> {
    return this.database.one<Job>(`SELECT ${COLUMNS} FROM jobs j WHERE j.id = $1`, [id], 'jobs-find-even-deleted');
  }

  /** Jobs of any project that have not ended and customise an image, oldest first; at most `limit`. */
  findCustomising(imageId: string, limit: number): Promise<Pick<Job, 'id' | 'projectId'>[]> {
    return this.database.query<Pick<Job, 'id' | 'projectId'>>(
      `SELECT j.id, j.project_id AS "projectId" FROM jobs j
       WHERE j.job_type = 'customize' AND j.status IN ('queued', 'running') AND j.image_id = $1
       ORDER BY j.created_at, j.id LIMIT $2`,
      [imageId, limit],
    );
  }

  /** Some of a project's jobs that have not ended and name an object, as `s3://bucket/key`, as one of their scripts. */
  async findReading(projectId: string, address: string): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT j.id FROM jobs j
       WHERE j.job_type = 'customize' AND j.status IN ('queued', 'running') AND j.project_id = $1
         AND j.input -> 'scripted' -> 'scripts' @> $2 LIMIT 10`,
      [projectId, JSON.stringify([{ url: address }])],
      'jobs-find-reading',
    );
    return rows.map(({ id }) => id);
  }

  stream(query: JobQuery, after: Job | null, wanted?: number): AsyncGenerator<ListedJob> {
    return this.reader.stream(conditions(query), query.sort, after, wanted);
  }

  /** Stores a report; the job must be locked. */
  async report(id: string, report: { phase: ActivePhase | null; resultantImageId: string | null }): Promise<void> {
    await this.database.run(
      `UPDATE jobs SET phase = coalesce($2, phase), resultant_image_id = coalesce($3, resultant_image_id),
         percent = CASE WHEN $2 IS NULL THEN percent END, updated_at = now()
       WHERE id = $1`,
      [id, report.phase, report.resultantImageId],
    );
  }

  /** Ends a job; it must be locked, and not have ended. No execution of it can write any more. */
  async end(
    id: string,
    status: FinalStatus,
    ending: Pick<Ending, 'cause' | 'resultantImageId' | 'result' | 'message' | 'deleted'>,
  ): Promise<void> {
    const { cause, resultantImageId, result, message, deleted } = ending;
    await this.database.run(
      `UPDATE jobs SET status = $2, phase = 'done', percent = NULL, cause_code = $3, cause_message = $4,
         resultant_image_id = coalesce($5, resultant_image_id), lease_owner = NULL, lease_expires_at = NULL,
         shell = shell || '{"status": "complete"}', recipe_file_id = NULL, result_file_ids = '{}', sealed_token = NULL, finished_at = now(), updated_at = now(),
         deleted_at = CASE WHEN $6 THEN now() END, result = coalesce($7, result), message = coalesce($8, message)
       WHERE id = $1`,
      [
        id,
        status,
        cause?.code ?? null,
        cause?.message ?? null,
        resultantImageId ?? null,
        deleted ?? false,
        result === undefined ? null : toStorableJson(result),
        message === undefined ? null : toStorable(message),
      ],
      'jobs-end',
    );
  }

  /** Deletes a job that has ended; it must be locked. */
  async markDeleted(id: string): Promise<void> {
    await this.database.run('UPDATE jobs SET deleted_at = now(), updated_at = now() WHERE id = $1', [id]);
  }

  /** Removes the rows of jobs that were deleted longer ago than this, and their logs. Returns how many. */
  purge(retentionMs: number, limit: number): Promise<number> {
    return this.database.run(
      `DELETE FROM jobs WHERE id IN (
         SELECT id FROM jobs WHERE deleted_at IS NOT NULL AND deleted_at < now() - $1::double precision * interval '1 millisecond'
         ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [retentionMs, limit],
    );
  }
}

export { COLUMNS as JOB_COLUMNS };

function asJson(value: object | null | undefined): string | null {
  return value == null ? null : JSON.stringify(value);
}

function conditions({ face, projectId, filter }: JobQuery): Conditions {
  return (bindings) => [
    'j.deleted_at IS NULL',
    `j.face = ${bindings.add(face)}`,
    ...(projectId === null ? [] : [`j.project_id = ${bindings.add(projectId)}`]),
    ...filterConditions(filter, bindings),
  ];
}

function filterConditions(filter: JobFilter, bindings: Bindings): string[] {
  const conditions: string[] = [];
  const anyOf = (sql: string, values: readonly string[] | undefined): void => {
    if (values !== undefined) conditions.push(`${sql} = ANY (${bindings.add(values)}::text[])`);
  };
  const anyId = (columns: readonly string[], values: readonly string[] | undefined): void => {
    if (values === undefined) return;
    const placeholder = bindings.add(values.filter((value) => isUuid(value)));
    conditions.push(`(${columns.map((column) => `${column} = ANY (${placeholder}::uuid[])`).join(' OR ')})`);
  };
  anyOf(NAME_SQL, filter.names);
  anyOf('j.arch', filter.archs);
  anyOf('j.state', filter.states);
  anyOf('j.job_type', filter.jobTypes);
  anyId(['j.recipe_id', 'j.image_id'], filter.artifactIds);
  anyId(['j.public_key_id'], filter.publicKeyIds);
  anyId(['j.resultant_image_id'], filter.resultantImageIds);
  return [...conditions, ...timeConditions('j.created_at', filter.created ?? [], bindings)];
}
