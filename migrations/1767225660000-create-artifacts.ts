import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Stored files (bytes in one store) and artifacts (the `s3://bucket/key` addresses that name them). */
export class CreateArtifacts1767225660000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- A row exists before the first byte is written and until the last one is removed, so a crash leaves nothing
      -- that a sweep cannot find. While writing, lease_expires_at is renewed by the writing process.
      CREATE TABLE stored_files (
        id uuid PRIMARY KEY,
        project_id text,
        store_id text NOT NULL,
        object_key text NOT NULL,
        state text NOT NULL CHECK (state IN ('writing', 'stored', 'deleting')),
        size_bytes bigint,
        md5 text,
        sha512 text,
        sha256 text,
        reference_count integer NOT NULL DEFAULT 0 CONSTRAINT stored_files_references_not_negative CHECK (reference_count >= 0),
        -- How many of the references are of living things. A soft-deleted one keeps the bytes and costs nothing.
        charge_count integer NOT NULL DEFAULT 0 CHECK (charge_count BETWEEN 0 AND reference_count),
        -- What the ledger of project_id holds for this file: reserved while writing, its size once stored, 0 when free.
        charged_bytes bigint NOT NULL DEFAULT 0 CHECK (charged_bytes >= 0),
        lease_expires_at timestamptz(3),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        references_changed_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT stored_files_object_unique UNIQUE (store_id, object_key)
      );
      CREATE INDEX stored_files_writing ON stored_files (lease_expires_at) WHERE state = 'writing';
      CREATE INDEX stored_files_deleting ON stored_files (references_changed_at) WHERE state = 'deleting';
      CREATE INDEX stored_files_unreferenced ON stored_files (references_changed_at)
        WHERE state = 'stored' AND reference_count = 0;

      CREATE TABLE artifacts (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        bucket text NOT NULL,
        key text NOT NULL,
        -- Where it was before a delete moved it below deleted/.
        moved_from_key text,
        stored_file_id uuid NOT NULL REFERENCES stored_files (id),
        etag text NOT NULL,
        content_type text,
        metadata jsonb NOT NULL DEFAULT '{}',
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT artifacts_address_unique UNIQUE (project_id, bucket, key)
      );
      CREATE INDEX artifacts_by_stored_file ON artifacts (stored_file_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE artifacts, stored_files;`);
  }
}
