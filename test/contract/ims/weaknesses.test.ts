// What the reference is known to do wrong, by the numbers of the list in docs/faces/ims.md; what other files test is named there.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ImsClient, problem, UUID } from './wire.js';

let first: RunningKiln;
let kiln: RunningKiln;
let ims: ImsClient;
let alice: string;
let database: pg.Client;

beforeAll(async () => {
  first = await startKiln({ env: { KILN_ROLE: 'api' } });
  kiln = first;
  ims = new ImsClient(kiln);
  alice = await kiln.token('alice');
  database = new pg.Client({ connectionString: kiln.databaseUrl });
  await database.connect();
}, 300_000);
afterAll(async () => {
  await database?.end();
  if (kiln !== first) await kiln?.stop();
  await first?.stop();
});

let uploads = 0;

async function created(kind: string, wanted: object): Promise<any> {
  const { status, body } = await ims.post(`/v3/${kind}`, wanted, alice);
  expect([status, body]).toEqual([201, expect.any(Object)]);
  return body;
}

async function anImage() {
  const prefix = `weak-${(uploads += 1)}`;
  const rootfs = await ims.upload('boot-images', `${prefix}/rootfs`, `hsqs ${uploads}`, alice);
  const artifacts = [{ type: 'application/vnd.cray.image.rootfs.squashfs', link: { path: rootfs, type: 's3' } }];
  const manifest = JSON.stringify({ version: '1.0', artifacts });
  const path = await ims.upload('boot-images', `${prefix}/manifest.json`, manifest, alice);
  return created('images', { name: 'i', link: { path, type: 's3' } });
}

