import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { RunningKiln } from '../../support/kiln.js';
import { SEED } from '../../support/seed.js';
import { ImsClient } from './wire.js';

const KINDS = ['images', 'recipes', 'public-keys'] as const;
type Kind = (typeof KINDS)[number];
const UNDELETE = { operation: 'undelete' };
const TYPES = ['rootfs.squashfs', 'kernel', 'initrd', 'parameters.boot', 'debug.kernel'];

/** Any text that a record can hold. */
const texts = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).map((text) => text.replaceAll('\0', ' '));
const bytes = fc.uint8Array({ minLength: 1, maxLength: 5000 });

const images = fc.record({
  name: texts,
  arch: fc.constantFrom('x86_64', 'aarch64'),
  metadata: fc.dictionary(
    fc.stringMatching(/^[a-z]{1,8}$/).map((key) => `my_${key}`),
    texts,
    { maxKeys: 4 },
  ),
  /** The first one is the root file system; null: no link. */
  artifacts: fc.option(fc.array(bytes, { minLength: 1, maxLength: TYPES.length }), { freq: 5 }),
  /** Whether it has its kernel in common with the image before. */
  shares: fc.boolean(),
  withMd5: fc.boolean(),
});
const recipes = fc.record({
  name: texts,
  recipe_type: fc.constantFrom('kiwi-ng', 'packer'),
  linux_distribution: fc.constantFrom('sles12', 'debian12'),
  arch: fc.constantFrom('x86_64', 'aarch64'),
  require_dkms: fc.boolean(),
  template_dictionary: fc.array(fc.record({ key: texts, value: fc.oneof(texts, fc.constant('')) }), { maxLength: 4 }),
  archive: fc.option(bytes, { freq: 5 }),
});
const keys = fc.record({ name: texts, public_key: texts.map((text) => `ssh-ed25519 ${text}\n`) });
const worlds = fc.record({
  images: fc.array(images, { minLength: 1, maxLength: 3 }),
  recipes: fc.array(recipes, { minLength: 1, maxLength: 3 }),
  keys: fc.array(keys, { minLength: 1, maxLength: 2 }),
  deletesAll: fc.boolean(),
  restoresAll: fc.boolean(),
  /** In which order those go, and come back, that go one by one. */
  order: fc.infiniteStream(fc.nat(1000)),
});

interface Link {
  readonly path: string;
  readonly etag: string;
}

/** Whatever is deleted comes back the same: the records, and the bytes that they link to. */
export function describeRestoring(store: string, start: () => Promise<RunningKiln>): void {
  describe(`records whose bytes lie in ${store}`, () => {
    let kiln: RunningKiln;
    let ims: ImsClient;
    let alice: string;
    let runs = 0;

    beforeAll(async () => {
      kiln = await start();
      ims = new ImsClient(kiln);
      alice = await kiln.token('alice');
    });
    afterAll(() => kiln?.stop());

    const put = async (bucket: string, key: string, content: Uint8Array | string) => ({
      path: await ims.upload(bucket, key, content, alice),
      etag: createHash('md5').update(content).digest('hex'),
      type: 's3',
    });

    const create = async (kind: Kind, body: object) => {
      const answer = await ims.post(`/v3/${kind}`, body, alice);
      expect([answer.status, answer.body]).toEqual([201, expect.any(Object)]);
    };

    async function digestAt(path: string): Promise<string | null> {
      const reply = await fetch(`${kiln.url}/artifacts/${path.slice('s3://'.length)}`, {
        headers: { 'x-auth-token': alice },
      });
      const content = Buffer.from(await reply.arrayBuffer());
      return reply.status === 200 ? createHash('sha256').update(content).digest('hex') : null;
    }

    /** Every record, and the bytes at every address that was made. */
    async function everything(addresses: readonly string[]) {
      const records = await Promise.all(
        KINDS.map(async (kind) => (await ims.get(`/v3/${kind}`, alice)).body as object[]),
      );
      const contents = await Promise.all(addresses.map(async (path) => [path, await digestAt(path)]));
      return { records, contents };
    }

    /** Does it to all records of each kind, at once or one by one. */
    async function toEach(base: string, all: boolean, order: Iterator<number>, act: (path: string) => Promise<number>) {
      for (const kind of KINDS) {
        const path = `${base}/${kind}`;
        const records = (await ims.get(path, alice)).body as { id: string }[];
        if (all) expect(await act(path)).toBe(204);
        const ranked = records.map(({ id }) => ({ id, rank: order.next().value as number }));
        for (const { id } of all ? [] : ranked.sort((a, b) => a.rank - b.rank)) {
          expect(await act(`${path}/${id}`)).toBe(204);
        }
        expect((await ims.get(path, alice)).body).toEqual([]);
      }
    }

    it('are the same after a delete and an undelete, to the last byte', async () => {
      await fc.assert(
        fc.asyncProperty(worlds, async ({ order, ...world }) => {
          const prefix = `run-${(runs += 1)}`;
          const addresses: string[] = [];
          let kernel: Link | null = null;
          for (const [index, { artifacts, shares, withMd5, ...image }] of world.images.entries()) {
            if (!artifacts) {
              await create('images', image);
              continue;
            }
            const entries = [];
            for (const [place, content] of artifacts.entries()) {
              const own: Link =
                place === 1 && shares && kernel
                  ? kernel
                  : await put('boot-images', `${prefix}/${index}/${place}`, content);
              if (place === 1) kernel = own;
              addresses.push(own.path);
              const md5 = withMd5 ? { md5: own.etag } : {};
              entries.push({
                type: `application/vnd.cray.image.${TYPES[place]}`,
                link: own,
                ...md5,
                more: 'of a writer',
              });
            }
            const manifest = JSON.stringify({ version: '1.0', artifacts: entries, more: true });
            const link = await put('boot-images', `${prefix}/${index}/manifest.json`, manifest);
            addresses.push(link.path);
            await create('images', { ...image, link });
          }
          for (const [index, { archive, ...recipe }] of world.recipes.entries()) {
            const link = archive && (await put('ims', `${prefix}/${index}/recipe.tar.gz`, archive));
            if (link) addresses.push(link.path);
            await create('recipes', { ...recipe, link });
          }
          for (const key of world.keys) await create('public-keys', key);
          const before = await everything(addresses);
          const ranks = order[Symbol.iterator]();

          await toEach('/v3', world.deletesAll, ranks, async (path) => (await ims.delete(path, alice)).status);
          const gone = await everything(addresses);
          await toEach(
            '/v3/deleted',
            world.restoresAll,
            ranks,
            async (path) => (await ims.patch(path, UNDELETE, alice)).status,
          );

          expect(gone.contents.map(([, digest]) => digest)).toEqual(addresses.map(() => null));
          expect(await everything(addresses)).toEqual(before);
          for (const kind of KINDS) expect((await ims.delete(`/${kind}`, alice)).status).toBe(204);
          const after = await everything(addresses);
          expect(after.contents.map(([, digest]) => digest)).toEqual(addresses.map(() => null));
        }),
        { numRuns: 5, seed: SEED },
      );
    }, 120_000);
  });
}
