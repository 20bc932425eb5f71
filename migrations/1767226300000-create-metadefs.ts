import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Metadata definitions: namespaces and what they define, and the types of resources they are for. */
export class CreateMetadefs1767226300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE metadef_namespaces (
        -- Grows, so that it orders what was made within one millisecond.
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
        display_name text CHECK (length(display_name) <= 80),
        description text CHECK (length(description) <= 500),
        visibility text NOT NULL CHECK (visibility IN ('public', 'private')),
        protected boolean NOT NULL,
        -- The owner: a project, or any text that an administrator chose.
        project_id text CHECK (length(project_id) <= 255),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT metadef_namespaces_name UNIQUE (name)
      );
      -- Every branch of a list walks one of these, either way; null sorts as ''.
      CREATE INDEX metadef_namespaces_own ON metadef_namespaces (project_id, visibility, created_at, id);
      CREATE INDEX metadef_namespaces_created ON metadef_namespaces (visibility, created_at, id);
      CREATE INDEX metadef_namespaces_updated ON metadef_namespaces (visibility, updated_at, created_at, id);
      CREATE INDEX metadef_namespaces_by_name ON metadef_namespaces (visibility, name, created_at, id);
      CREATE INDEX metadef_namespaces_display_name
        ON metadef_namespaces (visibility, (coalesce(display_name, '')), created_at, id);
      CREATE INDEX metadef_namespaces_owner
        ON metadef_namespaces (visibility, (coalesce(project_id, '')), created_at, id);
      CREATE INDEX metadef_namespaces_protected ON metadef_namespaces (visibility, protected, created_at, id);

      CREATE TABLE metadef_objects (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        namespace_id bigint NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
        description text,
        required text[],
        -- json, not jsonb: the order of the properties is the author's.
        properties json,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT metadef_objects_name UNIQUE (namespace_id, name)
      );
      CREATE INDEX metadef_objects_in_order ON metadef_objects (namespace_id, id);

      CREATE TABLE metadef_properties (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        namespace_id bigint NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
        definition json NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT metadef_properties_name UNIQUE (namespace_id, name)
      );
      CREATE INDEX metadef_properties_in_order ON metadef_properties (namespace_id, id);

      CREATE TABLE metadef_tags (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        namespace_id bigint NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT metadef_tags_name UNIQUE (namespace_id, name)
      );
      CREATE INDEX metadef_tags_created ON metadef_tags (namespace_id, created_at, id);
      CREATE INDEX metadef_tags_updated ON metadef_tags (namespace_id, updated_at, created_at, id);

      CREATE TABLE metadef_resource_types (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT metadef_resource_types_name UNIQUE (name)
      );

      CREATE TABLE metadef_associations (
        namespace_id bigint NOT NULL REFERENCES metadef_namespaces (id) ON DELETE CASCADE,
        resource_type_id bigint NOT NULL REFERENCES metadef_resource_types (id),
        prefix text CHECK (length(prefix) <= 80),
        properties_target text CHECK (length(properties_target) <= 80),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        PRIMARY KEY (namespace_id, resource_type_id)
      );
      CREATE INDEX metadef_associations_by_type ON metadef_associations (resource_type_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE metadef_associations, metadef_resource_types, metadef_tags, metadef_properties, metadef_objects,
        metadef_namespaces;
    `);
  }
}
