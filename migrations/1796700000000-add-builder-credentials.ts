import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What builder programs that run elsewhere show: one credential a job, of its newest execution that needed one. */
export class AddBuilderCredentials1796700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE job_credentials (
        job_id uuid PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
        fencing_number bigint NOT NULL,
        token_sha256 bytea NOT NULL
      )
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE job_credentials');
  }
}
