import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * One for each order in which a project's deleted things are listed. Not for architectures of images: they are texts of
 * any length, which an index cannot hold.
 */
export class IndexDeletedLists1796940000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX images_deleted_name ON images (project_id, (coalesce(name, '')), created_at, id)
        WHERE deleted_at IS NOT NULL;
      CREATE INDEX images_deleted_at ON images (project_id, deleted_at, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX images_deleted_id ON images (project_id, id) WHERE deleted_at IS NOT NULL;

      CREATE INDEX recipes_deleted_name ON recipes (project_id, name, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX recipes_deleted_arch ON recipes (project_id, arch, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX recipes_deleted_type ON recipes (project_id, recipe_type, created_at, id)
        WHERE deleted_at IS NOT NULL;
      CREATE INDEX recipes_deleted_distribution ON recipes (project_id, linux_distribution, created_at, id)
        WHERE deleted_at IS NOT NULL;
      CREATE INDEX recipes_deleted_at ON recipes (project_id, deleted_at, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX recipes_deleted_id ON recipes (project_id, id) WHERE deleted_at IS NOT NULL;

      CREATE INDEX keys_deleted_name ON keys (project_id, name, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX keys_deleted_at ON keys (project_id, deleted_at, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX keys_deleted_id ON keys (project_id, id) WHERE deleted_at IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX keys_deleted_name, keys_deleted_at, keys_deleted_id;
      DROP INDEX recipes_deleted_name, recipes_deleted_arch, recipes_deleted_type, recipes_deleted_distribution,
        recipes_deleted_at, recipes_deleted_id;
      DROP INDEX images_deleted_name, images_deleted_at,
        images_deleted_id;
    `);
  }
}
