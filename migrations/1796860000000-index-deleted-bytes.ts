import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds the bytes that a project keeps for deleted things only, and what was deleted first. */
export class IndexDeletedBytes1796860000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX stored_files_unpaid ON stored_files (project_id) INCLUDE (size_bytes)
        WHERE charge_count = 0 AND reference_count > 0;
      CREATE INDEX images_deleted_first ON images (project_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX recipes_deleted_first ON recipes (project_id, deleted_at, id) WHERE deleted_at IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX stored_files_unpaid, images_deleted_first, recipes_deleted_first');
  }
}
