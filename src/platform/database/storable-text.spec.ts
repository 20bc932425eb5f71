import { expect, it } from '@jest/globals';
import { isStorable, toStorableJson } from './storable-text.js';

it.each([
  ['a zero character', 'a\0b'],
  ['the first half of a pair', 'a\ud800b'],
  ['the second half of a pair', '\udc00'],
  ['the halves in the wrong order', '\udc00\ud800'],
])('does not store %s, and writes something else for it in JSON', (_what, text) => {
  expect(isStorable(text)).toBe(false);
  expect(toStorableJson({ text: [text] })).toBe(JSON.stringify({ text: [text.replace(/[^ab]/g, '\ufffd')] }));
});

it.each(['', 'a', '😀', '\ufffd', '\n'])('stores %j as it is', (text) => {
  expect(isStorable(text)).toBe(true);
  expect(JSON.parse(toStorableJson({ text }))).toEqual({ text });
});
