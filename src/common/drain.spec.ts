import { describe, expect, it } from '@jest/globals';
import { drain } from './drain.js';

describe('drain', () => {
  it('passes over what fails, however much of it comes first, and handles all the rest', async () => {
    const waiting = ['bad1', 'bad2', 'bad3', ...Array.from({ length: 10 }, (_unused, n) => `good${n}`)];
    const failed: string[] = [];

    const handled = await drain(
      2,
      async (limit) => waiting.slice(0, limit),
      async (id) => {
        if (id.startsWith('bad')) throw new Error('no');
        waiting.splice(waiting.indexOf(id), 1);
      },
      (id) => failed.push(id),
    );

    expect(handled).toBe(10);
    expect(failed).toEqual(['bad1', 'bad2', 'bad3']);
  });

  it('ends when there is nothing', async () => {
    const none = await drain(
      2,
      async () => [],
      async () => undefined,
      () => undefined,
    );

    expect(none).toBe(0);
  });
});
