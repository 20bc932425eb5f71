import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { type Conditions, KeysetReader, timeConditions } from '../../platform/database/keyset-reader.js';
import type { Key } from './key.entity.js';
import type { KeyQuery, KeySortKey } from './keys.types.js';

const COLUMNS = `id, project_id AS "projectId", name, public_key AS "publicKey", created_at AS "createdAt",
  deleted_at AS "deletedAt"`;

/** Every statement on `keys`. */
@Injectable()
export class KeysRepository {
  private readonly reader: KeysetReader<Key, KeySortKey>;

  constructor(private readonly database: Database) {
    this.reader = new KeysetReader(database, {
      table: 'keys',
      columns: COLUMNS,
      sort: {
        created: { sql: 'created_at', value: (key) => key.createdAt },
        id: { sql: 'id', value: (key) => key.id },
        name: { sql: 'name', value: (key) => key.name },
        deleted: { sql: 'deleted_at', value: (key) => key.deletedAt },
      },
    });
  }

  async insert(key: Pick<Key, 'id' | 'projectId' | 'name' | 'publicKey'>): Promise<Key> {
    const inserted = await this.database.one<Key>(
      `INSERT INTO keys (id, project_id, name, public_key) VALUES ($1, $2, $3, $4) RETURNING ${COLUMNS}`,
      [key.id, key.projectId, key.name, key.publicKey],
      'keys-insert',
    );
    return inserted!;
  }

  find(id: string): Promise<Key | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM keys WHERE id = $1 AND deleted_at IS NULL`, [id], 'keys-find');
  }

  findDeleted(id: string): Promise<Key | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM keys WHERE id = $1 AND deleted_at IS NOT NULL`, [id]);
  }

  findEvenDeleted(id: string): Promise<Key | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM keys WHERE id = $1`, [id], 'keys-find-even-deleted');
  }

  /** Whether it was there. */
  async markDeleted(id: string): Promise<boolean> {
    const changed = await this.database.run(
      'UPDATE keys SET deleted_at = now() WHERE id = $1 AND deleted_at IS NULL',
      [id],
      'keys-delete',
    );
    return changed > 0;
  }

  /** Null when it was not deleted. */
  restore(id: string): Promise<Key | null> {
    return this.database.one(
      `UPDATE keys SET deleted_at = NULL WHERE id = $1 AND deleted_at IS NOT NULL RETURNING ${COLUMNS}`,
      [id],
    );
  }

  /** Deleted ones whose time is up, oldest first. */
  async findExpired(retentionMs: number, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM keys WHERE deleted_at IS NOT NULL AND deleted_at <= now() - $1 * interval '1 millisecond'
       ORDER BY deleted_at LIMIT $2`,
      [retentionMs, limit],
    );
    return rows.map((row) => row.id);
  }

  /** Removes a deleted key for good, and remembers its id; null if it is not deleted. */
  async purge(id: string): Promise<Key | null> {
    const purged = await this.database.one<Key>(
      `DELETE FROM keys WHERE id = $1 AND deleted_at IS NOT NULL RETURNING ${COLUMNS}`,
      [id],
    );
    if (purged) {
      await this.database.run(`INSERT INTO tombstones (id, noun, project_id) VALUES ($1, 'key', $2)`, [
        id,
        purged.projectId,
      ]);
    }
    return purged;
  }

  stream(query: KeyQuery, after: Key | null, wanted?: number): AsyncGenerator<Key> {
    return this.reader.stream(conditions(query), query.sort, after, wanted);
  }
}

function conditions({ projectId, deleted = false, filter }: KeyQuery): Conditions {
  return (bindings) => [
    deleted ? 'deleted_at IS NOT NULL' : 'deleted_at IS NULL',
    ...(projectId === null ? [] : [`project_id = ${bindings.add(projectId)}`]),
    ...(filter.names ? [`name = ANY (${bindings.add(filter.names)}::text[])`] : []),
    ...timeConditions('created_at', filter.created ?? [], bindings),
    ...timeConditions('deleted_at', filter.deletedAt ?? [], bindings),
  ];
}
