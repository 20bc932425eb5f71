import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where else an image's bytes can be read, and what users note about each place. */
export class AddImageLocations1767226120000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE image_copies
        ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object');

      -- Places on the web. Their bytes are not ours: what is known of them is on the image, and checked when they are read.
      CREATE TABLE image_locations (
        id uuid PRIMARY KEY,
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        url text NOT NULL CHECK (length(url) BETWEEN 1 AND 255),
        metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
        position integer NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE INDEX image_locations_by_image ON image_locations (image_id, position);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE image_locations;
      ALTER TABLE image_copies DROP COLUMN metadata;
    `);
  }
}
