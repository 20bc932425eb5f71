import { describe, expect, it } from '@jest/globals';
import { type Token, tokenize } from './tokens.js';

/** Words in quotes, signs as they are. */
const shown = (token: Token): string =>
  typeof token === 'string' ? `'${token}'` : token.sign === 'compare' ? token.operator : token.sign;

describe('tokenize', () => {
  it.each([
    ['', ''],
    ['  \t\n ', ''],
    ['rocky-base', `'rocky-base'`],
    ['-rocky', `not 'rocky'`],
    ['!rocky', `not 'rocky'`],
    ['a!b', `'a!b'`],
    ['name!=x', `'name!' = 'x'`],
    ['name != x', `'name' != 'x'`],
    ['name=x', `'name' = 'x'`],
    ['name==x', `'name' = 'x'`],
    ['id<>1', `'id' != '1'`],
    ['id<1', `'id' < '1'`],
    ['id<=1', `'id' <= '1'`],
    ['id>1', `'id' > '1'`],
    ['id>=1', `'id' >= '1'`],
    ['name~x', `'name' ~ 'x'`],
    ['name !~ x', `'name' !~ 'x'`],
    ['name ^ (a, b)', `'name' ^ ( 'a' , 'b' )`],
    ['name !^ (a)', `'name' !^ ( 'a' )`],
    ['name^(a)', `'name^' ( 'a' )`],
    ['a & b && c', `'a' and 'b' and 'c'`],
    ['a|b||c', `'a' or 'b' or 'c'`],
    ['a AND b Or c NOT d', `'a' and 'b' or 'c' not 'd'`],
    ['has name', `has 'name'`],
    ['SET? name', `has 'name'`],
    ['null? name', `null 'name'`],
    ['id before 3', `'id' < '3'`],
    ['id after 3', `'id' > '3'`],
    ['id at 3', `'id' = '3'`],
    ['"and"', `'and'`],
    ['"a b"', `'a b'`],
    ['""', `''`],
    [String.raw`"a\"b\\c\n"`, String.raw`'a"b\cn'`],
    ['"open', `'open'`],
    ['"open\\', `'open'`],
    ['a"b c"', `'a"b' 'c"'`],
    ['constructor __proto__', `'constructor' '__proto__'`],
    ['name="rocky-base",operatingsystem="13"', `'name' = 'rocky-base' , 'operatingsystem' = '13'`],
  ])('takes %j apart', (text, tokens) => {
    expect(tokenize(text).map(shown).join(' ')).toBe(tokens);
  });
});