async function aRecipe(more: object = {}) {
  const path = await ims.upload('ims', `weak-${(uploads += 1)}.tar.gz`, `archive ${uploads}`, alice);
  const fields = { name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15', link: { path, type: 's3' } };
  return created('recipes', { ...fields, ...more });
}

const aKey = (public_key = 'ssh-ed25519 AAAA') => created('public-keys', { name: 'k', public_key });

const aJob = async (more: object = {}) => {
  const [recipe, key] = [await aRecipe(), await aKey()];
  const ids = { artifact_id: recipe.id, public_key_id: key.id };
  return created('jobs', { job_type: 'create', image_root_archive_name: 'a', ...ids, ...more });
};

it('1, 2: keeps everything through a bulk delete and a crash right after it', async () => {
  const before = await aKey();
  expect((await ims.delete('/v2/public-keys', alice)).status).toBe(204);
  const after = await aKey();

  await kiln.kill();
  kiln = await startKiln({ env: { KILN_ROLE: 'api' }, beside: first });
  ims = new ImsClient(kiln);

  expect((await ims.get('/public-keys', alice)).body).toEqual([after]);
  expect((await ims.get(`/v3/deleted/public-keys/${before.id}`, alice)).status).toBe(404);
}, 300_000);

it('5: changes an image as a whole or not at all', async () => {
  const image = await created('images', { name: 'i', metadata: { a: '1' } });
  const link = { path: 's3://boot-images/nothing/manifest.json', type: 's3' };
  const metadata = { operation: 'set', key: 'a', value: '2' };

  const refusals = [
    await ims.patch(`/v3/images/${image.id}`, { arch: 'aarch64', metadata, link }, alice),
    await ims.patch(`/v3/images/${image.id}`, { arch: 'aarch64', metadata: { ...metadata, key: 'kiln_x' } }, alice),
  ];

  expect(refusals.map(({ status }) => status)).toEqual([422, 422]);
  expect((await ims.get(`/v3/images/${image.id}`, alice)).body).toEqual(image);
});

it('8, 10: deletes, restores and purges records whose bytes the store has lost', async () => {
  const [image, cascaded, recipe] = [await anImage(), await anImage(), await aRecipe()];
  const objects = join(kiln.dataDir, 'objects');
  for (const entry of await readdir(objects)) await rm(join(objects, entry), { recursive: true });

  expect((await ims.delete(`/v2/images/${cascaded.id}?cascade=true`, alice)).status).toBe(204);
  for (const kind of ['images', 'recipes']) {
    expect((await ims.delete(`/v3/${kind}`, alice)).status).toBe(204);
    expect((await ims.patch(`/v3/deleted/${kind}`, { operation: 'undelete' }, alice)).status).toBe(204);
  }
  expect((await ims.get(`/v3/images/${image.id}`, alice)).body.link.path).toBe(image.link.path);
  expect((await ims.get(`/v3/recipes/${recipe.id}`, alice)).body.link.path).toBe(recipe.link.path);
  for (const kind of ['images', 'recipes']) {
    expect((await ims.delete(`/v3/${kind}`, alice)).status).toBe(204);
    expect((await ims.delete(`/v3/deleted/${kind}`, alice)).status).toBe(204);
    expect((await ims.get(`/v3/deleted/${kind}`, alice)).body).toEqual([]);
  }
});

it('11: takes jobs of recipes whose template dictionary was null', async () => {
  const [recipe, key] = [await aRecipe({ template_dictionary: null }), await aKey()];
  const ids = { artifact_id: recipe.id, public_key_id: key.id };

  expect(await created('jobs', { job_type: 'create', image_root_archive_name: 'a', ...ids })).toMatchObject({
    status: 'creating',
  });
});

describe('13: names and keys that would break out of a template', () => {
  it.each([
    'quote " and \' and `',
    'line\nbreak: {"a": [1]}\n- b',
    '$HOME $(id) ${x} %s {{ 7 * 7 }}',
    '../../etc/passwd',
    '--option',
    'snow ☃ and 💥',
    '\u001b[31m\u0007',
  ])('are kept as they are: %j', async (text) => {
    const key = await aKey(`ssh-ed25519 AAAA ${text}`);
    const job = await aJob({
      public_key_id: key.id,
      image_root_archive_name: text,
      kernel_file_name: text,
      initrd_file_name: text,
      kernel_parameters_file_name: text,
    });

    expect((await ims.get(`/v3/jobs/${job.id}`, alice)).body).toMatchObject({
      image_root_archive_name: text,
      kernel_file_name: text,
      initrd_file_name: text,
      kernel_parameters_file_name: text,
      // What is named after the job is named after its id, and nothing else.
      kubernetes_job: `cray-ims-${job.id}-create`,
    });
    expect(job.id).toMatch(UUID);
    const { rows } = await database.query<{ public_key: string }>('SELECT public_key FROM jobs WHERE id = $1', [
      job.id,
    ]);
    expect(rows[0]!.public_key).toBe(`ssh-ed25519 AAAA ${text}`);
  });
});

it('14: takes packer recipes, and keeps nothing of a job that is refused', async () => {
  const counts = async () => {
    const { rows } = await database.query(
      `SELECT (SELECT count(*) FROM jobs) AS jobs, (SELECT coalesce(sum(reference_count), 0) FROM stored_files) AS held,
         (SELECT coalesce(sum(used), 0) FROM project_usage WHERE quantity = 'queued_jobs') AS queued`,
    );
    return rows[0] as object;
  };
  const [recipe, key] = [await aRecipe({ recipe_type: 'packer' }), await aKey()];
  const wanted = { job_type: 'create', image_root_archive_name: 'a', artifact_id: recipe.id };
  const before = await counts();

  // Found out last, when the recipe's archive is held already.
  const refused = await ims.post('/v3/jobs', { ...wanted, public_key_id: recipe.id }, alice);
  expect(refused.body).toEqual(problem(400, 'Bad Request', expect.stringContaining('public key')));
  expect(await counts()).toEqual(before);
  expect(await created('jobs', { ...wanted, public_key_id: key.id })).toMatchObject({ status: 'creating' });
});

it('24: has images renamed, and described, by the Image API that they share', async () => {
  const image = await created('images', { name: 'before' });
  const reply = await fetch(`${kiln.url}/image/v2/images/${image.id}`, {
    method: 'PATCH',
    headers: { 'x-auth-token': alice, 'content-type': 'application/openstack-images-v2.1-json-patch' },
    body: JSON.stringify([
      { op: 'replace', path: '/name', value: 'after' },
      { op: 'add', path: '/description', value: 'what it is' },
    ]),
  });
  expect(reply.status).toBe(200);

  expect((await ims.get(`/v3/images/${image.id}`, alice)).body).toEqual({
    ...image,
    name: 'after',
    metadata: { description: 'what it is' },
  });
  const { rows } = await database.query('SELECT kind FROM events WHERE noun_id = $1 ORDER BY id', [image.id]);
  expect(rows).toEqual([{ kind: 'image.created' }, { kind: 'image.updated' }]);
});
