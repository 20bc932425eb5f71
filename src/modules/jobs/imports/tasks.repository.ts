import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { type Conditions, KeysetReader } from '../../../platform/database/keyset-reader.js';
import type { Job } from '../job.entity.js';
import { JOB_COLUMNS } from '../jobs.repository.js';
import type { TaskQuery, TaskSortKey } from './imports.types.js';

/** Most tasks shown of one image: the newest. */
const MOST_OF_IMAGE = 200;

/** Those that do the work of the tasks that faces know. */
const IS_TASK = `j.job_type IN ('import', 'copy', 'hash') AND j.deleted_at IS NULL`;
const EVER = 'infinity';

/** Statements on jobs as records of imports. */
@Injectable()
export class TasksRepository {
  private readonly reader: KeysetReader<Job, TaskSortKey>;

  constructor(private readonly database: Database) {
    this.reader = new KeysetReader<Job, TaskSortKey>(database, {
      table: 'jobs j',
      columns: JOB_COLUMNS,
      sort: {
        id: { sql: 'j.id', value: (task) => task.id },
        type: { sql: `(j.input ? 'legacy')`, value: (task) => Object.hasOwn(task.input ?? {}, 'legacy') },
        status: { sql: 'j.status', value: (task) => task.status },
        owner: { sql: 'j.project_id', value: (task) => task.projectId },
        created_at: { sql: 'j.created_at', value: (task) => task.createdAt },
        created: { sql: 'j.created_at', value: (task) => task.createdAt },
        updated_at: { sql: 'j.updated_at', value: (task) => task.updatedAt },
        // One that has not ended expires after all the others.
        expires_at: { sql: `coalesce(j.finished_at, '${EVER}')`, value: (task) => task.finishedAt ?? EVER },
      },
    });
  }

  find(face: string, id: string, retentionMs: number): Promise<Job | null> {
    return this.database.one<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs j WHERE j.id = $1 AND j.face = $2 AND ${IS_TASK} AND ${isKept('$3')}`,
      [id, face, retentionMs],
      'tasks-find',
    );
  }

  page(query: TaskQuery, after: Job | null, retentionMs: number): Promise<Job[]> {
    const sort = [{ key: query.sortKey, direction: query.direction }];
    return this.reader.page(conditions(query, retentionMs), sort, query.limit, after);
  }

  ofImage(face: string, imageId: string, retentionMs: number): Promise<Job[]> {
    return this.database.query<Job>(
      `SELECT ${JOB_COLUMNS} FROM jobs j WHERE j.image_id = $1 AND j.face = $2 AND ${IS_TASK} AND ${isKept('$3')}
       ORDER BY j.created_at DESC, j.id DESC LIMIT ${MOST_OF_IMAGE}`,
      [imageId, face, retentionMs],
      'tasks-of-image',
    );
  }

  /** Removes the rows, and their logs: nobody brings a task back, so they are not kept as what is deleted may be. */
  expire(retentionMs: number, limit: number): Promise<number> {
    return this.database.run(
      `DELETE FROM jobs WHERE id IN (
         SELECT j.id FROM jobs j WHERE ${IS_TASK} AND NOT ${isKept('$1')} ORDER BY j.finished_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [retentionMs, limit],
    );
  }
}

function isKept(retention: string): string {
  return `(j.finished_at IS NULL OR j.finished_at > now() - ${retention}::double precision * interval '1 millisecond')`;
}

function conditions({ face, statuses, legacy }: TaskQuery, retentionMs: number): Conditions {
  return (bindings) => [
    IS_TASK,
    `j.face = ${bindings.add(face)}`,
    isKept(bindings.add(retentionMs)),
    ...(statuses ? [`j.status = ANY (${bindings.add(statuses)}::text[])`] : []),
    ...(legacy === undefined ? [] : [`(j.input ? 'legacy') = ${bindings.add(legacy)}`]),
  ];
}
