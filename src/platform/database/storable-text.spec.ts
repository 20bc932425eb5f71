import { expect, it } from '@jest/globals';
import { isStorable, toStorable, toStorableJson } from './storable-text.js';

it.each([
  ['a zero character', 'a\0b'],
  ['the first half of a pair', 'a\ud800b'],
  ['the second half of a pair', '\udc00'],
  ['the halves in the wrong order', '\udc00\ud800'],
])('does not store %s, and writes something else for it', (_what, text) => {
  expect(isStorable(text)).toBe(false);
  const stored = text.replace(/[^ab]/g, '\ufffd');
  expect(toStorable(text)).toBe(stored);
  expect(toStorableJson({ text: [text] })).toBe(JSON.stringify({ text: [stored] }));
});

it.each(['', 'a', '😀', '\ufffd', '\n'])('stores %j as it is', (text) => {
  expect(isStorable(text)).toBe(true);
  expect(toStorable(text)).toBe(text);
  expect(JSON.parse(toStorableJson({ text }))).toEqual({ text });
});
