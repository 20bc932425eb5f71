import { describe, expect, it } from '@jest/globals';
import { Bindings, keysetAfter, keysetOrder } from './keyset.js';

describe('keyset', () => {
  it('compares as one row while every direction is the same', () => {
    const columns = [
      { sql: 'name', direction: 'desc' as const },
      { sql: 'id', direction: 'desc' as const },
    ];

    expect(keysetAfter(columns, ['$1', '$2'])).toBe('(name, id) < ($1, $2)');
    expect(keysetOrder(columns)).toBe('name DESC, id DESC');
  });

  it('expands mixed directions and keeps a range on the first column', () => {
    const columns = [
      { sql: 'name', direction: 'asc' as const },
      { sql: 'id', direction: 'desc' as const },
    ];

    expect(keysetAfter(columns, ['$1', '$2'])).toBe('name >= $1 AND ((name > $1) OR (name = $1 AND id < $2))');
  });

  it('numbers placeholders in the order of the values', () => {
    const bindings = new Bindings();

    expect([bindings.add('a'), bindings.add('b')]).toEqual(['$1', '$2']);
    expect(bindings.values).toEqual(['a', 'b']);
  });
});
