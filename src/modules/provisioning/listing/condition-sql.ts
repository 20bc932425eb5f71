import type { Bindings } from '../../../platform/database/keyset.js';
import type { Condition, SearchValue } from './condition.js';

/** A field of a noun in SQL. */
export interface SqlField {
  readonly sql: string;
  readonly type: 'text' | 'integer' | 'boolean';
  /** May be unknown. */
  readonly nullable?: boolean;
  /** One of many: puts a condition on `sql` around the rows that have it. Such a field orders nothing. */
  readonly through?: (condition: string) => string;
  /** Where a text may stand for another one: what is compared with when something is to be equal to it. */
  readonly meant?: (text: string, bound: string, bindings: Bindings) => string;
}

export type SqlFields<Field extends string> = Readonly<Record<Field, SqlField>>;

const INTEGER_MAXIMUM = 2n ** 31n - 1n;
const INTEGER_MINIMUM = -(2n ** 31n);

/** A condition as SQL, its values bound. */
export function conditionSql<Field extends string>(
  condition: Condition<Field>,
  fields: SqlFields<Field>,
  bindings: Bindings,
): string {
  const toSql = (each: Condition<Field>): string => conditionSql(each, fields, bindings);
  switch (condition.kind) {
    case 'all':
      return condition.of.length === 0 ? 'true' : `(${condition.of.map(toSql).join(' AND ')})`;
    case 'any':
      return condition.of.length === 0 ? 'false' : `(${condition.of.map(toSql).join(' OR ')})`;
    case 'not':
      return `(${toSql(condition.of)}) IS NOT TRUE`;
    case 'compare': {
      const field = fields[condition.field];
      const isEquation = condition.operator === '=' || condition.operator === '<>';
      const value = (isEquation ? bindMeant : bind)(condition.value, field, bindings);
      return within(field, `${field.sql} ${condition.operator} ${value}`);
    }
    case 'like': {
      const field = fields[condition.field];
      // Upper and lower case are matters of the database's language, which the order of names is not.
      const pattern = bindings.add(condition.pieces.map(escapeLike).join('%'));
      return within(field, `${field.sql} COLLATE "default" ${condition.negated ? 'NOT ILIKE' : 'ILIKE'} ${pattern}`);
    }
    case 'in': {
      const field = fields[condition.field];
      const values = condition.values.map((value) => bindMeant(value, field, bindings)).join(', ');
      if (values === '') return condition.negated ? within(field, `${field.sql} IS NOT NULL`) : 'false';
      return within(field, `${field.sql} ${condition.negated ? 'NOT IN' : 'IN'} (${values})`);
    }
    case 'known': {
      const field = fields[condition.field];
      const known = within(field, `${field.sql} IS NOT NULL`);
      return condition.negated ? `NOT (${known})` : known;
    }
  }
}

function within({ through }: SqlField, condition: string): string {
  return through ? through(condition) : condition;
}

/** A number that no column can hold is still smaller or greater than all of them. */
function bind(value: SearchValue, { type }: SqlField, bindings: Bindings): string {
  if (typeof value !== 'bigint') return `${bindings.add(value)}::${type}`;
  const fits = value >= INTEGER_MINIMUM && value <= INTEGER_MAXIMUM;
  return `${bindings.add(String(value))}::${fits ? 'integer' : 'numeric'}`;
}

function bindMeant(value: SearchValue, field: SqlField, bindings: Bindings): string {
  const bound = bind(value, field, bindings);
  return typeof value === 'string' && field.meant ? field.meant(value, bound, bindings) : bound;
}

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}
