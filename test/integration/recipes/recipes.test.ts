import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CreateRecipe, RecipeQuery } from '../../../src/modules/recipes/index.js';
import type { Actor } from '../../../src/modules/tenancy/index.js';
import { type Catalogue, catalogue } from '../../support/catalogue-app.js';
import { take } from '../../support/take.js';

let kiln: Catalogue;

beforeAll(async () => {
  kiln = await catalogue();
});
afterAll(() => kiln?.close());

const wanted = (more: Partial<CreateRecipe> = {}): CreateRecipe => ({
  name: 'r',
  recipeType: 'kiwi-ng',
  linuxDistribution: 'sles15',
  arch: 'x86_64',
  requireDkms: true,
  templateDictionary: [],
  link: null,
  ...more,
});

async function anArchive(actor: Actor, key: string): Promise<string> {
  await kiln.artifacts.put(actor, { bucket: 'ims', key }, Readable.from([Buffer.from(key)]), {});
  return `s3://ims/${key}`;
}

describe('lists', () => {
  it('lose and repeat nothing that stays, while rows come and go', async () => {
    const actor = await kiln.actor();
    const names = ['b', 'a', 'c'];
    const staying = new Set<string>();
    const leaving: string[] = [];
    for (let index = 0; index < 60; index += 1) {
      const { id } = await kiln.recipes.create(actor, wanted({ name: names[index % 3]! }));
      if (index % 4 === 0) leaving.push(id);
      else staying.add(id);
    }
    const sort = [{ key: 'name', direction: 'desc' }] as const;
    const seen: string[] = [];
    for (let marker: string | undefined; ;) {
      const query: RecipeQuery = { projectId: actor.projectId, filter: {}, sort, marker };
      const page = await take(kiln.recipes.stream(actor, query, 5), 5);
      seen.push(...page.map(({ id }) => id));
      if (page.length < 5) break;
      // Also the very one that the next page starts behind may go.
      marker = page.at(-1)!.id;
      const gone = leaving.includes(marker) ? marker : leaving.find((id) => !seen.includes(id));
      if (gone) {
        leaving.splice(leaving.indexOf(gone), 1);
        await kiln.recipes.delete(actor, gone);
      }
      await kiln.recipes.create(actor, wanted({ name: names[seen.length % 3]! }));
    }
    expect(new Set(seen).size).toBe(seen.length);
    for (const id of staying) expect(seen).toContain(id);
  });

  it('are streamed whole in bounded chunks, in one order', async () => {
    const actor = await kiln.actor();
    await kiln.database.run(
      `INSERT INTO recipes (id, project_id, name, recipe_type, linux_distribution, arch, require_dkms, created_at)
       SELECT gen_random_uuid(), $1, 'n' || n % 7, 'kiwi-ng', 'sles15', 'x86_64', true, now() - (n / 3) * interval '1 ms'
       FROM generate_series(1, 1234) n`,
      [actor.projectId],
    );
    const query: RecipeQuery = { projectId: actor.projectId, filter: {}, sort: [{ key: 'name', direction: 'asc' }] };
    const seen = [];
    for await (const recipe of kiln.recipes.stream(actor, query)) seen.push(recipe);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(1234);
    const order = seen.map(({ name, createdAt, id }) => `${name} ${createdAt.toISOString()} ${id}`);
    expect(order).toEqual([...order].sort());
  });

  it('walk an index in every order they have', async () => {
    const actor = await kiln.actor();
    await kiln.database.run(
      `INSERT INTO recipes (id, project_id, name, recipe_type, linux_distribution, arch, require_dkms, deleted_at)
       SELECT gen_random_uuid(), 'p' || n % 10, 'n' || n % 977, 'kiwi-ng', 'sles15', 'x86_64', true,
         CASE WHEN n % 3 = 0 THEN now() + n * interval '1 second' END
       FROM generate_series(1, 20000) n`,
    );
    await kiln.database.run('ANALYZE recipes');
    const columns = ['name', 'arch', 'recipe_type', 'linux_distribution'].map((column) => `${column}, created_at`);
    for (const [state, orders] of [
      ['deleted_at IS NULL', ['created_at', ...columns]],
      ['deleted_at IS NOT NULL', ['created_at', 'deleted_at, created_at', ...columns]],
    ] as const) {
      for (const order of orders) {
        const plan = await kiln.database.query<Record<string, string>>(
          `EXPLAIN SELECT id FROM recipes WHERE ${state} AND project_id = 'p7' ORDER BY ${order}, id LIMIT 25`,
        );
        const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
        expect(lines).toContain('Index');
        // An index that has the order but for what is equal is one, too.
        expect(lines).not.toMatch(/-> +Sort /);
      }
    }
    expect(actor.projectId).not.toBeNull();
  });
});

