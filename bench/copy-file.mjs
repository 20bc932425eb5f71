// The floor of an upload: read a file, hash it with md5 and sha512, write it, flush it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

const [from, to] = process.argv.slice(2);
const hashes = [createHash('md5'), createHash('sha512')];
const target = await open(to, 'w');
for await (const chunk of createReadStream(from, { highWaterMark: 2 ** 20 })) {
  hashes.forEach((hash) => hash.update(chunk));
  await target.write(chunk);
}
await target.sync();
await target.close();
console.log(hashes.map((hash) => hash.digest('hex')).join(' '));
