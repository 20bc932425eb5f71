import type { Comparison, Condition, SearchValue } from '../../../modules/provisioning/index.js';
import { SearchNotSupportedError } from '../foreman.errors.js';
import { parseSearch } from './search-parser.js';
import type { SearchTree } from './search-tree.js';
import type { Operator } from './tokens.js';

/** A field that a resource can be searched by. */
export interface SearchField {
  readonly type: 'text' | 'integer' | 'boolean';
  /** Whether words on their own are looked for in it. */
  readonly bare?: true;
  /** One of many, so nothing is ordered by it. */
  readonly many?: true;
}

export type SearchFields<Field extends string> = Readonly<Record<Field, SearchField>>;

const COMPARISONS: Readonly<Partial<Record<Operator, Comparison>>> = {
  '=': '=',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};

/**
 * What a search means for a resource.
 * @returns null: everything
 * @throws SearchNotSupportedError
 */
export function readSearch<Field extends string>(text: string, fields: SearchFields<Field>): Condition<Field> | null {
  const tree = parseSearch(text);
  return tree && new SearchReader(fields).read(tree);
}

/** Whether a resource has the field; names are compared exactly. */
export function isField<Field extends string>(name: string, fields: SearchFields<Field>): name is Field {
  return Object.hasOwn(fields, name);
}

class SearchReader<Field extends string> {
  constructor(private readonly fields: SearchFields<Field>) {}

  read(tree: SearchTree): Condition<Field> {
    switch (tree.kind) {
      case 'all':
      case 'any':
        return { kind: tree.kind, of: tree.of.map((part) => this.read(part)) };
      case 'not':
        return { kind: 'not', of: this.read(tree.of) };
      case 'word':
        return this.word(tree.text);
      case 'known':
        return { kind: 'known', field: this.field(tree.field), negated: tree.negated };
      case 'compare':
        return this.inFields(tree.field, (field) => this.compare(field, tree.operator, tree.value));
      case 'in':
        return this.inFields(tree.field, (field) => ({
          kind: 'in',
          field,
          values: tree.values.map((value) => this.value(field, tree.negated ? '!^' : '^', value)),
          negated: tree.negated,
        }));
    }
  }

  /** The name of something that is true or false asks for what is true. */
  private word(text: string): Condition<Field> {
    if (isField(text, this.fields) && this.fields[text].type === 'boolean') {
      return { kind: 'compare', field: text, operator: '=', value: true };
    }
    return this.inFields(null, (field) => this.compare(field, '~', text));
  }

  private inFields(name: string | null, condition: (field: Field) => Condition<Field>): Condition<Field> {
    if (name !== null) return condition(this.field(name));
    const bare = (Object.keys(this.fields) as Field[]).filter((field) => this.fields[field].bare);
    return { kind: 'any', of: bare.map(condition) };
  }

  private compare(field: Field, operator: Operator, text: string): Condition<Field> {
    const comparison = COMPARISONS[operator];
    if (comparison) return { kind: 'compare', field, operator: comparison, value: this.value(field, operator, text) };
    if (this.fields[field].type !== 'text') throw unusable(field, operator);
    // A wildcard makes the value the whole pattern.
    const pieces = /[*%]/.test(text) ? text.split(/[*%]+/) : ['', text, ''];
    return { kind: 'like', field, pieces, negated: operator === '!~' };
  }

  private value(field: Field, operator: Operator, text: string): SearchValue {
    switch (this.fields[field].type) {
      case 'text':
        return text;
      case 'integer':
        if (!/^\s*[+-]?\d+\s*$/.test(text)) {
          throw new SearchNotSupportedError(`Value '${text.slice(0, 255)}' of field '${field}' is not an integer`);
        }
        return BigInt(text.trim().replace('+', ''));
      case 'boolean':
        if (operator !== '=' && operator !== '!=') throw unusable(field, operator);
        if (text !== 'true' && text !== 'false') {
          throw new SearchNotSupportedError(
            `'${field}' should be one of 'true, false', but the query was '${text.slice(0, 255)}'`,
          );
        }
        return text === 'true';
    }
  }

  private field(name: string): Field {
    if (!isField(name, this.fields)) {
      throw new SearchNotSupportedError(`Field '${name.slice(0, 255)}' not recognized for searching!`);
    }
    return name;
  }
}

function unusable(field: string, operator: Operator): SearchNotSupportedError {
  return new SearchNotSupportedError(`Operator '${operator}' cannot be used with field '${field}'`);
}
