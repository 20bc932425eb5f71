import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { RowLister } from '../listing/row-lister.js';
import type { Location, LocationField } from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';

const COLUMNS = 'id, name, description, created_at AS "createdAt", updated_at AS "updatedAt"';

/** Every statement on `locations`. */
@Injectable()
export class LocationsRepository {
  private readonly lister: RowLister<Location, LocationField>;

  constructor(private readonly database: Database) {
    this.lister = new RowLister<Location, LocationField>(database, {
      from: 'locations l',
      columns: COLUMNS,
      id: 'l.id',
      fields: {
        id: { sql: 'l.id', type: 'integer' },
        name: { sql: 'l.name', type: 'text' },
        title: { sql: 'l.name', type: 'text' },
      },
      usualOrder: 'name',
    });
  }

  page(query: RowQuery<LocationField>): Promise<RowPage<Location>> {
    return this.lister.page(() => ['true'], query);
  }

  /** By its exact name, else by its number. */
  find({ id, name }: RowKey): Promise<Location | null> {
    return this.database.one<Location>(
      `SELECT ${COLUMNS} FROM locations WHERE name = $1 OR id = $2 ORDER BY name = $1 DESC LIMIT 1`,
      [name, id],
    );
  }

  findForUpdate(id: number): Promise<Location | null> {
    return this.database.one<Location>(`SELECT ${COLUMNS} FROM locations WHERE id = $1 FOR UPDATE`, [id]);
  }

  async any(): Promise<boolean> {
    return (await this.database.one('SELECT 1 FROM locations LIMIT 1')) !== null;
  }

  async insert(name: string, description: string | null): Promise<Location> {
    const row = await this.database.one<Location>(
      `INSERT INTO locations (name, description) VALUES ($1, $2) RETURNING ${COLUMNS}`,
      [name, description],
    );
    return row!;
  }

  async update(id: number, name: string, description: string | null): Promise<Location> {
    const row = await this.database.one<Location>(
      `UPDATE locations SET name = $2, description = $3, updated_at = now() WHERE id = $1 RETURNING ${COLUMNS}`,
      [id, name, description],
    );
    return row!;
  }

  /** Compute resources leave it. */
  async remove(id: number): Promise<void> {
    await this.database.run('DELETE FROM locations WHERE id = $1', [id]);
  }

  /** Until the transaction ends, what stands in it gets no images and changes no locations. */
  async lockComputeResources(id: number): Promise<void> {
    await this.database.run(
      `SELECT FROM compute_resources WHERE id IN (SELECT compute_resource_id FROM compute_resource_locations WHERE location_id = $1)
       ORDER BY id FOR UPDATE`,
      [id],
    );
  }

  /** Names of a few images that are in no other location. */
  async soleImages(id: number): Promise<string[]> {
    const rows = await this.database.query<{ name: string }>(
      `SELECT p.name FROM compute_resource_locations r JOIN provisioning_images p ON p.compute_resource_id = r.compute_resource_id
       WHERE r.location_id = $1 AND NOT EXISTS (SELECT 1 FROM compute_resource_locations other
         WHERE other.compute_resource_id = r.compute_resource_id AND other.location_id <> $1)
       ORDER BY p.id LIMIT 5`,
      [id],
    );
    return rows.map(({ name }) => name);
  }
}
