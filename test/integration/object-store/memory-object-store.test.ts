import { describe, it, expect } from '@jest/globals';
import { Readable } from 'node:stream';
import { MemoryObjectStore } from '../../../src/platform/object-store/memory-object-store.js';
import { describeObjectStore } from '../../support/object-stores.js';

describeObjectStore(
  'memory',
  async () => ({ store: new MemoryObjectStore(), leftovers: async () => 0, close: async () => undefined }),
  { inMemory: true },
);

describe('MemoryObjectStore', () => {
  it('fails after the bytes it was told to take, until it recovers', async () => {
    const store = new MemoryObjectStore();
    store.failAfter(10);

    await store.put('fits', Readable.from([Buffer.alloc(8)]));
    await expect(store.put('too-much', Readable.from([Buffer.alloc(8)]))).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await expect(store.check()).rejects.toMatchObject({ kind: 'unavailable' });
    store.recover();
    await store.put('too-much', Readable.from([Buffer.alloc(8)]));

    expect(await store.head('too-much')).toEqual({ key: 'too-much', sizeBytes: 8 });
  });
});
