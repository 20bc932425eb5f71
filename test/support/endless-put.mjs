// Puts an object that never ends, until somebody kills this process. It tells how many bytes the store took.
//
//     node endless-put.mjs '{"type":"file","path":"/srv/objects"}' some/key
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { ObjectStores } from '../../dist/src/platform/object-store/object-stores.js';

const [, , store, key] = process.argv;
const stores = await ObjectStores.open({ dataDir: tmpdir(), stores: [{ id: 'killed', ...JSON.parse(store) }] });
const chunk = Buffer.alloc(256 * 1024, 'x');

function* endless() {
  for (let taken = 0; ; taken += chunk.length) {
    process.stdout.write(`${taken}\n`);
    yield chunk;
  }
}

await stores.default.put(key, Readable.from(endless()));
