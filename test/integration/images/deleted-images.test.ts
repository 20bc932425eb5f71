import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Image } from '../../../src/modules/images/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { eventually } from '../../support/eventually.js';

let kiln: Catalogue;

beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

const address = (key: string) => ({ bucket: 'boot-images', key });
const put = (actor: Actor, key: string, content: string) =>
  kiln.artifacts.put(actor, address(key), Readable.from([Buffer.from(content)]), {});

async function contentAt(actor: Actor, key: string): Promise<string | null> {
  const artifact = await kiln.artifacts.find(actor.projectId!, 'boot-images', key);
  return artifact && text(await kiln.artifacts.open(artifact.storedFileId));
}

/** An image of objects that lie there already. The first one is its root file system. */
async function register(actor: Actor, name: string, keys: readonly string[]): Promise<Image> {
  const artifacts = keys.map((key, index) => ({
    type: `application/vnd.cray.image.${index === 0 ? 'rootfs.squashfs' : 'kernel'}`,
    link: { path: `s3://boot-images/${key}`, type: 's3' },
  }));
  await put(actor, `${name}.json`, JSON.stringify({ version: '1.0', artifacts }));
  const link = { path: `s3://boot-images/${name}.json`, etag: '' };
  return kiln.registration.register(actor, { name, properties: { color: 'red' }, link });
}

async function expectConsistent(actor: Actor): Promise<void> {
  const { ledger, files } = await kiln.bytes(actor);
  expect(ledger).toBe(files);
  const [row] = await kiln.database.query<{ live: number }>(
    'SELECT count(*) AS live FROM images WHERE project_id = $1 AND deleted_at IS NULL',
    [actor.projectId],
  );
  expect((await kiln.ledger.find(actor.projectId!, 'images'))!.used).toBe(Number(row!.live));
}

describe('the manifest of a deleted image', () => {
  it('is written by the outbox when whoever deleted the image died', async () => {
    const actor = await kiln.actor();
    await put(actor, 'rootfs', 'hsqs');
    const { id } = await register(actor, 'orphan', ['rootfs']);
    await kiln.images.delete(actor, id);
    const key = `deleted/${id}/deleted_manifest.json`;
    expect(await contentAt(actor, key)).toBeNull();

    kiln.events.start();
    await eventually(async () => expect(await contentAt(actor, key)).toContain('s3://boot-images/deleted/rootfs'));
    await kiln.events.stop();

    await expectConsistent(actor);
    await Promise.all([1, 2, 3].map(() => kiln.deletedManifests.ensure(id)));
    const found = await kiln.database.query(
      `SELECT 1 FROM image_artifacts WHERE image_id = $1 AND role = 'deleted_manifest'`,
      [id],
    );
    expect(found).toHaveLength(1);
  });

  it('is not needed for the image to come back, nor does it come afterwards', async () => {
    const actor = await kiln.actor();
    await put(actor, 'rootfs', 'hsqs');
    const { id } = await register(actor, 'hasty', ['rootfs']);
    await kiln.images.delete(actor, id);
    await kiln.deletedImages.restore(actor, id);
    await kiln.deletedManifests.ensure(id);
    expect((await kiln.images.get(actor, id)).linkPath).toBe('s3://boot-images/hasty.json');
    expect(await contentAt(actor, `deleted/${id}/deleted_manifest.json`)).toBeNull();
  });
});

