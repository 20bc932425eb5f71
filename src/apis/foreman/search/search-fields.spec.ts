import { describe, expect, it } from '@jest/globals';
import { SearchNotSupportedError } from '../foreman.errors.js';
import { readSearch, type SearchFields } from './search-fields.js';

type Field = 'id' | 'name' | 'username' | 'user_data';
const FIELDS: SearchFields<Field> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
  username: { type: 'text', bare: true },
  user_data: { type: 'boolean' },
};
const read = (text: string) => readSearch(text, FIELDS);
const like = (field: Field, pieces: string[], negated = false) => ({ kind: 'like', field, pieces, negated });

describe('readSearch', () => {
  it('looks for words on their own in the fields that are meant for them', () => {
    expect(read('rocky')).toEqual({
      kind: 'any',
      of: [like('name', ['', 'rocky', '']), like('username', ['', 'rocky', ''])],
    });
    expect(read('= Rocky')).toEqual({
      kind: 'any',
      of: ['name', 'username'].map((field) => ({ kind: 'compare', field, operator: '=', value: 'Rocky' })),
    });
  });

  it('takes the name of what is true or false for true', () => {
    expect(read('user_data')).toEqual({ kind: 'compare', field: 'user_data', operator: '=', value: true });
  });

  it.each([
    ['rocky', ['', 'rocky', '']],
    ['rocky*', ['rocky', '']],
    ['*gpu', ['', 'gpu']],
    ['100%', ['100', '']],
    ['a*b%c', ['a', 'b', 'c']],
    ['a**b', ['a', 'b']],
    ['*', ['', '']],
    ['a_b', ['', 'a_b', '']],
  ])('makes a pattern of %s', (value, pieces) => {
    expect(read(`name ~ ${value}`)).toEqual(like('name', pieces));
    expect(read(`name !~ ${value}`)).toEqual(like('name', pieces, true));
  });

  it.each([
    ['id = 5', { operator: '=', value: 5n }],
    ['id != "5"', { operator: '<>', value: 5n }],
    ['id = "-5"', { operator: '=', value: -5n }],
    ['id > "+5"', { operator: '>', value: 5n }],
    ['id <= 99999999999999999999', { operator: '<=', value: 99999999999999999999n }],
  ])('reads the number of %s', (text, expected) => {
    expect(read(text)).toEqual({ kind: 'compare', field: 'id', ...expected });
  });

  it('trims what is in a list, and nothing else', () => {
    expect(read('name ^ (" a ", b)')).toEqual({ kind: 'in', field: 'name', values: ['a', 'b'], negated: false });
    expect(read('name = " a "')).toEqual({ kind: 'compare', field: 'name', operator: '=', value: ' a ' });
    expect(read('id !^ 1,2')).toEqual({ kind: 'in', field: 'id', values: [1n, 2n], negated: true });
    expect(read('id ^ "1, 4"')).toEqual({ kind: 'in', field: 'id', values: [1n, 4n], negated: false });
  });

  it.each([
    ['user_data = true', '=', true],
    ['user_data != false', '<>', false],
  ])('reads %s', (text, operator, value) => {
    expect(read(text)).toEqual({ kind: 'compare', field: 'user_data', operator, value });
  });

  it.each([
    ['bogus = 1', "Field 'bogus' not recognized for searching!"],
    ['Name = 1', "Field 'Name' not recognized for searching!"],
    ['constructor = 1', "Field 'constructor' not recognized for searching!"],
    ['has bogus', "Field 'bogus' not recognized for searching!"],
    ['id = abc', "Value 'abc' of field 'id' is not an integer"],
    ['id = 1.5', "Value '1.5' of field 'id' is not an integer"],
    ['id ^ (1, x)', "Value 'x' of field 'id' is not an integer"],
    ['id ~ 1', "Operator '~' cannot be used with field 'id'"],
    ['user_data = yes', "'user_data' should be one of 'true, false', but the query was 'yes'"],
    ['user_data = TRUE', "'user_data' should be one of 'true, false', but the query was 'TRUE'"],
    ['user_data > false', "Operator '>' cannot be used with field 'user_data'"],
    ['user_data ~ true', "Operator '~' cannot be used with field 'user_data'"],
    ['user_data ^ (true)', "Operator '^' cannot be used with field 'user_data'"],
  ])('refuses %s', (text, message) => {
    expect(() => read(text)).toThrow(new SearchNotSupportedError(message));
  });
});
