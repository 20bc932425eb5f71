import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Names that users choose for what they build: first they stand for a build, then for its image. */
export class CreateCustomImages1796200002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE custom_images (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        region text NOT NULL,
        name text NOT NULL CHECK (length(name) BETWEEN 2 AND 128),
        state text NOT NULL CHECK (state IN
          ('building', 'complete', 'failed', 'rolling_back', 'rolled_back', 'rollback_failed', 'deleting', 'delete_failed')),
        state_reason text,
        -- What of the build's configuration is shown, and given to its image.
        image_name text,
        image_tags jsonb NOT NULL DEFAULT '[]',
        build_tags jsonb NOT NULL DEFAULT '[]',
        min_disk_gib integer NOT NULL DEFAULT 0,
        rollback_on_failure boolean NOT NULL DEFAULT false,
        -- Whose face made it, as it was then.
        version text NOT NULL,
        user_id text,
        job_id uuid NOT NULL,
        -- What the build made, until that is purged; whether it is deleted is the images' to say.
        image_id uuid REFERENCES images (id) ON DELETE SET NULL,
        config_artifact_id uuid REFERENCES artifacts (id) ON DELETE SET NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3)
      );
      CREATE UNIQUE INDEX custom_images_name_unique ON custom_images (project_id, region, name) WHERE deleted_at IS NULL;
      CREATE UNIQUE INDEX custom_images_job_unique ON custom_images (job_id);
      -- A list is of one state or of a few, newest first.
      CREATE INDEX custom_images_state ON custom_images (project_id, region, state, created_at DESC, name)
        WHERE deleted_at IS NULL;
      CREATE INDEX custom_images_failed ON custom_images (project_id, region, created_at DESC, name)
        WHERE deleted_at IS NULL AND state IN ('failed', 'rolling_back', 'rolled_back', 'rollback_failed', 'delete_failed');
      CREATE INDEX custom_images_image ON custom_images (image_id) WHERE image_id IS NOT NULL;
      CREATE INDEX custom_images_config ON custom_images (config_artifact_id) WHERE config_artifact_id IS NOT NULL;
      -- What is on its way out, for the sweep.
      CREATE INDEX custom_images_leaving ON custom_images (updated_at)
        WHERE deleted_at IS NULL AND (state IN ('deleting', 'rolling_back') OR state = 'complete' AND image_id IS NULL);
      CREATE INDEX custom_images_retention ON custom_images (deleted_at) WHERE deleted_at IS NOT NULL;
      -- Images that are being customised.
      CREATE INDEX jobs_customising ON jobs (image_id) WHERE job_type = 'customize' AND status IN ('queued', 'running');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX jobs_customising; DROP TABLE custom_images;`);
  }
}
