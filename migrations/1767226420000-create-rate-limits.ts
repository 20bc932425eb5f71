import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How many requests each credential has sent in its present second, for deployments without Redis. */
export class CreateRateLimits1767226420000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- The columns are those that rate-limiter-flexible writes. Not logged: a second that a crash forgets is no loss.
      CREATE UNLOGGED TABLE rate_limits (
        key varchar(255) PRIMARY KEY,
        points integer NOT NULL DEFAULT 0,
        expire bigint
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE rate_limits;');
  }
}
