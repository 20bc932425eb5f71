import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Limits for projects that have none of their own. */
export class AddDefaultLimits1767226000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- No row: unlimited.
      CREATE TABLE default_limits (
        quantity text PRIMARY KEY,
        maximum bigint NOT NULL CHECK (maximum >= 0)
      );

      -- Whether maximum was set for this project; else it follows the default. The reservation still looks at maximum only.
      ALTER TABLE project_usage ADD COLUMN own_limit boolean NOT NULL DEFAULT false;
      UPDATE project_usage SET own_limit = true WHERE maximum IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE project_usage DROP COLUMN own_limit;
      DROP TABLE default_limits;
    `);
  }
}
