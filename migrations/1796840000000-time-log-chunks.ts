import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When the lines of logs came; of those that are there already, the time of this change. */
export class TimeLogChunks1796840000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE job_log_chunks ADD written_at timestamptz NOT NULL DEFAULT now()');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE job_log_chunks DROP written_at');
  }
}
