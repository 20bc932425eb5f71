import type { Database } from '../../../platform/database/database.js';
import { Bindings } from '../../../platform/database/keyset.js';
import type { RowPage, RowQuery } from './condition.js';
import { conditionSql, type SqlField, type SqlFields } from './condition-sql.js';

/** A noun that is listed. */
export interface ListedNoun<Field extends string> {
  /** What is counted and read: a table with its left joins. */
  readonly from: string;
  readonly columns: string;
  /** Orders nothing twice: added behind every order. */
  readonly id: string;
  readonly fields: SqlFields<Field>;
  readonly usualOrder: Field;
}

/** Adds values to the statement and returns the conditions of what is visible at all. */
export type Scope = (bindings: Bindings) => readonly string[];

/** Lists of one noun: searched, ordered and cut into numbered pages. */
export class RowLister<Row extends object, Field extends string> {
  constructor(
    private readonly database: Database,
    private readonly noun: ListedNoun<Field>,
  ) {}

  async page(scope: Scope, query: RowQuery<Field>): Promise<RowPage<Row>> {
    const { total, subtotal } = await this.count(scope, query);
    const rows = query.offset >= subtotal || query.limit === 0 ? [] : await this.rows(scope, query);
    return { total, subtotal, rows };
  }

  private async count(scope: Scope, { search }: RowQuery<Field>): Promise<{ total: number; subtotal: number }> {
    const bindings = new Bindings();
    const conditions = scope(bindings);
    const found = search ? `count(*) FILTER (WHERE ${this.sqlOf(search, bindings)})` : 'count(*)';
    const row = await this.database.one<{ total: number; subtotal: number }>(
      `SELECT count(*) AS total, ${found} AS subtotal FROM ${this.noun.from} WHERE ${conditions.join(' AND ')}`,
      bindings.values,
    );
    return row!;
  }

  private rows(scope: Scope, { search, order, limit, offset }: RowQuery<Field>): Promise<Row[]> {
    const { from, columns, id, fields, usualOrder } = this.noun;
    const bindings = new Bindings();
    const conditions = [...scope(bindings), ...(search ? [this.sqlOf(search, bindings)] : [])];
    const first = orderSql(fields[order?.field ?? usualOrder], order?.direction ?? 'asc');
    return this.database.query<Row>(
      `SELECT ${columns} FROM ${from} WHERE ${conditions.join(' AND ')}
       ORDER BY ${first}, ${id} LIMIT ${bindings.add(limit)} OFFSET ${bindings.add(offset)}`,
      bindings.values,
    );
  }

  private sqlOf(search: NonNullable<RowQuery<Field>['search']>, bindings: Bindings): string {
    return conditionSql(search, this.noun.fields, bindings);
  }
}

/** What is unknown comes before everything that is known. */
function orderSql({ sql, nullable }: SqlField, direction: 'asc' | 'desc'): string {
  const ordered = `${sql} ${direction.toUpperCase()}`;
  return nullable ? `${ordered} NULLS ${direction === 'asc' ? 'FIRST' : 'LAST'}` : ordered;
}
