/**
 * What a hashing thread runs. It is text, given to `new Worker(…, { eval: true })`, so that the compiled program, the
 * tests (where sources are transformed in memory) and a bundle need no path to a worker file. Keep it plain CommonJS.
 *
 * Messages in:  [0, stream, algorithm]           start a digest
 *               [1, slot, buffer]                learn a slot's shared memory; sent once a thread
 *               [2, stream, slot, length, keys]  add the first `length` bytes of the slot
 *               [3, stream, algorithm]           finish
 *               [4, stream, algorithm]           forget
 * Messages out: [0, slot]                        done with the slot
 *               [1, stream, algorithm, hex]      the digest
 */
export const HASH_WORKER_SOURCE = `
'use strict';
const { parentPort } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const hashes = new Map();
const slots = [];
parentPort.on('message', (message) => {
  const [kind, a, b, c, d] = message;
  switch (kind) {
    case 0:
      hashes.set(a + b, createHash(b));
      break;
    case 1:
      slots[a] = Buffer.from(b);
      break;
    case 2: {
      const bytes = slots[b].subarray(0, c);
      for (const algorithm of d) {
        const hash = hashes.get(a + algorithm);
        if (hash !== undefined) hash.update(bytes);
      }
      parentPort.postMessage([0, b]);
      break;
    }
    case 3: {
      const key = a + b;
      parentPort.postMessage([1, a, b, hashes.get(key).digest('hex')]);
      hashes.delete(key);
      break;
    }
    case 4:
      hashes.delete(a + b);
      break;
  }
});
`;
