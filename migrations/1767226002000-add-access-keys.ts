import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys with which users sign requests: EC2 credentials. */
export class AddAccessKeys1767226002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE access_keys (
        access text PRIMARY KEY,
        -- SHA-256 of the access key, by which Keystone names the credential.
        id text NOT NULL CONSTRAINT access_keys_id_unique UNIQUE,
        user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        -- Whoever checks a signature needs the secret itself, so it is sealed and not hashed.
        sealed_secret bytea NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE INDEX access_keys_by_user ON access_keys (user_id, access);
      CREATE INDEX access_keys_by_project ON access_keys (project_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE access_keys;');
  }
}
