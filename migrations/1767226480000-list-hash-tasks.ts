import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Jobs that take the digests of locations are tasks like imports. */
export class ListHashTasks1767226480000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(indexesFor(`('import', 'copy', 'hash')`));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(indexesFor(`('import', 'copy')`));
  }
}

function indexesFor(types: string): string {
  return `
    DROP INDEX jobs_tasks_finished, jobs_tasks_updated, jobs_tasks_status;
    CREATE INDEX jobs_tasks_status ON jobs (face, status, created_at, id)
      WHERE job_type IN ${types} AND deleted_at IS NULL;
    CREATE INDEX jobs_tasks_updated ON jobs (face, updated_at, created_at, id)
      WHERE job_type IN ${types} AND deleted_at IS NULL;
    CREATE INDEX jobs_tasks_finished ON jobs (finished_at)
      WHERE job_type IN ${types} AND deleted_at IS NULL;
  `;
}
