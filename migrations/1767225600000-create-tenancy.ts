import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Projects, their limits and usage ledger, users and what they sign in with. */
export class CreateTenancy1767225600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE projects (
        id text PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
        name text NOT NULL,
        domain_id text NOT NULL DEFAULT 'default',
        description text NOT NULL DEFAULT '',
        enabled boolean NOT NULL DEFAULT true,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT projects_name_unique UNIQUE (domain_id, name)
      );

      -- One row per quantity, so that work on one never waits for work on another. A reservation is an UPDATE that
      -- matches only while the result stays within maximum: the row lock makes it exact for any number of processes.
      CREATE TABLE project_usage (
        project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        quantity text NOT NULL,
        used bigint NOT NULL DEFAULT 0 CONSTRAINT project_usage_not_negative CHECK (used >= 0),
        maximum bigint CHECK (maximum >= 0),
        PRIMARY KEY (project_id, quantity)
      ) WITH (fillfactor = 50);

      CREATE TABLE users (
        id text PRIMARY KEY,
        name text NOT NULL,
        domain_id text NOT NULL DEFAULT 'default',
        password_hash text,
        enabled boolean NOT NULL DEFAULT true,
        default_project_id text REFERENCES projects (id) ON DELETE SET NULL,
        email text,
        description text,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT users_name_unique UNIQUE (domain_id, name)
      );

      CREATE TABLE role_assignments (
        user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        role text NOT NULL CHECK (role IN ('admin', 'member', 'reader', 'service')),
        PRIMARY KEY (user_id, project_id, role)
      );
      CREATE INDEX role_assignments_by_project ON role_assignments (project_id);

      CREATE TABLE application_credentials (
        id text PRIMARY KEY,
        user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        name text NOT NULL,
        description text,
        secret_hash text NOT NULL,
        roles text[] NOT NULL,
        unrestricted boolean NOT NULL DEFAULT false,
        expires_at timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT application_credentials_name_unique UNIQUE (user_id, name)
      );

      -- Only a hash of the token is kept: whoever reads this table cannot act with it.
      CREATE TABLE tokens (
        hash bytea PRIMARY KEY,
        user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        project_id text REFERENCES projects (id) ON DELETE CASCADE,
        scope text NOT NULL CHECK (scope IN ('project', 'domain', 'system', 'unscoped')),
        methods text[] NOT NULL,
        audit_ids text[] NOT NULL,
        application_credential_id text REFERENCES application_credentials (id) ON DELETE CASCADE,
        issued_at timestamptz(6) NOT NULL,
        expires_at timestamptz(6) NOT NULL,
        revoked_at timestamptz(3)
      );
      CREATE INDEX tokens_by_expiry ON tokens (expires_at);
      CREATE INDEX tokens_by_user ON tokens (user_id);
      CREATE INDEX tokens_by_application_credential ON tokens (application_credential_id)
        WHERE application_credential_id IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE tokens, application_credentials, role_assignments, users, project_usage, projects;
    `);
  }
}
