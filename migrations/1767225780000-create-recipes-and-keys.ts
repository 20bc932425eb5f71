import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Recipes and SSH public keys, soft-deleted like images. */
export class CreateRecipesAndKeys1767225780000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE recipes (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 1024),
        recipe_type text NOT NULL CHECK (recipe_type IN ('kiwi-ng', 'packer')),
        linux_distribution text NOT NULL,
        arch text NOT NULL CHECK (arch IN ('x86_64', 'aarch64')),
        require_dkms boolean NOT NULL,
        template_dictionary jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(template_dictionary) = 'array'),
        link_path text,
        link_etag text,
        artifact_id uuid REFERENCES artifacts (id),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3)
      );
      CREATE INDEX recipes_created ON recipes (project_id, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX recipes_id ON recipes (project_id, id) WHERE deleted_at IS NULL;
      CREATE INDEX recipes_all_created ON recipes (created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX recipes_name ON recipes (project_id, name, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX recipes_arch ON recipes (project_id, arch, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX recipes_type ON recipes (project_id, recipe_type, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX recipes_distribution ON recipes (project_id, linux_distribution, created_at, id)
        WHERE deleted_at IS NULL;
      CREATE UNIQUE INDEX recipes_link_unique ON recipes (project_id, link_path)
        WHERE deleted_at IS NULL AND link_path IS NOT NULL;
      CREATE INDEX recipes_by_artifact ON recipes (artifact_id) WHERE artifact_id IS NOT NULL;
      CREATE INDEX recipes_deleted ON recipes (project_id, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX recipes_retention ON recipes (deleted_at) WHERE deleted_at IS NOT NULL;

      CREATE TABLE keys (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 1024),
        public_key text NOT NULL CHECK (length(public_key) >= 1),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3)
      );
      CREATE INDEX keys_created ON keys (project_id, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX keys_id ON keys (project_id, id) WHERE deleted_at IS NULL;
      CREATE INDEX keys_all_created ON keys (created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX keys_name ON keys (project_id, name, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX keys_deleted ON keys (project_id, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX keys_retention ON keys (deleted_at) WHERE deleted_at IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE keys, recipes;`);
  }
}
