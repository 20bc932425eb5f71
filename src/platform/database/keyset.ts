/** One column (or expression that is never null) of a total order. The last one must be unique. */
export interface KeysetColumn {
  readonly sql: string;
  readonly direction: 'asc' | 'desc';
}

/** `ORDER BY` list of a total order. */
export function keysetOrder(columns: readonly KeysetColumn[]): string {
  return columns.map(({ sql, direction }) => `${sql} ${direction.toUpperCase()}`).join(', ');
}

/**
 * Condition for the rows that come behind the one with these values. With one direction throughout it is a row
 * comparison, which PostgreSQL turns into one index range; mixed directions expand, and keep a range on the first column.
 *
 * @param placeholders `$n` of the marker row's value for each column, in order
 */
export function keysetAfter(columns: readonly KeysetColumn[], placeholders: readonly string[]): string {
  const first = columns[0]!;
  if (columns.every(({ direction }) => direction === first.direction)) {
    const operator = first.direction === 'asc' ? '>' : '<';
    return `(${columns.map(({ sql }) => sql).join(', ')}) ${operator} (${placeholders.join(', ')})`;
  }
  const alternatives = columns.map(({ sql, direction }, index) => {
    const equal = columns.slice(0, index).map((before, at) => `${before.sql} = ${placeholders[at]}`);
    return [...equal, `${sql} ${direction === 'asc' ? '>' : '<'} ${placeholders[index]}`].join(' AND ');
  });
  const bound = `${first.sql} ${first.direction === 'asc' ? '>=' : '<='} ${placeholders[0]}`;
  return `${bound} AND (${alternatives.map((alternative) => `(${alternative})`).join(' OR ')})`;
}

/** Collects the values of a statement and hands out their placeholders. */
export class Bindings {
  readonly values: unknown[] = [];

  /** Adds a value and returns its `$n`. */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}
