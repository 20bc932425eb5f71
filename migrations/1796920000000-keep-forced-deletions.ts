import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whether a deletion was insisted on counts until it is done: the image may come into use meanwhile. */
export class KeepForcedDeletions1796920000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE custom_images ADD COLUMN forced boolean NOT NULL DEFAULT false');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE custom_images DROP COLUMN forced');
  }
}
