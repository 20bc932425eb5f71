import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lost tasks are looked for by type, so that a backlog of one does not hide the others. */
export class FindQueuedByType1796870000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX jobs_queued;
      CREATE INDEX jobs_queued ON jobs (job_type, created_at, id) WHERE status = 'queued'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX jobs_queued;
      CREATE INDEX jobs_queued ON jobs (created_at, id) WHERE status = 'queued'`);
  }
}