describe('images that share artifacts', () => {
  it('take them along when they are deleted, restored and purged at the same time', async () => {
    const actor = await kiln.actor();
    const objectsBefore = await countFiles(actor);
    for (let round = 0; round < 8; round += 1) {
      await put(actor, 'root', `hsqs ${round}`);
      const images = await Promise.all(['a', 'b', 'c'].map((name) => register(actor, `${name}-${round}`, ['root'])));

      await Promise.all(images.map(({ id }) => kiln.images.delete(actor, id)));
      expect([await contentAt(actor, 'root'), await contentAt(actor, 'deleted/root')]).toEqual([null, `hsqs ${round}`]);
      expect((await kiln.bytes(actor)).ledger).toBe(0);

      await Promise.all(images.map(({ id }) => kiln.deletedImages.restore(actor, id)));
      expect(await contentAt(actor, 'root')).toBe(`hsqs ${round}`);
      await expectConsistent(actor);

      for (const { id } of images) await kiln.images.delete(actor, id);
      await Promise.all(images.map(({ id }) => kiln.deletedImages.purge(actor, id)));
      expect(await contentAt(actor, 'deleted/root')).toBeNull();
    }
    expect(await countFiles(actor)).toBe(objectsBefore);
  });

  it('come back although one lay where a delete moves the other', async () => {
    const actor = await kiln.actor();
    for (let round = 0; round < 4; round += 1) {
      const keys = [`${round}`, `deleted/${round}`, `deleted/deleted/${round}`];
      for (const key of keys) await put(actor, key, key);
      const { id } = await register(actor, `nested-${round}`, keys);
      await kiln.images.delete(actor, id);
      await kiln.deletedImages.restore(actor, id);
      for (const key of keys) expect(await contentAt(actor, key)).toBe(key);
      await expectConsistent(actor);
    }
  });

  it('are the same after any number of deletes and restores', async () => {
    let runs = 0;
    const names = fc.constantFrom('a', 'b', 'c', 'd');
    const objects = fc.uniqueArray(fc.constantFrom('x', 'y', 'z', 'deleted/x'), { minLength: 1, maxLength: 3 });
    const steps = fc.array(
      fc.oneof(
        fc.record({ step: fc.constant('register' as const), name: names, objects }),
        fc.record({ step: fc.constantFrom('delete' as const, 'restore' as const, 'purge' as const), name: names }),
      ),
      { minLength: 5, maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (wanted) => {
        const actor = await kiln.actor();
        runs += 1;
        const known = new Map<string, { image: Image; objects: string[]; deleted: boolean }>();
        for (const [index, step] of wanted.entries()) {
          const found = known.get(step.name);
          if (step.step === 'register') {
            if (found) continue;
            for (const key of step.objects) {
              // What a deleted image has there cannot be linked to, nor be replaced.
              const taken = await kiln.artifacts.find(actor.projectId!, 'boot-images', key);
              if (!taken) await put(actor, key, `${key} of run ${runs}`);
            }
            const name = `${step.name}-${index}`;
            const image = await register(actor, name, step.objects).catch(ignoreMoved);
            if (image) known.set(step.name, { image, objects: step.objects, deleted: false });
          } else if (found && step.step === 'delete' && !found.deleted) {
            await kiln.images.delete(actor, found.image.id);
            found.deleted = true;
            if (index % 2 === 0) await kiln.deletedManifests.ensure(found.image.id);
          } else if (found?.deleted && step.step === 'restore') {
            // Another deleted image may have been moved to where one lay whose key began with deleted/.
            const nested = found.objects.includes('deleted/x');
            const restored = await kiln.deletedImages.restore(actor, found.image.id).catch((error: unknown) => {
              if (!nested || (error as { code?: unknown }).code !== 'artifacts.address_taken') throw error;
              return null;
            });
            found.deleted = restored === null;
          } else if (found?.deleted && step.step === 'purge') {
            await kiln.deletedImages.purge(actor, found.image.id);
            known.delete(step.name);
          }
          await expectConsistent(actor);
          for (const { image, objects: keys, deleted } of known.values()) {
            if (deleted) continue;
            for (const key of keys) expect(await contentAt(actor, key)).toBe(`${key} of run ${runs}`);
            const now = await kiln.images.get(actor, image.id);
            const changing = { version: now.version, linkEtag: now.linkEtag };
            expect(now).toEqual(Object.assign(image, changing));
          }
        }
        for (const { image, deleted } of known.values()) {
          if (!deleted) await kiln.images.delete(actor, image.id);
          await kiln.deletedImages.purge(actor, image.id);
        }
        const { ledger } = await kiln.bytes(actor);
        expect(ledger).toBe(await bytesOfUsers(actor));
      }),
      { numRuns: 20 },
    );
  });
});

