// The exchanges are those of the Image Management Service v2 description, without a version segment and with one.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ImsClient, INVALID_FIELDS, NO_INPUT, NOT_FOUND, problem, UNKNOWN_ID } from './wire.js';

const KINDS = ['images', 'recipes', 'public-keys'] as const;
const ROOTFS = 'application/vnd.cray.image.rootfs.squashfs';

let kiln: RunningKiln;
let ims: ImsClient;
let alice: string;
let bob: string;
let rita: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ims = new ImsClient(kiln);
  [alice, bob, rita] = (await Promise.all(['alice', 'bob', 'rita'].map((user) => kiln.token(user)))) as [
    string,
    string,
    string,
  ];
});
afterAll(() => kiln?.stop());
beforeEach(async () => {
  for (const kind of [...KINDS, 'jobs']) expect((await ims.delete(`/${kind}`, alice)).status).toBe(204);
  for (const kind of KINDS) expect((await ims.delete(`/v3/deleted/${kind}`, alice)).status).toBe(204);
});

let uploads = 0;
const link = (path: string) => ({ path, type: 's3', etag: '' });
const wanted = (kind: string, more: object = {}) => ({
  name: 'x',
  ...(kind === 'recipes' ? { recipe_type: 'kiwi-ng', linux_distribution: 'sles15' } : {}),
  ...(kind === 'public-keys' ? { public_key: 'k' } : {}),
  ...more,
});

async function aRecord(path: string, more: object = {}) {
  const { status, body } = await ims.post(path, wanted(path.split('/').at(-1)!, more), alice);
  expect([status, body]).toEqual([201, expect.any(Object)]);
  return body;
}

async function isThere(path: string): Promise<boolean> {
  const at = `${kiln.url}/artifacts/${path.slice('s3://'.length)}`;
  return (await fetch(at, { method: 'HEAD', headers: { 'x-auth-token': alice } })).status === 200;
}

/** What a record may link to, and every object that belongs to it. */
async function objectsFor(kind: string): Promise<string[]> {
  const prefix = `v2-${(uploads += 1)}`;
  if (kind === 'recipes') return [await ims.upload('ims', prefix, `archive ${uploads}`, alice)];
  const rootfs = await ims.upload('boot-images', `${prefix}/rootfs`, `hsqs ${uploads}`, alice);
  const manifest = JSON.stringify({ version: '1.0', artifacts: [{ type: ROOTFS, link: link(rootfs) }] });
  return [await ims.upload('boot-images', `${prefix}/manifest.json`, manifest, alice), rootfs];
}

const below = (path: string) => path.replace(/^(s3:\/\/[^/]+\/)/, '$1deleted/');

