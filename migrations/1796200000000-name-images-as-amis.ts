import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Every image has an AMI id: the first 17 hexadecimal digits of its id, or random ones where an image has those already.
 * The default is what an image gets that nobody names.
 */
export class NameImagesAsAmis1796200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE images ADD COLUMN ami_id text NOT NULL
        DEFAULT 'ami-' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 17);
      WITH firsts AS (
        SELECT DISTINCT ON (left(replace(id::text, '-', ''), 17)) id, 'ami-' || left(replace(id::text, '-', ''), 17) AS ami_id
        FROM images ORDER BY left(replace(id::text, '-', ''), 17), created_at, id)
      UPDATE images i SET ami_id = firsts.ami_id FROM firsts WHERE i.id = firsts.id;
      CREATE UNIQUE INDEX images_ami_id_unique ON images (ami_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE images DROP COLUMN ami_id;`);
  }
}
