import { describe, it, expect } from '@jest/globals';
import { FileObjectStore } from './file-object-store.js';
import { ObjectStores } from './object-stores.js';
import { FEW_PARTS, MOST_PARTS, partSize } from './s3-part-size.js';

const MIB = 2 ** 20;

describe('ObjectStores', () => {
  it('makes the stores of a configuration, the first being the default', async () => {
    const stores = await ObjectStores.open({
      dataDir: '/srv/kiln',
      stores: [
        { id: 'fast', type: 'file', path: '/srv/fast', description: 'NVMe' },
        {
          id: 'bulk',
          type: 's3',
          endpoint: 'http://127.0.0.1:1',
          region: 'us-east-1',
          bucket: 'b',
          prefix: '',
          accessKeyId: 'a',
          secretAccessKey: 'b',
          forcePathStyle: true,
        },
      ],
    });

    expect(stores.default).toBeInstanceOf(FileObjectStore);
    expect(stores.get('bulk').description).toEqual({ id: 'bulk', type: 's3', details: { partBytes: 5 * MIB } });
    expect(stores.describe()).toEqual([
      { id: 'fast', type: 'file', description: 'NVMe', isDefault: true },
      { id: 'bulk', type: 's3', details: { partBytes: 5 * MIB }, isDefault: false },
    ]);
    await stores.close();
  });

  it('tells a store that was taken out of the configuration from one that a user made up', async () => {
    const stores = await ObjectStores.open({
      dataDir: '/srv/kiln',
      stores: [{ id: 'fast', type: 'file', path: '/srv/fast' }],
    });

    expect(() => stores.get('gone')).toThrow(
      expect.objectContaining({ kind: 'unavailable', code: 'object_store.not_configured' }),
    );
    expect(stores.find('gone')).toBeNull();
  });
});

describe('partSize', () => {
  it.each([0, 1, 5 * MIB, 48 * 1024 * MIB, 2 ** 40, 5 * 2 ** 40])(
    'fits %d bytes of known length into the parts that S3 takes, all alike',
    (sizeBytes) => {
      const first = partSize(1, 5 * MIB, sizeBytes);

      expect(first * MOST_PARTS).toBeGreaterThanOrEqual(sizeBytes);
      expect(first).toBeGreaterThanOrEqual(5 * MIB);
      expect(partSize(MOST_PARTS, 5 * MIB, sizeBytes)).toBe(first);
    },
  );

  it.each([5 * 1024 * MIB + 1, 48 * 1024 * MIB, 250 * 1024 * MIB])(
    'fits %d bytes into the thousand parts of a server that takes no more',
    (sizeBytes) => {
      expect(partSize(1, 5 * MIB, sizeBytes) * FEW_PARTS).toBeGreaterThanOrEqual(sizeBytes);
    },
  );

  it('needs no more disk than for two parts of 256 MiB, up to two tebibytes', () => {
    expect(partSize(1, 5 * MIB, 2 ** 40)).toBe(256 * MIB);
    expect(partSize(MOST_PARTS, 5 * MIB, undefined)).toBe(256 * MIB);
  });

  it('reaches a tebibyte of unknown length, and keeps the parts of an ordinary image in memory', () => {
    let total = 0;
    for (let number = 1; number <= MOST_PARTS; number += 1) {
      total += partSize(number, 5 * MIB, undefined);
      if (total <= 2.9 * 2 ** 30) expect(partSize(number, 5 * MIB, undefined)).toBe(5 * MIB);
      if (number === FEW_PARTS) expect(total).toBeGreaterThanOrEqual(65 * 2 ** 30);
    }

    expect(total).toBeGreaterThanOrEqual(2 ** 40);
  });
});