describe('the bytes of deleted images', () => {
  const remaining = async (ids: readonly string[]) => {
    const rows = await kiln.database.query<{ id: string }>('SELECT id FROM images WHERE id = ANY ($1)', [ids]);
    return ids.filter((id) => rows.some((row) => row.id === id));
  };
  const upload = async (actor: Actor, sizeBytes: number) => {
    const { id } = await kiln.images.create(actor, { diskFormat: 'raw', containerFormat: 'bare' });
    await kiln.imageData.upload(actor, id, Readable.from([Buffer.alloc(sizeBytes, id)]));
    return id;
  };

  it('do not grow, nor push others out, when an image goes for good', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10_000 });
    const deleted = await upload(actor, 5000);
    await kiln.images.delete(actor, deleted);
    const live = await upload(actor, 6000);

    await kiln.deletedImages.deleteForGood(actor, live, { cascade: true });

    expect(await remaining([deleted, live])).toEqual([deleted]);
  });

  it('are counted once however many share them', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10_000 });
    await put(actor, 'shared', 'hsqs'.padEnd(6000));
    const ids: string[] = [];
    for (const name of ['one', 'two', 'alive']) ids.push((await register(actor, name, ['shared'])).id);
    const [one, two, alive] = ids as [string, string, string];

    await kiln.images.delete(actor, one);
    await kiln.images.delete(actor, two);
    const first = await upload(actor, 3000);
    await kiln.images.delete(actor, alive);
    await kiln.images.delete(actor, first);
    expect(await remaining([...ids, first])).toEqual([...ids, first]);

    // To get below the limit all that share the file must go.
    const last = await upload(actor, 2000);
    await kiln.images.delete(actor, last);
    expect(await remaining([...ids, first, last])).toEqual([first, last]);
    await expectConsistent(actor);
  });

  it('are not those that something alive pays for', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10_000 });
    await put(actor, 'shared', 'hsqs'.padEnd(6000));
    const [deleted, alive] = [await register(actor, 'deleted', ['shared']), await register(actor, 'alive', ['shared'])];
    await kiln.images.delete(actor, deleted.id);
    for (let count = 0; count < 3; count += 1) await kiln.images.delete(actor, await upload(actor, 3000));

    expect(await remaining([deleted.id, alive.id])).toEqual([deleted.id, alive.id]);
  });

  it('are purged later when they cannot be with the delete, which is done', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 10_000 });
    const [first, second] = [await upload(actor, 4000), await upload(actor, 5000)];
    await kiln.images.delete(actor, first);
    await kiln.images.delete(actor, second);
    await kiln.database.run(`INSERT INTO tombstones (id, noun) VALUES ($1, 'image')`, [first]);
    const third = await upload(actor, 6000);

    await kiln.images.delete(actor, third);
    expect(await remaining([first, second, third])).toEqual([first, second, third]);

    await kiln.database.run('DELETE FROM tombstones WHERE id = $1', [first]);
    await kiln.deletedBytes.sweep();
    expect(await remaining([first, second, third])).toEqual([third]);
  });
});

/** Objects at which no image ever looked may be left. */
async function bytesOfUsers(actor: Actor): Promise<number> {
  const [row] = await kiln.database.query<{ bytes: number }>(
    `SELECT coalesce(sum(f.size_bytes), 0)::bigint AS bytes FROM artifacts a JOIN stored_files f ON f.id = a.stored_file_id
     WHERE a.project_id = $1 AND a.moved_from_key IS NULL`,
    [actor.projectId],
  );
  const [moved] = await kiln.database.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM artifacts WHERE project_id = $1 AND moved_from_key IS NOT NULL',
    [actor.projectId],
  );
  expect(moved!.count).toBe(0);
  return row!.bytes;
}

async function countFiles({ projectId }: Actor): Promise<number> {
  const [row] = await kiln.database.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM stored_files WHERE project_id = $1',
    [projectId],
  );
  return row!.count;
}

function ignoreMoved(error: unknown): null {
  if ((error as { code?: unknown }).code !== 'images.object_missing') throw error;
  return null;
}
