import { describe, expect, it } from '@jest/globals';
import { readCascade } from './cascade.js';

describe('readCascade', () => {
  it('is true unless something else is said', () => {
    for (const yes of [undefined, 'true', 'TRUE', 'yes', 'T', '1', ['false', 'Yes']])
      expect(readCascade(yes)).toBe(true);
    for (const no of ['', 'false', 'no', '0', 'y', 'on', 'truely', ' true', ['true', 'no'], {}]) {
      expect(readCascade(no)).toBe(false);
    }
  });
});