describe('deletes', () => {
  it('free usage at once, and keep the archive whole below deleted/', async () => {
    const actor = await kiln.actor('member', { recipes: 1 });
    const path = await anArchive(actor, 'a.tgz');
    const templateDictionary = [{ key: 'k', value: 'v' }];
    const recipe = await kiln.recipes.create(actor, wanted({ link: { path, etag: 'e' }, templateDictionary }));
    await expect(kiln.recipes.create(actor, wanted())).rejects.toMatchObject({ code: 'tenancy.limit_exceeded' });

    await kiln.recipes.delete(actor, recipe.id);

    expect(await kiln.bytes(actor)).toEqual({ ledger: 0, files: 0 });
    const [row] = await kiln.database.query<Record<string, unknown>>('SELECT * FROM recipes WHERE id = $1', [
      recipe.id,
    ]);
    expect(row).toMatchObject({
      name: 'r',
      template_dictionary: templateDictionary,
      link_path: 's3://ims/deleted/a.tgz',
      link_etag: expect.stringMatching(/^[0-9a-f]{32}$/),
      deleted_at: expect.any(Date),
    });
    const moved = (await kiln.artifacts.find(actor.projectId!, 'ims', 'deleted/a.tgz'))!;
    expect(await text(await kiln.artifacts.open(moved.storedFileId))).toBe('a.tgz');
    await kiln.recipes.create(actor, wanted());
  });

  it('end in a purge when the retention is over, which leaves the id behind and nothing else', async () => {
    const actor = await kiln.actor();
    const path = await anArchive(actor, 'old.tgz');
    const { id } = await kiln.recipes.create(actor, wanted({ link: { path, etag: '' } }));
    const recent = await kiln.recipes.create(actor, wanted());
    const key = await kiln.keys.create(actor, { name: 'k', publicKey: 'x' });
    await kiln.recipes.deleteAll(actor);
    await kiln.keys.delete(actor, key.id);
    expect(await kiln.recipes.sweep()).toBe(0);
    for (const table of ['recipes', 'keys']) {
      await kiln.database.run(`UPDATE ${table} SET deleted_at = now() - interval '31 days' WHERE id = ANY ($1)`, [
        [id, key.id],
      ]);
    }

    await Promise.all([kiln.recipes.sweep(), kiln.recipes.sweep(), kiln.keys.sweep()]);

    const rows = await kiln.database.query('SELECT id FROM recipes WHERE id = ANY ($1)', [[id, recent.id]]);
    expect(rows).toEqual([{ id: recent.id }]);
    expect(
      await kiln.database.query('SELECT noun FROM tombstones WHERE id = ANY ($1) ORDER BY noun', [[id, key.id]]),
    ).toEqual([{ noun: 'key' }, { noun: 'recipe' }]);
    expect(await kiln.artifacts.find(actor.projectId!, 'ims', 'deleted/old.tgz')).toBeNull();
  });

  it('push out what was deleted first, images too, where deleted bytes exceed the limit of the project', async () => {
    const actor = await kiln.actor('member', { storage_bytes: 1000 });
    const deleteRecipe = async (key: string) => {
      const archive = Readable.from([Buffer.alloc(400, key)]);
      await kiln.artifacts.put(actor, { bucket: 'ims', key }, archive, {});
      const { id } = await kiln.recipes.create(actor, wanted({ link: { path: `s3://ims/${key}`, etag: '' } }));
      await kiln.recipes.delete(actor, id);
      return id;
    };
    const image = await kiln.images.create(actor, { diskFormat: 'raw', containerFormat: 'bare' });
    await kiln.imageData.upload(actor, image.id, Readable.from([Buffer.alloc(400)]));
    const withoutBytes = await kiln.recipes.create(actor, wanted());
    await kiln.recipes.delete(actor, withoutBytes.id);
    const first = await deleteRecipe('first');
    await kiln.images.delete(actor, image.id);
    const second = await deleteRecipe('second');
    expect(await kiln.artifacts.find(actor.projectId!, 'ims', 'deleted/first')).toBeNull();
    const third = await deleteRecipe('third');

    const left = await kiln.database.query<{ id: string }>(
      'SELECT id FROM recipes WHERE project_id = $1 UNION ALL SELECT id FROM images WHERE project_id = $1',
      [actor.projectId],
    );
    expect(left.map(({ id }) => id).sort()).toEqual([withoutBytes.id, second, third].sort());
    expect(left.map(({ id }) => id)).not.toContain(first);
  });

  it('race with whoever puts another archive in place: one of them is refused', async () => {
    const actor = await kiln.actor();
    for (let round = 0; round < 5; round += 1) {
      const path = await anArchive(actor, `${round}.tgz`);
      const [created, replaced] = await Promise.allSettled([
        kiln.recipes.create(actor, wanted({ link: { path, etag: '' } })),
        kiln.artifacts.put(actor, { bucket: 'ims', key: `${round}.tgz` }, Readable.from([Buffer.from('other')]), {}),
      ]);
      expect(created.status).toBe('fulfilled');
      const archive = (await kiln.artifacts.find(actor.projectId!, 'ims', `${round}.tgz`))!;
      const found = await text(await kiln.artifacts.open(archive.storedFileId));
      expect(found).toBe(replaced.status === 'fulfilled' ? 'other' : `${round}.tgz`);
    }
  });
});

