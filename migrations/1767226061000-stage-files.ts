import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Files that wait for the import of their image, which count as staged, not as stored. */
export class StageFiles1767226061000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE stored_files
        -- What of the project's usage the bytes count as.
        ADD COLUMN quantity text NOT NULL DEFAULT 'storage_bytes'
          CONSTRAINT stored_files_quantity CHECK (quantity IN ('storage_bytes', 'staging_bytes'));
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- They would count as stored from now on: what was staged is staged anew.
      UPDATE project_usage u SET used = used - f.bytes
        FROM (SELECT project_id, sum(charged_bytes) AS bytes FROM stored_files
              WHERE quantity = 'staging_bytes' GROUP BY project_id) f
        WHERE u.project_id = f.project_id AND u.quantity = 'staging_bytes';
      UPDATE stored_files SET charged_bytes = 0 WHERE quantity = 'staging_bytes';
      ALTER TABLE stored_files DROP COLUMN quantity;
    `);
  }
}
