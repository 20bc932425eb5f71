import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The outbox: one row for every change, written in the transaction of the change. */
export class CreateEvents1767225900000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE events (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        occurred_at timestamptz(3) NOT NULL DEFAULT now(),
        kind text NOT NULL,
        noun text NOT NULL,
        noun_id text NOT NULL,
        project_id text,
        actor_id text,
        request_id text,
        data jsonb NOT NULL DEFAULT '{}',
        -- True while a subscriber of Kiln's own has still to act on it.
        pending boolean NOT NULL DEFAULT false,
        attempts integer NOT NULL DEFAULT 0,
        next_attempt_at timestamptz(3) NOT NULL DEFAULT now()
      );
      CREATE INDEX events_pending ON events (next_attempt_at, id) WHERE pending;
      CREATE INDEX events_by_project ON events (project_id, id);
      CREATE INDEX events_by_age ON events (occurred_at) WHERE NOT pending;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE events;`);
  }
}
