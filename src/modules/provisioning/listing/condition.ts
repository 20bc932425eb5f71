/** What a search asks of rows; fields are those of one noun. No text of it ever becomes SQL: values are bound. */
export type Condition<Field extends string> =
  /** `all` of nothing is everything, `any` of nothing is nothing. */
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition<Field>[] }
  /** Rows of which it is not true, also where nothing is known. */
  | { readonly kind: 'not'; readonly of: Condition<Field> }
  | {
      readonly kind: 'compare';
      readonly field: Field;
      readonly operator: Comparison;
      readonly value: SearchValue;
    }
  /** The pieces in this order, in any case, with anything in between: `['', 'a', '']` contains an a, `['a', '']` begins with it. */
  | { readonly kind: 'like'; readonly field: Field; readonly pieces: readonly string[]; readonly negated: boolean }
  | { readonly kind: 'in'; readonly field: Field; readonly values: readonly SearchValue[]; readonly negated: boolean }
  | { readonly kind: 'known'; readonly field: Field; readonly negated: boolean };

export type Comparison = '=' | '<>' | '<' | '<=' | '>' | '>=';

/** A number may have any length. */
export type SearchValue = string | bigint | boolean;

/** Which rows are wanted, and in which order. */
export interface RowQuery<Field extends string> {
  /** Null: all of them. */
  readonly search: Condition<Field> | null;
  /** Null: as the noun is usually listed. */
  readonly order: { readonly field: Field; readonly direction: 'asc' | 'desc' } | null;
  readonly limit: number;
  readonly offset: number;
}

/** A page of rows, with how many there are. */
export interface RowPage<Row> {
  /** Visible ones, whatever is searched for. */
  readonly total: number;
  /** Of these, those that are searched for. */
  readonly subtotal: number;
  readonly rows: readonly Row[];
}
