import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The calls that an application credential is good for, where its user bounded it. */
export class AddAccessRules1767226001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- A user's rules outlive the credentials that were made with them and can be used again.
      CREATE TABLE access_rules (
        id text PRIMARY KEY,
        user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        service text NOT NULL,
        method text NOT NULL,
        path text NOT NULL,
        CONSTRAINT access_rules_unique UNIQUE (user_id, service, method, path)
      );

      -- A credential without a row here is good for every call. A rule in use cannot be removed: a credential that may do
      -- less must never become one that may do everything. Looked at when the transaction ends, so that a user can go.
      CREATE TABLE application_credential_access_rules (
        application_credential_id text NOT NULL REFERENCES application_credentials (id) ON DELETE CASCADE,
        access_rule_id text NOT NULL REFERENCES access_rules (id) DEFERRABLE INITIALLY DEFERRED,
        PRIMARY KEY (application_credential_id, access_rule_id)
      );
      CREATE INDEX application_credential_access_rules_by_rule ON application_credential_access_rules (access_rule_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE application_credential_access_rules, access_rules;');
  }
}
