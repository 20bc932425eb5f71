import { SearchNotSupportedError } from '../foreman.errors.js';
import type { SearchTree } from './search-tree.js';
import { type Operator, type Sign, type Token, tokenize } from './tokens.js';

/** Longer than what any person or program asks for. */
export const SEARCH_MAXIMUM_LENGTH = 4_096;
/** Parentheses, negations and changes between "and" and "or" inside of each other. */
const DEEPEST = 100;

/**
 * Reads a search.
 *
 * "and" and "or" have no precedence: each takes everything behind it as its right side. What stands side by side, or with a
 * comma in between, is joined by "and". Signs at the end mean nothing, nor does a parenthesis that nobody opened.
 *
 * @returns null: everything
 * @throws SearchNotSupportedError
 * @see scoped_search, query language parser
 */
export function parseSearch(text: string): SearchTree | null {
  if (text.length > SEARCH_MAXIMUM_LENGTH) {
    throw new SearchNotSupportedError(`A search may have at most ${SEARCH_MAXIMUM_LENGTH} characters`);
  }
  const tokens = tokenize(text);
  while (tokens.length > 0 && typeof tokens.at(-1) !== 'string') tokens.pop();
  return new SearchParser(tokens).parse();
}

class SearchParser {
  private at = 0;
  private depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  parse(): SearchTree | null {
    const parts: SearchTree[] = [];
    while (this.at < this.tokens.length) {
      if (this.skip(')')) continue;
      const part = this.expression();
      if (part) parts.push(part);
    }
    return joined('all', parts);
  }

  /** Null: nothing was there, such as between two parentheses. */
  private expression(): SearchTree | null {
    const chain: { readonly operand: SearchTree; readonly operator: 'all' | 'any' | null }[] = [];
    let operator: 'all' | 'any' | null;
    do {
      while (this.skip('and') || this.skip('or') || this.skip(','));
      const operand = this.ended ? null : this.operand();
      operator = this.skip('and') ? 'all' : this.skip('or') ? 'any' : null;
      if (operand) chain.push({ operand, operator });
    } while (operator !== null && !this.ended);
    let right = chain.pop()?.operand ?? null;
    let changes = 0;
    for (const left of chain.reverse()) {
      if (right!.kind !== left.operator && (changes += 1) > DEEPEST) throw tooDeep();
      right = joined(left.operator!, [left.operand, right!]);
    }
    return right;
  }

  private operand(): SearchTree | null {
    if (this.skip('(')) return this.deeper(() => this.group());
    if (this.skip('not')) return this.negation();
    if (this.skip('has')) return { kind: 'known', field: this.word(), negated: false };
    if (this.skip('null')) return { kind: 'known', field: this.word(), negated: true };
    return this.comparison();
  }

  private group(): SearchTree | null {
    const parts: SearchTree[] = [];
    while (!this.ended) {
      const part = this.expression();
      if (part) parts.push(part);
    }
    this.skip(')');
    return joined('all', parts);
  }

  private negation(): SearchTree {
    const negated = this.deeper(() =>
      this.skip('not') ? this.negation() : this.skip('(') ? this.group() : this.comparison(),
    );
    if (!negated) throw new SearchNotSupportedError('No operand found');
    return { kind: 'not', of: negated };
  }

  private comparison(): SearchTree | null {
    while (this.skip(','));
    if (this.ended) return null;
    const field = typeof this.tokens[this.at] === 'string' ? this.word() : null;
    const operator = this.operator();
    if (operator === null && field === null) throw this.unexpected('Value');
    const found: SearchTree = operator === null ? { kind: 'word', text: field! } : this.compared(field, operator);
    this.skip(',');
    return found;
  }

  private compared(field: string | null, operator: Operator): SearchTree {
    if (operator === '^' || operator === '!^') {
      return { kind: 'in', field, values: this.list().flatMap(itemsOf), negated: operator === '!^' };
    }
    return { kind: 'compare', field, operator, value: this.word() };
  }

  /** In parentheses, or words with commas in between up to one that is the field of another comparison. */
  private list(): string[] {
    if (this.skip('(')) {
      const values: string[] = [];
      while (!this.ended) {
        values.push(this.word());
        this.skip(',');
      }
      if (values.length === 0) throw this.unexpected('Value');
      this.skip(')');
      return values;
    }
    const values = [this.word()];
    while (isSign(this.tokens[this.at], ',') && typeof this.tokens[this.at + 1] === 'string') {
      if (isSign(this.tokens[this.at + 2], 'compare')) break;
      this.at += 1;
      values.push(this.word());
    }
    return values;
  }

  private word(): string {
    const token = this.tokens[this.at];
    if (typeof token !== 'string') throw this.unexpected('Value');
    this.at += 1;
    return token;
  }

  private operator(): Operator | null {
    const token = this.tokens[this.at];
    if (typeof token !== 'object' || token.sign !== 'compare') return null;
    this.at += 1;
    return token.operator;
  }

  /** Whether the expressions end here. */
  private get ended(): boolean {
    return this.at >= this.tokens.length || isSign(this.tokens[this.at], ')');
  }

  private skip(sign: Sign['sign']): boolean {
    const found = isSign(this.tokens[this.at], sign);
    if (found) this.at += 1;
    return found;
  }

  private deeper<T>(work: () => T): T {
    this.depth += 1;
    if (this.depth > DEEPEST) throw tooDeep();
    const found = work();
    this.depth -= 1;
    return found;
  }

  private unexpected(what: string): SearchNotSupportedError {
    const token = this.tokens[this.at];
    const found = token === undefined ? 'nothing' : typeof token === 'string' ? token : nameOf(token);
    return new SearchNotSupportedError(`${what} expected but found ${found}`);
  }
}

/** A comma separates inside of quotes as well, and an item that is blank is none. */
function itemsOf(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function isSign(token: Token | undefined, sign: Sign['sign']): boolean {
  return typeof token === 'object' && token.sign === sign;
}

function nameOf(sign: Sign): string {
  return sign.sign === 'compare' ? sign.operator : sign.sign;
}

/** Chains of one operator are one level deep. */
function joined(kind: 'all' | 'any', parts: readonly SearchTree[]): SearchTree | null {
  if (parts.length <= 1) return parts[0] ?? null;
  return { kind, of: parts.flatMap((part) => (part.kind === kind ? part.of : [part])) };
}

function tooDeep(): SearchNotSupportedError {
  return new SearchNotSupportedError(`A search may nest ${DEEPEST} levels deep at most`);
}
