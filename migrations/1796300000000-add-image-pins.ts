import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who relies on which image, so that none goes from under what points at it. */
export class AddImagePins1796300000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Counts only while the image is the same project's: nobody keeps another one from deleting.
      CREATE TABLE image_pins (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        holder text NOT NULL,
        project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        PRIMARY KEY (image_id, holder)
      );
      CREATE INDEX image_pins_by_project ON image_pins (project_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE image_pins;');
  }
}
