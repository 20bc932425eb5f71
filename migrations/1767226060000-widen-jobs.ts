import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Jobs that build nothing: what they are told, what they tell, and the images that they work on. */
export class WidenJobs1767226060000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs
        -- Only builds have these.
        ALTER COLUMN arch DROP NOT NULL,
        ALTER COLUMN target_image_id DROP NOT NULL,
        -- What the job was asked to do, as its work understands it; never a secret.
        ADD COLUMN input jsonb,
        ADD COLUMN result jsonb,
        -- One sentence on where it is, written while it runs.
        ADD COLUMN message text,
        ADD COLUMN request_id text;

      CREATE INDEX jobs_by_image ON jobs (image_id, created_at, id) WHERE image_id IS NOT NULL AND deleted_at IS NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX jobs_by_image;
      DELETE FROM jobs WHERE arch IS NULL OR target_image_id IS NULL;
      ALTER TABLE jobs
        DROP COLUMN request_id,
        DROP COLUMN message,
        DROP COLUMN result,
        DROP COLUMN input,
        ALTER COLUMN target_image_id SET NOT NULL,
        ALTER COLUMN arch SET NOT NULL;
    `);
  }
}
