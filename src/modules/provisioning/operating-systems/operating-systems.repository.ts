import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { type Mention, MENTIONS_MAXIMUM } from '../image-mentions.repository.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { RowLister } from '../listing/row-lister.js';
import type { CreateOperatingSystem, OperatingSystem, OperatingSystemField } from '../provisioning.types.js';
import type { RowKey } from '../row-key.js';

const COLUMNS = `id, name, major, minor, description, title, family, release_name AS "releaseName",
  password_hash AS "passwordHash", created_at AS "createdAt", updated_at AS "updatedAt"`;

type Values = Omit<CreateOperatingSystem, 'architectureIds'>;

/** Every statement on `operating_systems`. */
@Injectable()
export class OperatingSystemsRepository {
  private readonly lister: RowLister<OperatingSystem, OperatingSystemField>;

  constructor(private readonly database: Database) {
    this.lister = new RowLister<OperatingSystem, OperatingSystemField>(database, {
      from: 'operating_systems o',
      columns: COLUMNS,
      id: 'o.id',
      fields: {
        id: { sql: 'o.id', type: 'integer' },
        name: { sql: 'o.name', type: 'text' },
        title: { sql: 'o.title', type: 'text' },
        major: { sql: 'o.major', type: 'text' },
        minor: { sql: 'o.minor', type: 'text' },
        family: { sql: 'o.family', type: 'text', nullable: true },
      },
      usualOrder: 'title',
    });
  }

  page(query: RowQuery<OperatingSystemField>): Promise<RowPage<OperatingSystem>> {
    return this.lister.page(() => ['true'], query);
  }

  /** By its exact title, else by its number. */
  find({ id, name }: RowKey): Promise<OperatingSystem | null> {
    return this.database.one<OperatingSystem>(
      `SELECT ${COLUMNS} FROM operating_systems WHERE title = $1 OR id = $2 ORDER BY title = $1 DESC LIMIT 1`,
      [name, id],
    );
  }

  findById(id: number): Promise<OperatingSystem | null> {
    return this.database.one<OperatingSystem>(`SELECT ${COLUMNS} FROM operating_systems WHERE id = $1`, [id]);
  }

  findByTitle(title: string): Promise<OperatingSystem | null> {
    return this.database.one<OperatingSystem>(`SELECT ${COLUMNS} FROM operating_systems WHERE title = $1`, [title]);
  }

  findForUpdate(id: number): Promise<OperatingSystem | null> {
    return this.database.one<OperatingSystem>(`SELECT ${COLUMNS} FROM operating_systems WHERE id = $1 FOR UPDATE`, [
      id,
    ]);
  }

  /** Architectures that it runs on, by name. */
  architectures(id: number): Promise<Mention[]> {
    return this.database.query<Mention>(
      `SELECT a.id, a.name FROM operating_system_architectures r JOIN architectures a ON a.id = r.architecture_id
       WHERE r.operating_system_id = $1 ORDER BY a.name LIMIT $2`,
      [id, MENTIONS_MAXIMUM],
    );
  }

  async setArchitectures(id: number, architectureIds: readonly number[]): Promise<void> {
    await this.database.run(
      `DELETE FROM operating_system_architectures WHERE operating_system_id = $1 AND architecture_id <> ALL ($2::integer[])`,
      [id, architectureIds],
    );
    await this.database.run(
      `INSERT INTO operating_system_architectures (operating_system_id, architecture_id)
       SELECT $1, unnest($2::integer[]) ON CONFLICT DO NOTHING`,
      [id, architectureIds],
    );
  }

  async insert(values: Values): Promise<OperatingSystem> {
    const row = await this.database.one<OperatingSystem>(
      `INSERT INTO operating_systems (name, major, minor, description, family, release_name, password_hash)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
      columnsOf(values),
    );
    return row!;
  }

  async update(id: number, values: Values): Promise<OperatingSystem> {
    const row = await this.database.one<OperatingSystem>(
      `UPDATE operating_systems SET name = $1, major = $2, minor = $3, description = $4, family = $5, release_name = $6,
         password_hash = $7, updated_at = now()
       WHERE id = $8 RETURNING ${COLUMNS}`,
      [...columnsOf(values), id],
    );
    return row!;
  }

  async remove(id: number): Promise<boolean> {
    return (await this.database.run('DELETE FROM operating_systems WHERE id = $1', [id])) > 0;
  }
}

function columnsOf({ name, major, minor, description, family, releaseName, passwordHash }: Values): unknown[] {
  return [name, major, minor, description, family, releaseName, passwordHash];
}
