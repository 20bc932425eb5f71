import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Provisioning images, and what they bind images of the registry to. */
export class CreateProvisioning1796300001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Provisioning tools know everything by numbers, which are never given out again. Names sort by code points, so that
      -- pages are the same on every database.
      ALTER TABLE projects ADD COLUMN number integer GENERATED ALWAYS AS IDENTITY;
      CREATE UNIQUE INDEX projects_number_unique ON projects (number);

      CREATE TABLE architectures (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT architectures_name_unique UNIQUE (name)
      );

      CREATE TABLE locations (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
        description text,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT locations_name_unique UNIQUE (name)
      );

      CREATE TABLE operating_systems (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
        major text COLLATE "C" NOT NULL CHECK (length(major) BETWEEN 1 AND 255),
        minor text COLLATE "C" NOT NULL DEFAULT '' CHECK (length(minor) <= 255),
        description text COLLATE "C" CHECK (length(description) <= 255),
        title text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
          coalesce(nullif(btrim(description), ''),
            name || ' ' || major || CASE minor WHEN '' THEN '' ELSE '.' || minor END)) STORED,
        family text COLLATE "C" CHECK (length(family) <= 255),
        release_name text CHECK (length(release_name) <= 255),
        password_hash text,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT operating_systems_version_unique UNIQUE (name, major, minor),
        CONSTRAINT operating_systems_title_unique UNIQUE (title)
      );

      CREATE TABLE operating_system_architectures (
        operating_system_id integer NOT NULL REFERENCES operating_systems (id) ON DELETE CASCADE,
        architecture_id integer NOT NULL REFERENCES architectures (id) ON DELETE CASCADE,
        PRIMARY KEY (operating_system_id, architecture_id)
      );
      CREATE INDEX operating_system_architectures_by_architecture
        ON operating_system_architectures (architecture_id, operating_system_id);

      CREATE TABLE compute_resources (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
        provider text COLLATE "C" NOT NULL CHECK (length(provider) BETWEEN 1 AND 255),
        description text,
        url text,
        -- The registry itself, which every project has.
        built_in boolean NOT NULL DEFAULT false,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT compute_resources_name_unique UNIQUE (project_id, name)
      );
      CREATE UNIQUE INDEX compute_resources_built_in ON compute_resources (project_id) WHERE built_in;

      CREATE TABLE compute_resource_locations (
        compute_resource_id integer NOT NULL REFERENCES compute_resources (id) ON DELETE CASCADE,
        location_id integer NOT NULL REFERENCES locations (id) ON DELETE CASCADE,
        PRIMARY KEY (compute_resource_id, location_id)
      );
      CREATE INDEX compute_resource_locations_by_location
        ON compute_resource_locations (location_id, compute_resource_id);

      CREATE TABLE provisioning_images (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        -- Of the compute resource, and never another one.
        project_id text NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        compute_resource_id integer NOT NULL REFERENCES compute_resources (id),
        operating_system_id integer NOT NULL REFERENCES operating_systems (id),
        architecture_id integer NOT NULL REFERENCES architectures (id),
        name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
        username text COLLATE "C" NOT NULL CHECK (length(username) BETWEEN 1 AND 255),
        uuid text COLLATE "C" NOT NULL CHECK (length(uuid) BETWEEN 1 AND 255),
        sealed_password bytea,
        user_data boolean NOT NULL DEFAULT false,
        iam_role text CHECK (length(iam_role) <= 255),
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT provisioning_images_uuid_unique UNIQUE (compute_resource_id, uuid)
      );
      CREATE UNIQUE INDEX provisioning_images_name_unique
        ON provisioning_images (compute_resource_id, name, operating_system_id);
      CREATE INDEX provisioning_images_by_compute_resource ON provisioning_images (compute_resource_id, id);
      CREATE INDEX provisioning_images_by_username ON provisioning_images (compute_resource_id, username, id);
      CREATE INDEX provisioning_images_by_operating_system ON provisioning_images (operating_system_id, project_id, id);
      CREATE INDEX provisioning_images_by_architecture ON provisioning_images (architecture_id, project_id, id);
      CREATE INDEX provisioning_images_by_project ON provisioning_images (project_id);

      -- What a deployment was given once: what an administrator removed does not come back.
      CREATE TABLE provisioning_gifts (
        noun text NOT NULL,
        name text NOT NULL,
        PRIMARY KEY (noun, name)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE provisioning_gifts, provisioning_images, compute_resource_locations, compute_resources,
        operating_system_architectures, operating_systems, locations, architectures;
      ALTER TABLE projects DROP COLUMN number;
    `);
  }
}
