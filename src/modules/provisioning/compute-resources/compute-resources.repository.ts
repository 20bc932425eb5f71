import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { MENTIONS_MAXIMUM } from '../image-mentions.repository.js';
import { isInLocation } from '../in-location.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { RowLister, type Scope } from '../listing/row-lister.js';
import {
  type ComputeResource,
  type ComputeResourceField,
  type CreateComputeResource,
  EVERYWHERE,
  type Location,
  REGISTRY_PROVIDER,
  type Within,
} from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';

const COLUMNS = `c.id, c.project_id AS "projectId", p.number AS "projectNumber", p.name AS "projectName", c.name, c.provider,
  c.description, c.url, c.built_in AS "builtIn", c.created_at AS "createdAt", c.updated_at AS "updatedAt"`;
const FROM = 'compute_resources c LEFT JOIN projects p ON p.id = c.project_id';

type Values = Omit<CreateComputeResource, 'locationIds'>;

const inLocation = (condition: string): string =>
  `EXISTS (SELECT 1 FROM compute_resource_locations r JOIN locations l ON l.id = r.location_id
    WHERE r.compute_resource_id = c.id AND ${condition})`;

/** Every statement on `compute_resources`. */
@Injectable()
export class ComputeResourcesRepository {
  private readonly lister: RowLister<ComputeResource, ComputeResourceField>;

  constructor(private readonly database: Database) {
    this.lister = new RowLister<ComputeResource, ComputeResourceField>(database, {
      from: FROM,
      columns: COLUMNS,
      id: 'c.id',
      fields: {
        id: { sql: 'c.id', type: 'integer' },
        name: { sql: 'c.name', type: 'text' },
        type: { sql: 'c.provider', type: 'text' },
        location: { sql: 'l.name', type: 'text', through: inLocation },
        location_id: { sql: 'l.id', type: 'integer', through: inLocation },
        organization: { sql: 'p.name COLLATE "C"', type: 'text' },
        organization_id: { sql: 'p.number', type: 'integer' },
      },
      usualOrder: 'name',
    });
  }

  page(projectId: string, within: Within, query: RowQuery<ComputeResourceField>): Promise<RowPage<ComputeResource>> {
    const scope: Scope = (bindings) => [
      `c.project_id = ${bindings.add(projectId)}`,
      ...(within.locationId === null ? [] : [isInLocation('c.id', bindings.add(within.locationId))]),
    ];
    return this.lister.page(scope, query);
  }

  /** By its number, else by its exact name. */
  find(projectId: string, within: Within, { id, name }: RowKey): Promise<ComputeResource | null> {
    return this.database.one<ComputeResource>(
      `SELECT ${COLUMNS} FROM ${FROM}
       WHERE c.project_id = $1 AND (c.id = $2 OR ($2::integer IS NULL AND c.name = $3))
         AND ($4::integer IS NULL OR ${isInLocation('c.id', '$4')})`,
      [projectId, id, name, within.locationId],
    );
  }

  /** Nobody changes or removes it until the transaction ends. */
  findForUpdate(projectId: string, id: number): Promise<ComputeResource | null> {
    return this.lock(projectId, EVERYWHERE, 'c.id', id, 'FOR UPDATE OF c');
  }

  /** As `findForUpdate`, for what only refers to it. */
  findForShare(projectId: string, id: number, within = EVERYWHERE): Promise<ComputeResource | null> {
    return this.lock(projectId, within, 'c.id', id, 'FOR SHARE OF c');
  }

  findByNameForShare(projectId: string, name: string, within: Within): Promise<ComputeResource | null> {
    return this.lock(projectId, within, 'c.name', name, 'FOR SHARE OF c');
  }

  async locations(id: number): Promise<Location[]> {
    return this.database.query<Location>(
      `SELECT l.id, l.name, l.description, l.created_at AS "createdAt", l.updated_at AS "updatedAt"
       FROM compute_resource_locations r JOIN locations l ON l.id = r.location_id
       WHERE r.compute_resource_id = $1 ORDER BY l.name LIMIT $2`,
      [id, MENTIONS_MAXIMUM],
    );
  }

  /** Makes the registry known to a project, in every location that stays; nothing happens where it is. */
  async ensureBuiltIn(projectId: string): Promise<void> {
    await this.database.run(
      `WITH made AS (
         INSERT INTO compute_resources (project_id, name, provider, description, built_in)
         SELECT id, $2, $2, 'The images of this registry', true FROM projects WHERE id = $1
         ON CONFLICT DO NOTHING RETURNING id)
       INSERT INTO compute_resource_locations (compute_resource_id, location_id)
       SELECT made.id, l.id FROM made CROSS JOIN locations l FOR KEY SHARE OF l`,
      [projectId, REGISTRY_PROVIDER],
    );
  }

  async hasBuiltIn(projectId: string): Promise<boolean> {
    const row = await this.database.one(
      'SELECT 1 FROM compute_resources WHERE project_id = $1 AND built_in',
      [projectId],
      'compute-resources-has-built-in',
    );
    return row !== null;
  }

  async insert(projectId: string, { name, provider, description, url }: Values): Promise<number> {
    const row = await this.database.one<{ id: number }>(
      `INSERT INTO compute_resources (project_id, name, provider, description, url) VALUES ($1, $2, $3, $4, $5)
       RETURNING id`,
      [projectId, name, provider, description, url],
    );
    return row!.id;
  }

  async update(id: number, { name, provider, description, url }: Values): Promise<void> {
    await this.database.run(
      `UPDATE compute_resources SET name = $2, provider = $3, description = $4, url = $5, updated_at = now() WHERE id = $1`,
      [id, name, provider, description, url],
    );
  }

  /** False when one of them is not there. */
  async setLocations(id: number, locationIds: readonly number[]): Promise<boolean> {
    const wanted = [...new Set(locationIds)];
    const found = await this.database.query('SELECT id FROM locations WHERE id = ANY ($1::integer[]) FOR KEY SHARE', [
      wanted,
    ]);
    if (found.length !== wanted.length) return false;
    await this.database.run(
      'DELETE FROM compute_resource_locations WHERE compute_resource_id = $1 AND location_id <> ALL ($2::integer[])',
      [id, wanted],
    );
    await this.database.run(
      `INSERT INTO compute_resource_locations (compute_resource_id, location_id)
       SELECT $1, unnest($2::integer[]) ON CONFLICT DO NOTHING`,
      [id, wanted],
    );
    return true;
  }

  /** Those that somebody removes just now are none. */
  async addAllLocations(id: number): Promise<void> {
    await this.database.run(
      `INSERT INTO compute_resource_locations (compute_resource_id, location_id)
       SELECT $1, id FROM locations FOR KEY SHARE ON CONFLICT DO NOTHING`,
      [id],
    );
  }

  async remove(id: number): Promise<void> {
    await this.database.run('DELETE FROM compute_resources WHERE id = $1', [id]);
  }

  private lock(
    projectId: string,
    { locationId }: Within,
    column: 'c.id' | 'c.name',
    value: number | string,
    lock: string,
  ): Promise<ComputeResource | null> {
    return this.database.one<ComputeResource>(
      `SELECT ${COLUMNS} FROM ${FROM} WHERE c.project_id = $1 AND ${column} = $2
         AND ($3::integer IS NULL OR ${isInLocation('c.id', '$3')}) ${lock}`,
      [projectId, value, locationId],
    );
  }
}