describe.each(['', '/v2'])('without /v3, as "%s/…"', (version) => {
  describe.each(KINDS)('%s', (kind) => {
    const path = `${version}/${kind}`;

    it('are the records of version 3', async () => {
      const record = await aRecord(path);
      const other = await aRecord(`/v3/${kind}`, { name: 'y' });
      expect((await ims.get(path, rita)).body).toEqual([record, other]);
      expect((await ims.get(`${path}/${other.id}`, rita)).body).toEqual(other);
      expect((await ims.get(`/v3/${kind}/${record.id}`, alice)).body).toEqual(record);
      const page = await ims.get(`${path}?limit=1`, alice);
      expect([page.body, page.headers.get('link')]).toEqual([
        [record],
        `</apis/ims${path}?limit=1&marker=${record.id}>; rel="next"`,
      ]);
    });

    it('are deleted for good, once', async () => {
      const { id } = await aRecord(path);
      expect((await ims.delete(`${path}/${id}`, rita)).status).toBe(403);
      expect((await ims.delete(`${path}/${id}`, bob)).status).toBe(404);
      expect((await ims.delete(`${path}/${id}`)).status).toBe(401);
      const statuses = await Promise.all([1, 2, 3].map(async () => (await ims.delete(`${path}/${id}`, alice)).status));
      expect(statuses.sort()).toEqual([204, 404, 404]);
      expect((await ims.get(`/v3/deleted/${kind}`, alice)).body).toEqual([]);
      for (const unknown of [id, UNKNOWN_ID, 'x']) {
        expect((await ims.delete(`${path}/${unknown}`, alice)).body).toEqual(problem(404, 'Not Found', NOT_FOUND));
      }
    });

    it('are deleted all at once, but for those that version 3 has deleted', async () => {
      const { id } = await aRecord(`/v3/${kind}`);
      await ims.delete(`/v3/${kind}/${id}`, alice);
      expect((await ims.get(`${path}/${id}`, alice)).status).toBe(404);
      expect((await ims.delete(`${path}/${id}`, alice)).status).toBe(404);
      await aRecord(path);
      await aRecord(path);
      expect((await ims.delete(path, rita)).status).toBe(403);
      expect((await ims.delete(path, bob)).status).toBe(204);
      expect((await ims.get(path, alice)).body).toHaveLength(2);
      expect((await ims.delete(path, alice)).status).toBe(204);
      expect((await ims.get(path, alice)).body).toEqual([]);
      expect((await ims.get(`/v3/deleted/${kind}`, alice)).body).toMatchObject([{ id }]);
    });

    it('are checked as in version 3', async () => {
      expect((await ims.post(path, {}, alice)).body).toEqual(problem(400, 'Bad Request', NO_INPUT));
      const { body } = await ims.post(path, wanted(kind, { name: 5, id: UNKNOWN_ID }), alice);
      const errors = { name: expect.any(Array), id: expect.any(Array) };
      expect(body).toEqual({ ...problem(422, 'Unprocessable Entity', INVALID_FIELDS), errors });
      expect((await ims.post(path, wanted(kind), rita)).status).toBe(403);
      const { id } = await aRecord(path);
      const patched = await ims.patch(`${path}/${id}`, { arch: 'aarch64' }, alice);
      if (kind === 'public-keys') expect(patched.status).toBe(405);
      else expect([patched.status, patched.body.arch]).toEqual([200, 'aarch64']);
    });
  });

  describe.each(['images', 'recipes'])('%s with a link', (kind) => {
    const path = `${version}/${kind}`;

    it('take their objects along, one or all', async () => {
      for (const many of ['one', 'all']) {
        const objects = await objectsFor(kind);
        const { id } = await aRecord(path, { link: link(objects[0]!) });
        const cascade = many === 'one' ? '?cascade=Yes' : '';
        expect((await ims.delete(`${path}${many === 'one' ? `/${id}` : ''}${cascade}`, alice)).status).toBe(204);
        for (const object of objects)
          expect([await isThere(object), await isThere(below(object))]).toEqual([false, false]);
      }
    });

    it('leave their objects where they are without cascade, one or all', async () => {
      for (const many of ['one', 'all']) {
        const objects = await objectsFor(kind);
        const { id } = await aRecord(path, { link: link(objects[0]!) });
        expect((await ims.delete(`${path}${many === 'one' ? `/${id}` : ''}?cascade=false`, alice)).status).toBe(204);
        for (const object of objects)
          expect([await isThere(object), await isThere(below(object))]).toEqual([true, false]);
        // They are nobody's now: they can be registered again, and go with that.
        const again = await aRecord(path, { link: link(objects[0]!) });
        expect((await ims.delete(`${path}/${again.id}`, alice)).status).toBe(204);
        for (const object of objects) expect(await isThere(object)).toBe(false);
      }
    });
  });

  it('has the jobs of version 3', async () => {
    const [archive] = await objectsFor('recipes');
    const recipe = await aRecord(`${version}/recipes`, { link: link(archive!) });
    const key = await aRecord(`${version}/public-keys`);
    const wantedJob = {
      job_type: 'create',
      artifact_id: recipe.id,
      public_key_id: key.id,
      image_root_archive_name: 'a',
    };
    const { status, body: job } = await ims.post(`${version}/jobs`, wantedJob, alice);
    expect([status, job.status]).toEqual([201, 'creating']);
    expect((await ims.get(`/v3/jobs/${job.id}`, rita)).body).toEqual(job);
    expect((await ims.get(`${version}/jobs`, rita)).body).toEqual([job]);
    expect((await ims.patch(`${version}/jobs/${job.id}`, { status: 'fetching_recipe' }, alice)).body.status).toBe(
      'fetching_recipe',
    );
    expect((await ims.get(`${version}/jobs/${job.id}/log`, rita)).status).toBe(200);
    expect((await ims.post(`${version}/jobs/${job.id}/cancel`, undefined, alice)).status).toBe(202);
    expect((await ims.delete(`${version}/jobs?status=success`, alice)).status).toBe(204);
    expect((await ims.delete(`${version}/jobs/${job.id}`, rita)).status).toBe(403);
    expect((await ims.delete(`${version}/jobs/${job.id}`, alice)).status).toBe(204);
    expect((await ims.get(`/v3/jobs/${job.id}`, alice)).status).toBe(404);
  });

  it('has no deleted records', async () => {
    expect((await ims.get(`${version}/deleted/images`, alice)).status).toBe(404);
  });
});

it('keeps objects that others need', async () => {
  const [manifest, rootfs] = (await objectsFor('images')) as [string, string];
  const other = manifest.replace('manifest.json', 'other.json');
  const text = JSON.stringify({ version: '1.0', artifacts: [{ type: ROOTFS, link: link(rootfs) }] });
  await ims.upload('boot-images', other.slice('s3://boot-images/'.length), text, alice);
  const gone = await aRecord('/images', { link: link(manifest) });
  const kept = await aRecord('/images', { link: link(other) });
  expect((await ims.delete(`/images/${gone.id}`, alice)).status).toBe(204);
  expect([await isThere(manifest), await isThere(rootfs), await isThere(other)]).toEqual([false, true, true]);
  expect((await ims.delete(`/v3/images/${kept.id}`, alice)).status).toBe(204);
  expect((await ims.patch(`/v3/deleted/images/${kept.id}`, { operation: 'undelete' }, alice)).status).toBe(204);
  expect(await isThere(rootfs)).toBe(true);
});
