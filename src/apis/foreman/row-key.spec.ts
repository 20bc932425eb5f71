import { describe, expect, it } from '@jest/globals';
import { readRowKey } from './row-key.js';

describe('the key of a row', () => {
  it.each([
    ['11', { id: 11, name: '11' }],
    ['11-debian', { id: 11, name: '11-debian' }],
    ['debian', { id: null, name: 'debian' }],
    [`${2 ** 31}`, { id: null, name: `${2 ** 31}` }],
    // What the database could not look for is no row's name.
    ['a\0b', { id: null, name: '' }],
  ])('%j', (text, key) => {
    expect(readRowKey(text)).toEqual(key);
  });
});
