import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Clock } from '../../../src/common/clock.js';
import { loadConfig } from '../../../src/config/config.js';
import { type DownloadLink, DownloadLinks } from '../../../src/modules/artifacts/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { ObjectStores } from '../../../src/platform/object-store/object-stores.js';
import { SecretBox } from '../../../src/platform/secrets/secret-box.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';

let kiln: Catalogue;
let alice: Actor;
let links: DownloadLinks;

beforeAll(async () => {
  kiln = await catalogue();
  alice = await kiln.actor();
  links = linksWith('a'.repeat(64));
});
afterAll(() => kiln?.close());

/** Those of a Kiln with that key. */
function linksWith(key: string): DownloadLinks {
  const { config } = loadConfig({ KILN_SECRET_KEY: key });
  return new DownloadLinks(kiln.artifacts, new ObjectStores([kiln.store]), new SecretBox(config), new Clock());
}

const address = { bucket: 'b', key: 'a folder/a file' };

async function aLink(lifeSeconds = 60, key = address.key): Promise<DownloadLink & { kind: 'kiln' }> {
  await kiln.artifacts.put(alice, { ...address, key }, Readable.from([Buffer.from('bytes')]), {});
  const { id } = (await kiln.artifacts.find(alice.projectId!, address.bucket, key))!;
  const link = await links.to(id, lifeSeconds);
  if (link.kind !== 'kiln') throw new Error('a store in memory signs nothing');
  return link;
}

const open = (link: { address: object; expires: number | string; signature: string }, by = links) =>
  by.open(link.address as typeof address, String(link.expires), link.signature);
const refused = expect.objectContaining({ kind: 'unauthenticated' });

it('lead to the one artifact that they were made for', async () => {
  const link = await aLink();

  const { artifact, file } = await open(link);

  expect(artifact).toMatchObject({ ...address, projectId: alice.projectId });
  expect(file.sizeBytes).toBe(5);
});

it('end with their time, which is signed as well', async () => {
  const link = await aLink(-1);

  await expect(open(link)).rejects.toMatchObject({ message: expect.stringContaining('expired') });
  await expect(open({ ...link, expires: link.expires + 3_600 })).rejects.toEqual(refused);
});

it('are good for no other address, and cannot be forged', async () => {
  const link = await aLink();
  const other = await aLink(60, 'another');
  const bytes = Buffer.from(link.signature, 'base64url');
  bytes[bytes.length - 1]! ^= 1;

  for (const forged of [
    { ...link, address: other.address },
    { ...link, signature: other.signature },
    { ...link, signature: bytes.toString('base64url') },
    { ...link, signature: '' },
    { ...link, signature: 'no signature' },
    { ...link, expires: 'never' },
    { ...link, expires: '' },
  ]) {
    await expect(open(forged)).rejects.toEqual(refused);
  }
});

it('are those of one key', async () => {
  const link = await aLink();

  await expect(open(link, linksWith('b'.repeat(64)))).rejects.toEqual(refused);
});

it('end with the artifact', async () => {
  const link = await aLink(60, 'gone soon');
  await kiln.artifacts.delete(alice, { ...address, key: 'gone soon' });

  await expect(open(link)).rejects.toMatchObject({ kind: 'not_found' });
});
