import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Images with their members, copies and artifacts, and the tombstones which keep ids from being used again. */
export class CreateImages1767225720000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE images (
        id uuid PRIMARY KEY,
        -- The owner: a project, or for an administrator's foreign owners any text or nothing.
        project_id text CHECK (length(project_id) <= 255),
        name text CHECK (length(name) <= 1024),
        status text NOT NULL CHECK (status IN
          ('queued', 'saving', 'uploading', 'importing', 'active', 'deactivated', 'pending_delete', 'killed', 'deleted')),
        visibility text NOT NULL CHECK (visibility IN ('public', 'community', 'shared', 'private')),
        protected boolean NOT NULL DEFAULT false,
        hidden boolean NOT NULL DEFAULT false,
        tags text[] NOT NULL DEFAULT '{}',
        properties jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(properties) = 'object'),
        -- One truth for the property and the domain's attribute.
        architecture text GENERATED ALWAYS AS (properties ->> 'architecture') STORED,
        disk_format text,
        container_format text,
        min_disk_gib integer NOT NULL DEFAULT 0,
        min_ram_mib integer NOT NULL DEFAULT 0,
        size_bytes bigint,
        virtual_size_bytes bigint,
        md5 text,
        hash_algorithm text,
        hash_value text,
        store_ids text[] NOT NULL DEFAULT '{}',
        -- The primary file once complete; while bytes arrive, the file being written.
        primary_file_id uuid REFERENCES stored_files (id),
        upload_file_id uuid,
        link_path text,
        link_etag text,
        origin text NOT NULL CHECK (origin IN ('upload', 'import', 'registered', 'built', 'customised')),
        recipe_id uuid,
        job_id uuid,
        parent_image_id uuid,
        version integer NOT NULL DEFAULT 1,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        deleted_at timestamptz(3)
      );

      -- Every branch of a list walks one of these in the list's order, either way; null sorts as '' or 0.
      CREATE INDEX images_own_created ON images (project_id, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX images_own_updated ON images (project_id, updated_at, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX images_own_name ON images (project_id, (coalesce(name, '')), created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX images_own_size ON images (project_id, (coalesce(size_bytes, 0)), created_at, id)
        WHERE deleted_at IS NULL;
      CREATE INDEX images_own_status ON images (project_id, status, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX images_own_disk_format ON images (project_id, (coalesce(disk_format, '')), created_at, id)
        WHERE deleted_at IS NULL;
      CREATE INDEX images_own_container_format ON images (project_id, (coalesce(container_format, '')), created_at, id)
        WHERE deleted_at IS NULL;
      CREATE INDEX images_own_id ON images (project_id, id) WHERE deleted_at IS NULL;

      -- Everybody's public and community images, and all of them for administrators.
      CREATE INDEX images_visibility_created ON images (visibility, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX images_visibility_updated ON images (visibility, updated_at, created_at, id)
        WHERE deleted_at IS NULL;
      CREATE INDEX images_visibility_name ON images (visibility, (coalesce(name, '')), created_at, id)
        WHERE deleted_at IS NULL;
      CREATE INDEX images_visibility_size ON images (visibility, (coalesce(size_bytes, 0)), created_at, id)
        WHERE deleted_at IS NULL;

      CREATE INDEX images_visibility_status ON images (visibility, status, created_at, id) WHERE deleted_at IS NULL;
      CREATE INDEX images_visibility_disk_format ON images (visibility, (coalesce(disk_format, '')), created_at, id)
        WHERE deleted_at IS NULL;
      CREATE INDEX images_visibility_container_format
        ON images (visibility, (coalesce(container_format, '')), created_at, id) WHERE deleted_at IS NULL;

      -- Few images are published.
      CREATE INDEX images_published_id ON images (visibility, id)
        WHERE deleted_at IS NULL AND visibility IN ('public', 'community');
      CREATE INDEX images_published_by_owner ON images (project_id, visibility, created_at, id)
        WHERE deleted_at IS NULL AND visibility IN ('public', 'community');

      -- Few images are hidden or protected, and few have one digest.
      CREATE INDEX images_own_hidden ON images (project_id, created_at, id) WHERE deleted_at IS NULL AND hidden;
      CREATE INDEX images_visibility_hidden ON images (visibility, created_at, id)
        WHERE deleted_at IS NULL AND hidden;
      CREATE INDEX images_own_protected ON images (project_id, created_at, id) WHERE deleted_at IS NULL AND protected;
      CREATE INDEX images_visibility_protected ON images (visibility, created_at, id)
        WHERE deleted_at IS NULL AND protected;
      CREATE INDEX images_md5 ON images USING hash (md5) WHERE deleted_at IS NULL AND md5 IS NOT NULL;
      CREATE INDEX images_hash_value ON images USING hash (hash_value)
        WHERE deleted_at IS NULL AND hash_value IS NOT NULL;

      CREATE INDEX images_tags ON images USING gin (tags) WHERE deleted_at IS NULL;
      CREATE INDEX images_properties ON images USING gin (properties jsonb_path_ops) WHERE deleted_at IS NULL;

      CREATE UNIQUE INDEX images_link_unique ON images (project_id, link_path)
        WHERE deleted_at IS NULL AND link_path IS NOT NULL;
      CREATE INDEX images_deleted ON images (project_id, created_at, id) WHERE deleted_at IS NOT NULL;
      CREATE INDEX images_retention ON images (deleted_at) WHERE deleted_at IS NOT NULL;
      CREATE INDEX images_receiving ON images (updated_at) WHERE status IN ('saving', 'uploading', 'importing');

      CREATE TABLE image_members (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        member text NOT NULL CHECK (length(member) BETWEEN 1 AND 255),
        status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'accepted', 'rejected')),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        -- A copy of an immutable column: the default order of a member's list needs no join to find its page.
        image_created_at timestamptz(3) NOT NULL,
        PRIMARY KEY (image_id, member)
      );
      CREATE INDEX image_members_by_member ON image_members (member, status, image_created_at, image_id);

      -- Complete copies of the primary file, one a store.
      CREATE TABLE image_copies (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        store_id text NOT NULL,
        stored_file_id uuid NOT NULL REFERENCES stored_files (id),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        PRIMARY KEY (image_id, store_id)
      );
      CREATE INDEX image_copies_by_stored_file ON image_copies (stored_file_id);

      CREATE TABLE image_artifacts (
        image_id uuid NOT NULL REFERENCES images (id) ON DELETE CASCADE,
        artifact_id uuid NOT NULL REFERENCES artifacts (id),
        role text NOT NULL CHECK (role IN
          ('manifest', 'deleted_manifest', 'rootfs', 'kernel', 'initrd', 'boot_parameters', 'debug_kernel', 'disk', 'other')),
        media_type text NOT NULL,
        md5 text,
        position integer NOT NULL DEFAULT 0,
        PRIMARY KEY (image_id, artifact_id)
      );
      CREATE INDEX image_artifacts_by_artifact ON image_artifacts (artifact_id);

      -- What was purged: an id is never given out again.
      CREATE TABLE tombstones (
        id uuid PRIMARY KEY,
        noun text NOT NULL,
        project_id text,
        purged_at timestamptz(3) NOT NULL DEFAULT now()
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE tombstones, image_artifacts, image_copies, image_members, images;`);
  }
}
