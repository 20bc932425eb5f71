import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Jobs with the lease, attempt and fencing columns that make every write of a worker refusable, and their logs. */
export class CreateJobs1767225840000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE SEQUENCE job_fencing_numbers;

      CREATE TABLE jobs (
        id uuid PRIMARY KEY,
        project_id text NOT NULL,
        user_id text,
        -- The face the job was asked for through; a face lists only its own.
        face text NOT NULL,
        job_type text NOT NULL CHECK (job_type IN ('create', 'customize', 'import', 'convert', 'copy', 'hash')),
        status text NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        phase text NOT NULL CHECK (phase IN
          ('creating', 'fetching_recipe', 'fetching_image', 'waiting_for_repositories', 'building', 'waiting_on_user',
           'packaging', 'done')),
        -- Status and phase in one word: what faces show, and lists sort and filter by.
        state text NOT NULL GENERATED ALWAYS AS
          (CASE status WHEN 'succeeded' THEN 'success' WHEN 'failed' THEN 'error' WHEN 'cancelled' THEN 'error'
             ELSE phase END) STORED,
        percent smallint CHECK (percent BETWEEN 0 AND 100),
        recipe_id uuid,
        image_id uuid,
        public_key_id uuid,
        public_key text,
        arch text NOT NULL,
        require_dkms boolean NOT NULL DEFAULT false,
        image_root_archive_name text,
        kernel_file_name text,
        initrd_file_name text,
        kernel_parameters_file_name text,
        enable_debug boolean NOT NULL DEFAULT false,
        build_env_size_gib integer,
        memory_gib integer,
        ssh_containers jsonb,
        -- What the recipe was when the job was accepted: a later change of the recipe does not change the job.
        recipe_type text,
        template_dictionary jsonb,
        recipe_file_id uuid REFERENCES stored_files (id) ON DELETE SET NULL,
        -- Chosen with the job, so that a second execution makes the same image, not another one.
        target_image_id uuid NOT NULL,
        resultant_image_id uuid,
        -- Files stored for the result while no image refers to them yet: whoever comes next removes them.
        result_file_ids uuid[] NOT NULL DEFAULT '{}',
        cause_code text,
        cause_message text,
        lease_owner text,
        lease_expires_at timestamptz(3),
        fencing_number bigint NOT NULL DEFAULT 0,
        attempt integer NOT NULL DEFAULT 0,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        started_at timestamptz(3),
        finished_at timestamptz(3),
        deleted_at timestamptz(3)
      );
      CREATE INDEX jobs_created ON jobs (project_id, face, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX jobs_id ON jobs (project_id, face, id) WHERE deleted_at IS NULL;
      CREATE INDEX jobs_name ON jobs (project_id, face, (coalesce(image_root_archive_name, '')), created_at, id)
        WHERE deleted_at IS NULL;
      CREATE INDEX jobs_type ON jobs (project_id, face, job_type, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX jobs_arch ON jobs (project_id, face, arch, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX jobs_state ON jobs (project_id, face, state, created_at, id) WHERE deleted_at IS NULL;
      -- Lists of an administrator over every project.
      CREATE INDEX jobs_all_created ON jobs (face, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX jobs_queued ON jobs (created_at, id) WHERE status = 'queued';
      CREATE INDEX jobs_queued_of_project ON jobs (project_id, created_at, id) WHERE status = 'queued';
      CREATE INDEX jobs_running ON jobs (lease_expires_at) WHERE status = 'running';
      CREATE INDEX jobs_by_recipe_file ON jobs (recipe_file_id) WHERE recipe_file_id IS NOT NULL;
      CREATE INDEX jobs_retention ON jobs (deleted_at) WHERE deleted_at IS NOT NULL;

      -- The log in pieces as they arrive; first_line counts from 1.
      CREATE TABLE job_log_chunks (
        job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        first_line bigint NOT NULL,
        line_count integer NOT NULL,
        text text NOT NULL,
        PRIMARY KEY (job_id, first_line)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE job_log_chunks, jobs; DROP SEQUENCE job_fencing_numbers;`);
  }
}
