import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The few images that an administrator has flagged as those of an operating system, newest first. */
export class IndexOfficialImages1796200001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX images_official ON images ((properties ->> 'kiln_official_os'), created_at DESC, id DESC)
        WHERE deleted_at IS NULL AND status = 'active' AND visibility = 'public' AND properties ? 'kiln_official_os';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX images_official;`);
  }
}
