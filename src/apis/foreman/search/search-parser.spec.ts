import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SearchNotSupportedError } from '../foreman.errors.js';
import { parseSearch, SEARCH_MAXIMUM_LENGTH } from './search-parser.js';
import type { SearchTree } from './search-tree.js';

/** A tree as one line, every group in parentheses. */
function shown(tree: SearchTree | null): string {
  if (!tree) return 'everything';
  switch (tree.kind) {
    case 'all':
      return `(${tree.of.map(shown).join(' and ')})`;
    case 'any':
      return `(${tree.of.map(shown).join(' or ')})`;
    case 'not':
      return `not ${shown(tree.of)}`;
    case 'word':
      return tree.text;
    case 'compare':
      return `${tree.field ?? '*'}${tree.operator}${tree.value}`;
    case 'in':
      return `${tree.field ?? '*'}${tree.negated ? '!' : ''}^[${tree.values.join(' ')}]`;
    case 'known':
      return `${tree.field} is${tree.negated ? ' not' : ''} known`;
  }
}

describe('parseSearch', () => {
  it.each([
    ['', 'everything'],
    ['   ', 'everything'],
    ['and', 'everything'],
    ['= ( , ) !', 'everything'],
    ['()', 'everything'],
    ['rocky', 'rocky'],
    ['rocky base', '(rocky and base)'],
    ['rocky, base', '(rocky and base)'],
    ['rocky and', 'rocky'],
    ['name =', 'name'],
    ['and rocky', 'rocky'],
    ['or rocky or', 'rocky'],
    ['a or or b', '(a or b)'],
    ['a or b', '(a or b)'],
    ['a and b or c', '(a and (b or c))'],
    ['a or b and c', '(a or (b and c))'],
    ['(a and b) or c', '((a and b) or c)'],
    ['a or b c or d', '((a or b) and (c or d))'],
    ['(a or b) (c or d)', '((a or b) and (c or d))'],
    ['(a', 'a'],
    ['((a or b', '(a or b)'],
    ['a)', 'a'],
    ['a ) b', '(a and b)'],
    ['a and () and b', '(a and b)'],
    ['not a', 'not a'],
    ['-a', 'not a'],
    ['! ! a', 'not not a'],
    ['not (a or b) c', '(not (a or b) and c)'],
    ['a not b', '(a and not b)'],
    ['not a = b', 'not a=b'],
    ['a = b', 'a=b'],
    ['name = a or name = b', '(name=a or name=b)'],
    ['= root', '*=root'],
    ['~ root or != x', '(*~root or *!=x)'],
    ['has name', 'name is known'],
    ['null? name and a', '(name is not known and a)'],
    ['name ^ (a, b)', 'name^[a b]'],
    ['name ^ (a b)', 'name^[a b]'],
    ['name ^ (a, b', 'name^[a b]'],
    ['name !^ a,b', 'name!^[a b]'],
    ['^ a', '*^[a]'],
    ['name ^ a, b = c', '(name^[a] and b=c)'],
    ['name ^ a, b c', '(name^[a b] and c)'],
    ['name ^ "a ,b", c', 'name^[a b c]'],
    ['name !^ ("a,,b" " ", "c d,")', 'name!^[a b c d]'],
    ['name ^ ""', 'name^[]'],
    ['name="rocky-base",operatingsystem="13"', '(name=rocky-base and operatingsystem=13)'],
    [',a,,b,', '(a and b)'],
    ['a, or b', '(a or b)'],
    ['name = "and"', 'name=and'],
  ])('reads %j', (text, tree) => {
    expect(shown(parseSearch(text))).toBe(tree);
  });

  it.each([
    ['name = and b', 'Value expected but found and'],
    ['name = = b', 'Value expected but found ='],
    ['name ^ () b', 'Value expected but found )'],
    ['has (a)', 'Value expected but found ('],
    ['has = a', 'Value expected but found ='],
    ['not and a', 'Value expected but found and'],
    ['not () a', 'No operand found'],
    ['id = -5', 'Value expected but found not'],
  ])('refuses %j', (text, message) => {
    expect(() => parseSearch(text)).toThrow(new SearchNotSupportedError(message));
  });

  it.each([
    ['too long', 'a'.repeat(SEARCH_MAXIMUM_LENGTH + 1)],
    ['too many parentheses', '('.repeat(200) + 'a'],
    ['too many negations', '!'.repeat(200) + 'a'],
    ['too many changes', 'a and b or '.repeat(150) + 'c'],
  ])('refuses %s', (_what, text) => {
    expect(() => parseSearch(text)).toThrow(SearchNotSupportedError);
  });

  it('reads chains as long as a search may be', () => {
    const tree = parseSearch(Array.from({ length: 800 }, () => 'a').join(' or '));

    expect(tree).toMatchObject({ kind: 'any', of: { length: 800 } });
  });

  it('reads or refuses whatever is written, and never fails', () => {
    const part = fc.constantFrom(
      ...['(', ')', ',', '=', '!=', '~', '!~', '^', '!^', '<', '>', '&', '|', '!', '-', '"', '\\', ' ', 'and', 'or'],
      ...['not', 'has', 'null?', 'before', 'name', 'id', '*', '%', 'x', '13'],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(part, { maxLength: 40 }).map((parts) => parts.join('')),
          fc.string(),
        ),
        (text) => {
          try {
            shown(parseSearch(text));
          } catch (error) {
            expect(error).toBeInstanceOf(SearchNotSupportedError);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
