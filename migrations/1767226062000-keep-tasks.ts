import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Imports as the tasks that faces list, and what they ask other regions with. */
export class KeepTasks1767226062000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- A token under the key of SecretBox; gone when the job has ended.
      ALTER TABLE jobs ADD COLUMN sealed_token bytea;

      CREATE INDEX jobs_tasks_status ON jobs (face, status, created_at, id)
        WHERE job_type IN ('import', 'copy') AND deleted_at IS NULL;
      CREATE INDEX jobs_tasks_updated ON jobs (face, updated_at, created_at, id)
        WHERE job_type IN ('import', 'copy') AND deleted_at IS NULL;
      CREATE INDEX jobs_tasks_finished ON jobs (finished_at)
        WHERE job_type IN ('import', 'copy') AND deleted_at IS NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX jobs_tasks_finished, jobs_tasks_updated, jobs_tasks_status;
      ALTER TABLE jobs DROP COLUMN sealed_token;
    `);
  }
}
