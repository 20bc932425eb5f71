import type { SortTerm } from '../../../common/paging.js';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import type { Database } from '../../../platform/database/database.js';
import { Bindings, keysetAfter, keysetOrder } from '../../../platform/database/keyset.js';
import { PARTS_MAX } from '../metadefs.types.js';

/** A table of named parts of namespaces. */
export interface PartsTable<Attributes> {
  readonly table: string;
  /** The columns of what an author writes, and what stands in them. */
  readonly columns: Readonly<Record<keyof Attributes & string, string>>;
  /** What the database takes for an attribute; absent: the attribute as it is. */
  readonly write?: (attributes: Attributes) => Readonly<Record<keyof Attributes & string, unknown>>;
}

/** How the parts of a namespace may be ordered beside by their names. */
export type PartSortKey = 'createdAt' | 'updatedAt' | 'name';

type Row<Attributes> = Attributes & { readonly id: number; readonly createdAt: Date; readonly updatedAt: Date };

const SORT_COLUMNS = { createdAt: 'created_at', updatedAt: 'updated_at', name: 'name' } as const;

/** Every statement on one table of parts. What changes a part has locked its namespace. */
export class PartsRepository<Attributes extends { readonly name: string }> {
  private readonly select: string;
  private readonly written: readonly (keyof Attributes & string)[];

  constructor(
    private readonly database: Database,
    private readonly described: PartsTable<Attributes>,
  ) {
    this.written = Object.keys(described.columns) as (keyof Attributes & string)[];
    this.select = [
      'id',
      ...this.written.map((attribute) => `${described.columns[attribute]} AS "${attribute}"`),
      'created_at AS "createdAt"',
      'updated_at AS "updatedAt"',
    ].join(', ');
  }

  /** All of a namespace's, in the order in which they were made. */
  list(namespaceId: number): Promise<Row<Attributes>[]> {
    return this.database.query<Row<Attributes>>(
      `SELECT ${this.select} FROM ${this.described.table} WHERE namespace_id = $1 ORDER BY id LIMIT ${PARTS_MAX}`,
      [namespaceId],
    );
  }

  /** At most `limit` behind `after`, or from the start. */
  page(
    namespaceId: number,
    { key, direction }: SortTerm<PartSortKey>,
    limit: number,
    after: Row<Attributes> | null,
  ): Promise<Row<Attributes>[]> {
    const bindings = new Bindings();
    const keys = [...new Set<PartSortKey>([key, 'createdAt'])];
    const order = [...keys.map((each) => SORT_COLUMNS[each]), 'id'].map((sql) => ({ sql, direction }));
    const where = [`namespace_id = ${bindings.add(namespaceId)}`];
    if (after) {
      const last = [...keys.map((each) => after[each]), after.id];
      where.push(
        keysetAfter(
          order,
          last.map((value) => bindings.add(value)),
        ),
      );
    }
    return this.database.query<Row<Attributes>>(
      `SELECT ${this.select} FROM ${this.described.table} WHERE ${where.join(' AND ')}
       ORDER BY ${keysetOrder(order)} LIMIT ${bindings.add(limit)}`,
      bindings.values,
    );
  }

  find(namespaceId: number, name: string): Promise<Row<Attributes> | null> {
    return this.database.one<Row<Attributes>>(
      `SELECT ${this.select} FROM ${this.described.table} WHERE namespace_id = $1 AND name = $2`,
      [namespaceId, name],
    );
  }

  /** Null when one of that name is there already; the transaction is lost then. */
  async insert(namespaceId: number, attributes: Attributes): Promise<Row<Attributes> | null> {
    const columns = this.written.map((attribute) => this.described.columns[attribute]);
    const placeholders = columns.map((_, index) => `$${index + 2}`);
    return this.unlessTaken(() =>
      this.database.one<Row<Attributes>>(
        `INSERT INTO ${this.described.table} (namespace_id, ${columns.join(', ')})
         VALUES ($1, ${placeholders.join(', ')}) RETURNING ${this.select}`,
        [namespaceId, ...this.values(attributes)],
      ),
    );
  }

  /** Null when its new name is another one's; the transaction is lost then. */
  async replace(id: number, attributes: Attributes): Promise<Row<Attributes> | null> {
    const assignments = this.written.map((attribute, index) => `${this.described.columns[attribute]} = $${index + 2}`);
    return this.unlessTaken(() =>
      this.database.one<Row<Attributes>>(
        `UPDATE ${this.described.table} SET ${assignments.join(', ')}, updated_at = now()
         WHERE id = $1 RETURNING ${this.select}`,
        [id, ...this.values(attributes)],
      ),
    );
  }

  /** Whether it was there. */
  async remove(namespaceId: number, name: string): Promise<boolean> {
    const removed = await this.database.run(
      `DELETE FROM ${this.described.table} WHERE namespace_id = $1 AND name = $2`,
      [namespaceId, name],
    );
    return removed > 0;
  }

  async removeAll(namespaceId: number): Promise<void> {
    await this.database.run(`DELETE FROM ${this.described.table} WHERE namespace_id = $1`, [namespaceId]);
  }

  async count(namespaceId: number): Promise<number> {
    const row = await this.database.one<{ count: number }>(
      `SELECT count(*) AS count FROM ${this.described.table} WHERE namespace_id = $1`,
      [namespaceId],
    );
    return row!.count;
  }

  private values(attributes: Attributes): unknown[] {
    const written = this.described.write?.(attributes) ?? attributes;
    return this.written.map((attribute) => written[attribute]);
  }

  private async unlessTaken<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (isUniqueViolation(error, `${this.described.table}_name`)) return null;
      throw error;
    }
  }
}
