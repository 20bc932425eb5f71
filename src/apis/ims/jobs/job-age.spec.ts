import { describe, expect, it } from '@jest/globals';
import { parseAge } from './job-age.js';

const HOUR = 3_600_000;

describe('the age of jobs', () => {
  it.each([
    ['30m', HOUR / 2],
    ['6h', 6 * HOUR],
    ['1d', 24 * HOUR],
    ['1w', 7 * 24 * HOUR],
    ['1d6h', 30 * HOUR],
    ['1w2d3h4m', (7 * 24 + 48 + 3) * HOUR + 4 * 60_000],
    ['2days', 48 * HOUR],
    ['1day 6hours', 30 * HOUR],
    ['0m', 0],
  ])('reads %s', (text, milliseconds) => {
    expect(parseAge(text)).toBe(milliseconds);
  });

  it.each(['', 'soon', '1', 'd', '1d6', '1x', '1d soon', '-1d', '1.5d', '1dh', '1month', '99999999d'])(
    'refuses %j',
    (text) => {
      expect(() => parseAge(text)).toThrow('query parameter age');
    },
  );
});
