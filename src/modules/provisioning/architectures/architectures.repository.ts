import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { Mention } from '../image-mentions.repository.js';
import { MENTIONS_MAXIMUM } from '../image-mentions.repository.js';
import type { RowPage, RowQuery } from '../listing/condition.js';
import { RowLister } from '../listing/row-lister.js';
import type { RowKey } from '../row-key.js';
import type { Architecture, ArchitectureField } from '../provisioning.types.js';
import { spellingsOf } from './spellings.js';

const COLUMNS = 'id, name, created_at AS "createdAt", updated_at AS "updatedAt"';

/** Every statement on `architectures`. One that has no row of its own name is found by any other of its spellings. */
@Injectable()
export class ArchitecturesRepository {
  private readonly lister: RowLister<Architecture, ArchitectureField>;

  constructor(private readonly database: Database) {
    this.lister = new RowLister<Architecture, ArchitectureField>(database, {
      from: 'architectures a',
      columns: COLUMNS,
      id: 'a.id',
      fields: {
        id: { sql: 'a.id', type: 'integer' },
        name: {
          sql: 'a.name',
          type: 'text',
          meant: (name, bound, bindings) => {
            const spellings = bindings.add(spellingsOf(name));
            return `coalesce((SELECT name FROM architectures WHERE name = ANY (${spellings}::text[])
              ORDER BY name = ${bound} DESC LIMIT 1), ${bound})`;
          },
        },
      },
      usualOrder: 'name',
    });
  }

  page(query: RowQuery<ArchitectureField>): Promise<RowPage<Architecture>> {
    return this.lister.page(() => ['true'], query);
  }

  /** By its exact name, else by its number or another spelling. */
  find({ id, name }: RowKey): Promise<Architecture | null> {
    return this.database.one<Architecture>(
      `SELECT ${COLUMNS} FROM architectures WHERE name = ANY ($3::text[]) OR id = $2 ORDER BY name = $1 DESC LIMIT 1`,
      [name, id, spellingsOf(name)],
    );
  }

  findById(id: number): Promise<Architecture | null> {
    return this.database.one<Architecture>(`SELECT ${COLUMNS} FROM architectures WHERE id = $1`, [id]);
  }

  findForUpdate(id: number): Promise<Architecture | null> {
    return this.database.one<Architecture>(`SELECT ${COLUMNS} FROM architectures WHERE id = $1 FOR UPDATE`, [id]);
  }

  findByName(name: string): Promise<Architecture | null> {
    return this.find({ id: null, name });
  }

  /** Of these numbers, those that there are, locked against removal until the transaction ends. */
  async existing(ids: readonly number[]): Promise<number[]> {
    const rows = await this.database.query<{ id: number }>(
      'SELECT id FROM architectures WHERE id = ANY ($1::integer[]) FOR KEY SHARE',
      [ids],
    );
    return rows.map(({ id }) => id);
  }

  /** Operating systems that run on it, by title. */
  operatingSystems(id: number): Promise<Mention[]> {
    return this.database.query<Mention>(
      `SELECT o.id, o.title AS name FROM operating_system_architectures r
       JOIN operating_systems o ON o.id = r.operating_system_id
       WHERE r.architecture_id = $1 ORDER BY o.title LIMIT $2`,
      [id, MENTIONS_MAXIMUM],
    );
  }

  async insert(name: string): Promise<Architecture> {
    const row = await this.database.one<Architecture>(
      `INSERT INTO architectures (name) VALUES ($1) RETURNING ${COLUMNS}`,
      [name],
    );
    return row!;
  }

  async update(id: number, name: string): Promise<Architecture> {
    const row = await this.database.one<Architecture>(
      `UPDATE architectures SET name = $2, updated_at = now() WHERE id = $1 RETURNING ${COLUMNS}`,
      [id, name],
    );
    return row!;
  }

  async remove(id: number): Promise<boolean> {
    return (await this.database.run('DELETE FROM architectures WHERE id = $1', [id])) > 0;
  }
}
