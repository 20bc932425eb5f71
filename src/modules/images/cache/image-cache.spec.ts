import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../../test/support/eventually.js';
import type { Config } from '../../../config/config.js';
import type { Log } from '../../../platform/logging/log.js';
import type { ObjectStores } from '../../../platform/object-store/object-stores.js';
import type { ImagesRepository } from '../images.repository.js';
import type { ImageReader } from '../locations/image-reader.js';
import { ImageCache } from './image-cache.js';

let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'kiln-cache-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

/** A cache whose images are gone already, so that there is nothing to fetch. */
function cacheOf(find: () => Promise<null> = () => Promise.resolve(null)): ImageCache {
  const config = { dataDir, role: 'api', images: { cacheMaxBytes: 1000 } } as Config;
  const images = { find } as unknown as ImagesRepository;
  return new ImageCache(config, images, {} as ImageReader, {} as ObjectStores, {} as Log);
}

it('looks again when somebody asks while it finds that there is nothing left', async () => {
  const cache = cacheOf();
  const files = cache.files!;
  const wanted = files.wanted.bind(files);
  const late = ['late'];
  files.wanted = async () => {
    const found = await wanted();
    if (found.length === 0) for (const id of late.splice(0)) await cache.want(id);
    return found;
  };

  await cache.want('early');

  await eventually(async () => expect([late, await wanted()]).toEqual([[], []]));
  await cache.beforeApplicationShutdown();
});

it.each([
  ['fetches once more what is asked for while it is fetched', async (cache: ImageCache) => cache.want('one'), 2],
  [
    'does not when that was taken back',
    async (cache: ImageCache) => {
      await cache.want('one');
      await cache.unwant('one');
    },
    1,
  ],
])('%s', async (_what, meanwhile, times) => {
  let fetched = 0;
  const cache: ImageCache = cacheOf(async () => {
    if ((fetched += 1) === 1) await meanwhile(cache);
    return null;
  });

  await cache.want('one');

  await eventually(async () => expect([fetched, await cache.files!.wanted()]).toEqual([times, []]));
  await cache.beforeApplicationShutdown();
  expect([fetched, await cache.files!.wanted()]).toEqual([times, []]);
});
