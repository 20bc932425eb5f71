import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where the shell of a job is, and how far it is. */
export class AddJobShells1796500000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE jobs ADD COLUMN shell jsonb');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE jobs DROP COLUMN shell');
  }
}
