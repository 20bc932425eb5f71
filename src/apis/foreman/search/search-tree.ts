import type { Operator } from './tokens.js';

/** A search as it was written; whether its fields exist is not asked yet. */
export type SearchTree =
  /** Every part holds, or any of them. */
  | { readonly kind: 'all' | 'any'; readonly of: readonly SearchTree[] }
  | { readonly kind: 'not'; readonly of: SearchTree }
  /** A word on its own. */
  | { readonly kind: 'word'; readonly text: string }
  /** Null: whichever fields words on their own are looked for in. */
  | {
      readonly kind: 'compare';
      readonly field: string | null;
      readonly operator: Exclude<Operator, '^' | '!^'>;
      readonly value: string;
    }
  | {
      readonly kind: 'in';
      readonly field: string | null;
      readonly values: readonly string[];
      readonly negated: boolean;
    }
  | { readonly kind: 'known'; readonly field: string; readonly negated: boolean };