describe('rights', () => {
  it('are those of the project, and of administrators', async () => {
    const [member, reader, stranger, admin] = await Promise.all([
      kiln.actor(),
      kiln.actor('reader'),
      kiln.actor(),
      kiln.actor('admin'),
    ]);
    const { id } = await kiln.recipes.create(member, wanted());
    await expect(kiln.recipes.create(reader, wanted())).rejects.toMatchObject({ kind: 'forbidden' });
    await expect(kiln.recipes.get(stranger, id)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(kiln.recipes.update(stranger, id, {})).rejects.toMatchObject({ kind: 'not_found' });
    await expect(kiln.recipes.delete(stranger, id)).rejects.toMatchObject({ kind: 'not_found' });
    const query: RecipeQuery = { projectId: member.projectId, filter: {}, sort: [] };
    await expect(take(kiln.recipes.stream(stranger, query, 1), 1)).rejects.toMatchObject({ kind: 'forbidden' });
    expect((await kiln.recipes.update(admin, id, { arch: 'aarch64' })).arch).toBe('aarch64');
    expect(await take(kiln.recipes.stream(admin, query, 1), 1)).toHaveLength(1);
    await kiln.recipes.delete(admin, id);
    await expect(kiln.recipes.get(member, id)).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('events', () => {
  it('tell of every change, in the transaction of the change', async () => {
    const actor = await kiln.actor();
    const { id } = await kiln.recipes.create(actor, wanted());
    await kiln.recipes.update(actor, id, { requireDkms: false });
    await expect(kiln.recipes.update(actor, id, { link: { path: 's3://ims/none', etag: '' } })).rejects.toMatchObject({
      kind: 'unprocessable',
    });
    await kiln.recipes.delete(actor, id);
    const events = await kiln.database.query(
      `SELECT kind, project_id AS project, actor_id AS actor FROM events WHERE noun_id = $1 ORDER BY id`,
      [id],
    );
    const by = { project: actor.projectId, actor: actor.id };
    expect(events).toEqual(['recipe.created', 'recipe.updated', 'recipe.deleted'].map((kind) => ({ kind, ...by })));
  });
});
