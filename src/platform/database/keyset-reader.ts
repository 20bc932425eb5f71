import type { SortTerm } from '../../common/paging.js';
import type { TimeCondition } from '../../common/time-condition.js';
import type { Database } from './database.js';
import { Bindings, keysetAfter, keysetOrder } from './keyset.js';

/** How rows can be sorted by one key; the expression is never null. */
export interface SortColumn<Row> {
  readonly sql: string;
  readonly value: (row: Row) => unknown;
}

/** A table that is listed; the keys `created` and `id` make every order total. */
export interface ListedTable<Row, Key extends string> {
  readonly table: string;
  readonly columns: string;
  readonly sort: Readonly<Record<Key | 'created' | 'id', SortColumn<Row>>>;
}

/** Adds values to the statement and returns its conditions. */
export type Conditions = (bindings: Bindings) => string[];

/** Most rows that a stream takes from the database at a time. How large one is is limited where it is written. */
const CHUNK = 100;

const OPERATORS: Readonly<Record<TimeCondition['operator'], string>> = {
  eq: '=',
  neq: '<>',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
};

/** SQL of conditions on a column of times. */
export function timeConditions(column: string, conditions: readonly TimeCondition[], bindings: Bindings): string[] {
  return conditions.map(({ operator, time }) => `${column} ${OPERATORS[operator]} ${bindings.add(time)}`);
}

/** Reads a table in a total order, in pages that start behind a row, however many rows come and go in between. */
export class KeysetReader<Row, Key extends string> {
  constructor(
    private readonly database: Database,
    private readonly listed: ListedTable<Row, Key>,
  ) {}

  /** At most `limit` rows behind `after`, or from the start. */
  page(conditions: Conditions, sort: readonly SortTerm<Key>[], limit: number, after: Row | null): Promise<Row[]> {
    const { table, columns } = this.listed;
    const order = this.totalOrder(sort);
    const bindings = new Bindings();
    const where = conditions(bindings);
    if (after !== null) {
      const placeholders = order.map((column) => bindings.add(column.value(after)));
      where.push(keysetAfter(order, placeholders));
    }
    return this.database.query<Row & object>(
      `SELECT ${columns} FROM ${table} WHERE ${where.join(' AND ')} ORDER BY ${keysetOrder(order)} LIMIT ${bindings.add(limit)}`,
      bindings.values,
    );
  }

  /**
   * Every row behind `after`, or from the start; a bounded number of them is in memory.
   * @param wanted how many will probably be taken
   */
  async *stream(
    conditions: Conditions,
    sort: readonly SortTerm<Key>[],
    after: Row | null,
    wanted = CHUNK,
  ): AsyncGenerator<Row> {
    const chunk = Math.min(wanted, CHUNK);
    for (let last = after; ;) {
      const rows = await this.page(conditions, sort, chunk, last);
      yield* rows;
      if (rows.length < chunk) return;
      last = rows.at(-1)!;
    }
  }

  private totalOrder(sort: readonly SortTerm<Key>[]) {
    const direction = sort.at(-1)?.direction ?? 'asc';
    const terms: SortTerm<Key | 'created' | 'id'>[] = [
      ...sort,
      { key: 'created', direction },
      { key: 'id', direction },
    ];
    const firstId = terms.findIndex((term) => term.key === 'id');
    // Behind an id nothing is left to order, and a key that comes again orders nothing.
    return terms
      .slice(0, firstId + 1)
      .filter((term, index) => terms.findIndex((other) => other.key === term.key) === index)
      .map((term) => ({ ...this.listed.sort[term.key], direction: term.direction }));
  }
}
