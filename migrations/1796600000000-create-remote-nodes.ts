import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Machines that projects have named to build on. */
export class CreateRemoteNodes1796600000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE remote_nodes (
        project_id text NOT NULL,
        xname text NOT NULL CHECK (length(xname) BETWEEN 1 AND 255),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, xname)
      );
      CREATE INDEX remote_nodes_created ON remote_nodes (project_id, created_at, xname);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE remote_nodes;');
  }
}
