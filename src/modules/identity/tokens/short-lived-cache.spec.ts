import { beforeEach, describe, expect, it } from '@jest/globals';
import { ShortLivedCache } from './short-lived-cache.js';

interface Answer {
  readonly number: number;
}

describe('ShortLivedCache', () => {
  let now: number;
  let lookups: number;
  let cache: ShortLivedCache<Answer>;
  const lookUp = (): Promise<Answer> => Promise.resolve({ number: (lookups += 1) });

  beforeEach(() => {
    now = 0;
    lookups = 0;
    cache = new ShortLivedCache<Answer>(4_000, 2, () => now);
  });

  it('looks a thing up once in its life', async () => {
    await cache.get('a', lookUp);
    now = 3_999;
    await expect(cache.get('a', lookUp)).resolves.toEqual({ number: 1 });

    now = 4_000;
    await expect(cache.get('a', lookUp)).resolves.toEqual({ number: 2 });
  });

  it('counts the life from the start of the lookup, however long that took', async () => {
    await cache.get('a', () => {
      now = 3_000;
      return lookUp();
    });

    now = 4_000;
    await expect(cache.get('a', lookUp)).resolves.toEqual({ number: 2 });
  });

  it('shares one lookup among all who want the same thing at the same time', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => cache.get('a', lookUp)));

    expect(new Set(answers)).toEqual(new Set([{ number: 1 }]));
    expect(lookups).toBe(1);
  });

  it('does not remember a failure', async () => {
    const failing = Promise.all([1, 2].map(() => cache.get('a', () => Promise.reject(new Error('no')))));
    await expect(failing).rejects.toThrow('no');

    await expect(cache.get('a', lookUp)).resolves.toEqual({ number: 1 });
  });

  it.each([
    ['drop', () => cache.drop('a')],
    ['clear', () => cache.clear()],
  ])('does not keep the answer of a lookup that was under way at a %s', async (_name, forget) => {
    let answer!: (value: Answer) => void;
    const stale = cache.get('a', () => new Promise<Answer>((resolve) => (answer = resolve)));
    forget();
    const fresh = cache.get('a', lookUp);
    answer({ number: -1 });

    await expect(stale).resolves.toEqual({ number: -1 });
    await expect(fresh).resolves.toEqual({ number: 1 });
    await expect(cache.get('a', lookUp)).resolves.toEqual({ number: 1 });
  });

  it('forgets the one that was used longest ago when it is full', async () => {
    await cache.get('a', lookUp);
    await cache.get('b', lookUp);
    await cache.get('a', lookUp);
    await cache.get('c', lookUp);

    await expect(cache.get('a', lookUp)).resolves.toEqual({ number: 1 });
    await expect(cache.get('b', lookUp)).resolves.toEqual({ number: 4 });
  });
});
