// The exchanges are those of the Image Management Service v3 description: deleted images, recipes and public keys.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { ImsClient, INVALID_FIELDS, NO_INPUT, NOT_FOUND, problem, TIME, UNKNOWN_ID } from './wire.js';

const KINDS = ['images', 'recipes', 'public-keys'] as const;
type Kind = (typeof KINDS)[number];
const ROOTFS = 'application/vnd.cray.image.rootfs.squashfs';
const KERNEL = 'application/vnd.cray.image.kernel';
const MANIFEST = 'application/vnd.cray.image.manifest';
const UNDELETE = { operation: 'undelete' };

let kiln: RunningKiln;
let ims: ImsClient;
let root: string;
let alice: string;
let bob: string;
let rita: string;

beforeAll(async () => {
  const limits = { images: 1, recipes: 1, keys: 1, storage_bytes: 1000 };
  const projects = STANDARD_BOOTSTRAP.projects.map((project) =>
    project.name === 'beta' ? { ...project, limits } : project,
  );
  kiln = await startKiln({ bootstrap: { ...STANDARD_BOOTSTRAP, projects }, env: { KILN_ROLE: 'api' } });
  ims = new ImsClient(kiln);
  [root, alice, bob, rita] = (await Promise.all(['root', 'alice', 'bob', 'rita'].map((user) => kiln.token(user)))) as [
    string,
    string,
    string,
    string,
  ];
});
afterAll(() => kiln?.stop());
beforeEach(async () => {
  for (const token of [alice, bob]) {
    for (const kind of KINDS) {
      expect((await ims.delete(`/v3/${kind}`, token)).status).toBe(204);
      expect((await ims.delete(`/v3/deleted/${kind}`, token)).status).toBe(204);
    }
  }
});

let uploads = 0;
const link = (path: string, etag?: string) => ({ path, type: 's3', ...(etag === undefined ? {} : { etag }) });

/** Puts a root file system, a kernel and their manifest; returns where they are. */
async function aManifest(token = alice, change: (artifacts: object[]) => object[] = (artifacts) => artifacts) {
  const prefix = `deleted-set-${(uploads += 1)}`;
  const rootfs = await ims.upload('boot-images', `${prefix}/rootfs`, `hsqs ${uploads}`, token);
  const kernel = await ims.upload('boot-images', `${prefix}/kernel`, `kernel ${uploads}`, token);
  const artifacts = change([
    { type: ROOTFS, md5: '0f343b0931126a20f133d67c2b018a3b', link: link(rootfs, 'x-42') },
    { type: KERNEL, link: link(kernel) },
  ]);
  const text = JSON.stringify({ version: '1.0', created: '2031-05-04 10:20:30', artifacts });
  const manifest = await ims.upload('boot-images', `${prefix}/manifest.json`, text, token);
  return { manifest, rootfs, kernel };
}

const anArchive = (token = alice) => ims.upload('ims', `deleted-${(uploads += 1)}.tar.gz`, `archive ${uploads}`, token);

function wanted(kind: Kind, more: object = {}) {
  switch (kind) {
    case 'images':
      return { name: 'i', metadata: { color: 'red' }, arch: 'aarch64', ...more };
    case 'recipes': {
      const template_dictionary = [{ key: 'k', value: 'v' }];
      return { name: 'r', recipe_type: 'packer', linux_distribution: 'sles15', template_dictionary, ...more };
    }
    case 'public-keys':
      return { name: 'k', public_key: 'ssh-ed25519 AAAA\n', ...more };
  }
}

async function aRecord(kind: Kind, more: object = {}, token = alice) {
  const { status, body } = await ims.post(`/v3/${kind}`, wanted(kind, more), token);
  expect([status, body]).toEqual([201, expect.any(Object)]);
  return body;
}

async function aDeleted(kind: Kind, more: object = {}, token = alice) {
  const record = await aRecord(kind, more, token);
  expect((await ims.delete(`/v3/${kind}/${record.id}`, token)).status).toBe(204);
  return record;
}

/** What lies at an address; null when nothing does. */
async function textAt(path: string, token = alice): Promise<string | null> {
  const reply = await fetch(`${kiln.url}/artifacts/${path.slice('s3://'.length)}`, {
    headers: { 'x-auth-token': token },
  });
  const text = await reply.text();
  return reply.status === 200 ? text : null;
}

const deletedPlace = (path: string) => path.replace(/^(s3:\/\/[^/]+\/)/, '$1deleted/');

describe.each(KINDS)('/v3/deleted/%s', (kind) => {
  const live = `/v3/${kind}`;
  const deleted = `/v3/deleted/${kind}`;

  it('shows what was deleted, with the time of that, and gives it back as it was', async () => {
    const record = await aDeleted(kind);
    const { status, body } = await ims.get(`${deleted}/${record.id}`, rita);
    expect([status, body]).toEqual([200, { ...record, deleted: expect.stringMatching(TIME) }]);
    expect((await ims.get(deleted, rita)).body).toEqual([body]);

    const answer = await ims.patch(`${deleted}/${record.id}`, UNDELETE, alice);

    expect([answer.status, answer.body]).toEqual([204, '']);
    expect((await ims.get(`${live}/${record.id}`, alice)).body).toEqual(record);
    expect((await ims.get(deleted, alice)).body).toEqual([]);
    expect((await ims.patch(`${deleted}/${record.id}`, UNDELETE, alice)).status).toBe(404);
  });

  it('purges once, and for good', async () => {
    const { id } = await aDeleted(kind);
    const statuses = await Promise.all([1, 2, 3].map(async () => (await ims.delete(`${deleted}/${id}`, alice)).status));
    expect(statuses.sort()).toEqual([204, 404, 404]);
    for (const path of [`${live}/${id}`, `${deleted}/${id}`]) {
      expect((await ims.get(path, alice)).body).toEqual(problem(404, 'Not Found', NOT_FOUND));
    }
    expect((await ims.patch(`${deleted}/${id}`, UNDELETE, alice)).status).toBe(404);
  });

  it('restores one once, however many ask for it', async () => {
    const { id } = await aDeleted(kind);
    const answers = await Promise.all([1, 2, 3].map(() => ims.patch(`${deleted}/${id}`, UNDELETE, alice)));
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404]);
  });

  it('knows no live record, nor what is no id', async () => {
    const { id } = await aRecord(kind);
    for (const unknown of [id, UNKNOWN_ID, 'nonsense', id.toUpperCase()]) {
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const { body } = await ims.send(method, `${deleted}/${unknown}`, alice);
        expect(body).toEqual(problem(404, 'Not Found', NOT_FOUND));
      }
    }
    expect((await ims.get(`${live}/${id}`, alice)).status).toBe(200);
  });

  it('is for readers to read, for members to change, and for nobody else', async () => {
    const { id } = await aDeleted(kind);
    for (const path of [deleted, `${deleted}/${id}`]) {
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const body = method === 'PATCH' ? UNDELETE : undefined;
        expect((await ims.send(method, path, rita, body)).status).toBe(method === 'GET' ? 200 : 403);
        expect((await ims.send(method, path, 'wrong', body)).status).toBe(401);
        expect((await ims.send(method, path, undefined, body)).status).toBe(401);
        if (path !== deleted) expect((await ims.send(method, path, bob, body)).status).toBe(404);
      }
    }
    expect((await ims.get(deleted, bob)).body).toEqual([]);
    expect((await ims.patch(deleted, UNDELETE, bob)).status).toBe(204);
    expect((await ims.delete(deleted, bob)).status).toBe(204);
    expect((await ims.get(`${deleted}/${id}`, root)).status).toBe(200);
    expect((await ims.patch(`${deleted}/${UNKNOWN_ID}`, UNDELETE, rita)).status).toBe(404);
  });

  it('takes one operation, which has to be named', async () => {
    const { id } = await aDeleted(kind);
    for (const path of [deleted, `${deleted}/${id}`]) {
      const type = { 'content-type': 'text/plain' };
      expect((await ims.send('PATCH', path, alice, 'x', type)).status).toBe(415);
      expect((await ims.send('PATCH', path, alice, '{', { 'content-type': 'application/json' })).status).toBe(400);
      for (const nothing of [{}, [], null, '', 0, false]) {
        expect((await ims.patch(path, nothing, alice)).body).toEqual(problem(400, 'Bad Request', NO_INPUT));
      }
      for (const operation of ['delete', null, 1, '', 'Undelete']) {
        const { body } = await ims.patch(path, { operation }, alice);
        const errors = { operation: expect.any(Array) };
        expect(body).toEqual({ ...problem(422, 'Unprocessable Entity', INVALID_FIELDS), errors });
      }
      const more = await ims.patch(path, { ...UNDELETE, name: 'x' }, alice);
      expect([more.status, Object.keys(more.body.errors)]).toEqual([422, ['name']]);
      expect(Object.keys((await ims.patch(path, { name: 'x' }, alice)).body.errors).sort()).toEqual([
        'name',
        'operation',
      ]);
      expect((await ims.patch(path, [1], alice)).body.errors).toEqual({ _schema: expect.any(Array) });
    }
    expect((await ims.send('POST', deleted, alice, {})).status).toBe(405);
    expect((await ims.get(`${deleted}/${id}`, alice)).status).toBe(200);
  });

  it('restores and purges all of the project', async () => {
    const records = [];
    for (const name of ['a', 'b', 'c']) records.push(await aDeleted(kind, { name }));
    expect((await ims.patch(deleted, UNDELETE, alice)).status).toBe(204);
    expect((await ims.get(live, alice)).body).toEqual(records);
    expect((await ims.patch(deleted, UNDELETE, alice)).status).toBe(204);
    expect((await ims.delete(live, alice)).status).toBe(204);
    expect((await ims.delete(deleted, alice)).status).toBe(204);
    expect((await ims.get(deleted, alice)).body).toEqual([]);
    expect((await ims.delete(deleted, alice)).status).toBe(204);
  });

  it('counts what comes back, and keeps what there is no room for', async () => {
    const first = await aDeleted(kind, {}, bob);
    const second = await aRecord(kind, {}, bob);
    const refused = await ims.patch(`${deleted}/${first.id}`, UNDELETE, bob);
    expect(refused.body).toEqual(problem(422, 'Unprocessable Entity', expect.stringMatching(/limit/i)));
    const all = await ims.patch(deleted, UNDELETE, bob);
    expect([all.status, all.body.errors]).toEqual([422, { [first.id]: [expect.stringMatching(/limit/i)] }]);
    expect((await ims.get(`${deleted}/${first.id}`, bob)).status).toBe(200);

    expect((await ims.delete(`${live}/${second.id}`, bob)).status).toBe(204);
    expect((await ims.patch(`${deleted}/${first.id}`, UNDELETE, bob)).status).toBe(204);
    expect((await ims.post(live, wanted(kind), bob)).status).toBe(422);
  });

  it('pages, sorts and filters', async () => {
    for (const name of ['b', 'a', 'd', 'c']) await aRecord(kind, { name });
    const records = (await ims.get(live, alice)).body as { id: string; name: string }[];
    for (const record of records.toReversed()) await ims.delete(`${live}/${record.id}`, alice);
    const names = async (query: string) =>
      (await ims.get(`${deleted}?${query}`, alice)).body.map((record: { name: string }) => record.name).join('');

    expect(await names('')).toBe('badc');
    expect(await names('sort=deleted:asc')).toBe('cdab');
    expect(await names('sort=name:asc')).toBe('abcd');
    expect(await names('name=a&name=c')).toBe('ac');
    expect(await names('deleted=gte:2100-01-01')).toBe('');
    expect(await names('deleted=lt:2100-01-01&created=lt:2100-01-01')).toBe('badc');

    let seen = '';
    let next: string | undefined = `${deleted}?limit=1&sort=deleted:desc`;
    while (next !== undefined) {
      const page = await ims.get(next, alice);
      seen += page.body[0].name;
      next = /^<\/apis\/ims(.*)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1];
    }
    expect(seen).toBe('badc');
    for (const bad of ['limit=0', 'sort=color', `marker=${UNKNOWN_ID}`, 'deleted=soon']) {
      expect((await ims.get(`${deleted}?${bad}`, alice)).status).toBe(400);
    }
    expect((await ims.get(`${deleted}?owner=all`, alice)).status).toBe(403);
    expect((await ims.get(`${deleted}?owner=all`, root)).body).toHaveLength(4);
    // A marker that came back serves on, where its place is still known.
    const [first] = (await ims.get(deleted, alice)).body;
    await ims.patch(`${deleted}/${first.id}`, UNDELETE, alice);
    expect(await names(`marker=${first.id}`)).toBe('adc');
    expect((await ims.get(`${deleted}?marker=${first.id}&sort=deleted`, alice)).status).toBe(400);
  });
});

describe('recipes with an archive', () => {
  it('moves the archive below deleted/ and back', async () => {
    const path = await anArchive();
    const text = await textAt(path);
    const record = await aDeleted('recipes', { link: link(path) });
    const shown = (await ims.get(`/v3/deleted/recipes/${record.id}`, alice)).body;
    expect(shown).toEqual({
      ...record,
      link: { path: deletedPlace(path), etag: expect.stringMatching(/^[0-9a-f]{32}$/), type: 's3' },
      deleted: expect.stringMatching(TIME),
    });
    expect([await textAt(path), await textAt(deletedPlace(path))]).toEqual([null, text]);

    expect((await ims.patch(`/v3/deleted/recipes/${record.id}`, UNDELETE, alice)).status).toBe(204);

    const { body } = await ims.get(`/v3/recipes/${record.id}`, alice);
    expect(body).toEqual({ ...record, link: { path, etag: shown.link.etag, type: 's3' } });
    expect([await textAt(path), await textAt(deletedPlace(path))]).toEqual([text, null]);
  });

  it('conflicts where something else has taken the place', async () => {
    const path = await anArchive();
    const { id } = await aDeleted('recipes', { link: link(path) });
    await ims.upload('ims', path.slice('s3://ims/'.length), 'something else', alice);
    const refused = await ims.patch(`/v3/deleted/recipes/${id}`, UNDELETE, alice);
    expect(refused.body).toEqual(problem(409, 'Conflict', expect.stringContaining(path)));
    const all = await ims.patch('/v3/deleted/recipes', UNDELETE, alice);
    expect([all.status, all.body.errors]).toEqual([422, { [id]: [expect.stringContaining(path)] }]);
    expect(await textAt(path)).toBe('something else');
    expect((await ims.get(`/v3/deleted/recipes/${id}`, alice)).status).toBe(200);
  });

  it('takes the same bytes for the archive, but not from another recipe', async () => {
    const path = await anArchive();
    const text = (await textAt(path))!;
    const { id } = await aDeleted('recipes', { link: link(path) });
    await ims.upload('ims', path.slice('s3://ims/'.length), text, alice);
    const other = await aRecord('recipes', { link: link(path) });
    const refused = await ims.patch(`/v3/deleted/recipes/${id}`, UNDELETE, alice);
    expect(refused.body).toEqual(problem(409, 'Conflict', expect.stringContaining(path)));

    await ims.delete(`/v3/recipes/${other.id}`, alice);
    await ims.delete(`/v3/deleted/recipes/${other.id}`, alice);
    await ims.upload('ims', path.slice('s3://ims/'.length), text, alice);
    expect((await ims.patch(`/v3/deleted/recipes/${id}`, UNDELETE, alice)).status).toBe(204);
    expect((await ims.get(`/v3/recipes/${id}`, alice)).body.link.path).toBe(path);
    expect([await textAt(path), await textAt(deletedPlace(path))]).toEqual([text, null]);
  });

  it('restores those of many that it can', async () => {
    const path = await anArchive();
    const lost = await aDeleted('recipes', { name: 'first', link: link(path) });
    const found = await aDeleted('recipes', { name: 'second' });
    await ims.upload('ims', path.slice('s3://ims/'.length), 'something else', alice);
    const { status, body } = await ims.patch('/v3/deleted/recipes', UNDELETE, alice);
    expect([status, body]).toEqual([
      422,
      {
        ...problem(422, 'Unprocessable Entity', expect.any(String)),
        errors: { [lost.id]: [expect.stringContaining(path)] },
      },
    ]);
    expect((await ims.get('/v3/recipes', alice)).body).toEqual([found]);
  });

  it('removes the archive with the record, and frees its name', async () => {
    const path = await anArchive();
    const { id } = await aDeleted('recipes', { link: link(path) });
    expect((await ims.delete(`/v3/deleted/recipes/${id}`, alice)).status).toBe(204);
    expect([await textAt(path), await textAt(deletedPlace(path))]).toEqual([null, null]);
  });

  it('refuses links to what only a deleted record has', async () => {
    const path = await anArchive();
    await aDeleted('recipes', { link: link(path) });
    const { body } = await ims.post('/v3/recipes', wanted('recipes', { link: link(deletedPlace(path)) }), alice);
    expect(body).toEqual(problem(422, 'Unprocessable Entity', expect.stringContaining(deletedPlace(path))));
  });

  it('has no room for bytes that came in between', async () => {
    const path = await ims.upload('ims', 'large.tar.gz', 'x'.repeat(900), bob);
    const { id } = await aDeleted('recipes', { link: link(path) }, bob);
    await ims.upload('ims', 'other', 'y'.repeat(500), bob);
    const refused = await ims.patch(`/v3/deleted/recipes/${id}`, UNDELETE, bob);
    expect(refused.body).toEqual(problem(422, 'Unprocessable Entity', expect.stringMatching(/limit/i)));
    expect(await textAt(deletedPlace(path), bob)).toHaveLength(900);
    await fetch(`${kiln.url}/artifacts/ims/other`, { method: 'DELETE', headers: { 'x-auth-token': bob } });
    expect((await ims.patch(`/v3/deleted/recipes/${id}`, UNDELETE, bob)).status).toBe(204);
    expect(await textAt(path, bob)).toHaveLength(900);
  });
});

describe('images with a manifest', () => {
  it('writes down where the artifacts went, and moves them back', async () => {
    const { manifest, rootfs, kernel } = await aManifest();
    const before = await Promise.all([manifest, rootfs, kernel].map((path) => textAt(path)));
    const record = await aDeleted('images', { link: link(manifest) });
    const path = `s3://boot-images/deleted/${record.id}/deleted_manifest.json`;

    const shown = (await ims.get(`/v3/deleted/images/${record.id}`, alice)).body;
    const time = expect.stringMatching(TIME);
    expect(shown).toEqual({ ...record, link: { path, etag: '', type: 's3' }, deleted: time });
    const etag = expect.stringMatching(/^[0-9a-f]{32}$/);
    const moved = (at: string) => ({ path: deletedPlace(at), etag, type: 's3' });
    expect(JSON.parse((await textAt(path))!)).toEqual({
      version: '1.0',
      created: shown.deleted.slice(0, 19).replace('T', ' '),
      artifacts: [
        { type: ROOTFS, md5: '0f343b0931126a20f133d67c2b018a3b', link: moved(rootfs) },
        { type: KERNEL, link: moved(kernel) },
        { type: MANIFEST, link: moved(manifest) },
      ],
    });

    expect((await ims.patch(`/v3/deleted/images/${record.id}`, UNDELETE, alice)).status).toBe(204);

    const { body } = await ims.get(`/v3/images/${record.id}`, alice);
    expect(body).toEqual({ ...record, link: { path: manifest, etag, type: 's3' } });
    expect(await Promise.all([manifest, rootfs, kernel].map((at) => textAt(at)))).toEqual(before);
    expect(await textAt(path)).toBeNull();
    const file = await fetch(`${kiln.url}/image/v2/images/${record.id}/file`, { headers: { 'x-auth-token': alice } });
    expect(await file.text()).toBe(before[1]);
    // As often as one likes.
    expect((await ims.delete(`/v3/images/${record.id}`, alice)).status).toBe(204);
    expect(await textAt(path)).toContain(MANIFEST);
  });

  it('removes every object with the image', async () => {
    const { manifest, rootfs, kernel } = await aManifest();
    const { id } = await aDeleted('images', { link: link(manifest) });
    expect((await ims.delete(`/v3/deleted/images/${id}`, alice)).status).toBe(204);
    const paths = [manifest, rootfs, kernel].flatMap((path) => [path, deletedPlace(path)]);
    paths.push(`s3://boot-images/deleted/${id}/deleted_manifest.json`);
    expect(await Promise.all(paths.map((path) => textAt(path)))).toEqual(paths.map(() => null));
    const again = await fetch(`${kiln.url}/image/v2/images`, {
      method: 'POST',
      headers: { 'x-auth-token': alice, 'content-type': 'application/json' },
      body: JSON.stringify({ id, name: 'x' }),
    });
    expect(again.status).toBe(409);
  });

  it('leaves alone what another image needs, and keeps it in the purge', async () => {
    const first = await aManifest();
    const second = first.manifest.replace('manifest.json', 'other.json');
    await ims.upload('boot-images', second.slice('s3://boot-images/'.length), (await textAt(first.manifest))!, alice);
    const gone = await aRecord('images', { link: link(first.manifest) });
    const kept = await aRecord('images', { link: link(second) });
    await ims.delete(`/v3/images/${gone.id}`, alice);

    const written = JSON.parse((await textAt(`s3://boot-images/deleted/${gone.id}/deleted_manifest.json`))!);
    expect(written.artifacts.map((artifact: { link: { path: string } }) => artifact.link.path)).toEqual([
      first.rootfs,
      first.kernel,
      deletedPlace(first.manifest),
    ]);
    await ims.patch(`/v3/deleted/images/${gone.id}`, UNDELETE, alice);
    expect((await ims.get(`/v3/images/${gone.id}`, alice)).body.link.path).toBe(first.manifest);

    await ims.delete(`/v3/images/${gone.id}`, alice);
    expect((await ims.delete(`/v3/deleted/images/${gone.id}`, alice)).status).toBe(204);
    expect(await textAt(first.rootfs)).toMatch(/^hsqs/);
    expect((await ims.get(`/v3/images/${kept.id}`, alice)).body).toEqual(kept);
  });

  it('brings back two that share everything, in any order', async () => {
    const first = await aManifest();
    const second = first.manifest.replace('manifest.json', 'other.json');
    await ims.upload('boot-images', second.slice('s3://boot-images/'.length), (await textAt(first.manifest))!, alice);
    const one = await aRecord('images', { name: 'one', link: link(first.manifest) });
    const two = await aRecord('images', { name: 'two', link: link(second) });
    expect((await ims.delete('/v3/images', alice)).status).toBe(204);
    expect(await textAt(first.rootfs)).toBeNull();

    for (const { id } of [two, one])
      expect((await ims.patch(`/v3/deleted/images/${id}`, UNDELETE, alice)).status).toBe(204);
    expect((await ims.get('/v3/images', alice)).body).toMatchObject([
      { id: one.id, link: { path: first.manifest } },
      { id: two.id, link: { path: second } },
    ]);
    expect(await textAt(first.rootfs)).toMatch(/^hsqs/);

    // Purged one after the other, the second takes the bytes along.
    await ims.delete('/v3/images', alice);
    expect((await ims.delete('/v3/deleted/images', alice)).status).toBe(204);
    expect(await textAt(deletedPlace(first.rootfs))).toBeNull();
  });

  it('conflicts where an object has taken a place, and changes nothing then', async () => {
    const { manifest, rootfs, kernel } = await aManifest();
    const { id } = await aDeleted('images', { link: link(manifest) });
    await ims.upload('boot-images', kernel.slice('s3://boot-images/'.length), 'another kernel', alice);
    const refused = await ims.patch(`/v3/deleted/images/${id}`, UNDELETE, alice);
    expect(refused.body).toEqual(problem(409, 'Conflict', expect.stringContaining(kernel)));
    expect([await textAt(rootfs), await textAt(kernel)]).toEqual([null, 'another kernel']);
    expect(await textAt(deletedPlace(rootfs))).toMatch(/^hsqs/);
    expect((await ims.get(`/v3/deleted/images/${id}`, alice)).status).toBe(200);
  });

  it('conflicts where another image has the link', async () => {
    const { manifest, rootfs, kernel } = await aManifest();
    const paths = [rootfs, kernel, manifest];
    const texts = await Promise.all(paths.map((path) => textAt(path)));
    const { id } = await aDeleted('images', { link: link(manifest) });
    for (const [index, path] of paths.entries()) {
      await ims.upload('boot-images', path.slice('s3://boot-images/'.length), texts[index]!, alice);
    }
    await aRecord('images', { link: link(manifest) });
    const refused = await ims.patch(`/v3/deleted/images/${id}`, UNDELETE, alice);
    expect(refused.body).toEqual(problem(409, 'Conflict', expect.stringContaining(manifest)));
  });

  it('takes a manifest that names itself, and one with texts that cannot be kept', async () => {
    const prefix = `deleted-set-${uploads + 1}`;
    const own = `s3://boot-images/${prefix}/manifest.json`;
    await ims.upload('boot-images', `${prefix}/manifest.json`, 'not yet', alice);
    const { manifest } = await aManifest(alice, ([rootfs]) => [
      { ...rootfs, md5: 'a\0b' },
      { type: 'itself', link: link(own) },
    ]);
    expect(manifest).toBe(own);
    const { id } = await aDeleted('images', { link: link(manifest) });
    expect((await ims.patch(`/v3/deleted/images/${id}`, UNDELETE, alice)).status).toBe(204);
    expect((await ims.get(`/v3/images/${id}`, alice)).body.link.path).toBe(own);
  });

  it('keeps its word when somebody has taken the place of the deleted manifest', async () => {
    const { manifest } = await aManifest();
    const { id } = await aRecord('images', { link: link(manifest) });
    await ims.upload('boot-images', `deleted/${id}/deleted_manifest.json`, 'mine', alice);
    expect((await ims.delete(`/v3/images/${id}`, alice)).status).toBe(204);
    const { body } = await ims.get(`/v3/deleted/images/${id}`, alice);
    expect(JSON.parse((await textAt(body.link.path))!).artifacts).toHaveLength(3);
    expect(await textAt(`s3://boot-images/deleted/${id}/deleted_manifest.json`)).toBe('mine');
  });
});

it('sorts deleted images by the architecture that it shows', async () => {
  const made: string[] = [];
  for (const architecture of ['x86_64', 'arm64', null, 'amd64', 'aarch64']) {
    const reply = await fetch(`${kiln.url}/image/v2/images`, {
      method: 'POST',
      headers: { 'x-auth-token': alice, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'g', ...(architecture ? { architecture } : {}) }),
    });
    const { id } = (await reply.json()) as { id: string };
    expect((await ims.delete(`/v3/images/${id}`, alice)).status).toBe(204);
    made.push(id);
  }
  const seen: number[] = [];
  for (let marker = ''; ; marker = `&marker=${made[seen.at(-1)!]}`) {
    const page = (await ims.get(`/v3/deleted/images?sort=arch:asc,created:asc&limit=2${marker}`, alice)).body;
    seen.push(...page.map(({ id }: { id: string }) => made.indexOf(id)));
    if (page.length < 2) break;
  }
  expect(seen).toEqual([1, 4, 0, 2, 3]);
});

it('shows here what other faces deleted, but not what this one has no word for', async () => {
  const glance = (method: string, path: string, body?: object) =>
    fetch(`${kiln.url}/image/v2/images${path}`, {
      method,
      headers: { 'x-auth-token': alice, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body && JSON.stringify(body),
    });
  const ids: string[] = [];
  for (const architecture of ['arm64', 'ppc64']) {
    const { id } = (await (await glance('POST', '', { name: 'g', architecture })).json()) as { id: string };
    expect((await glance('DELETE', `/${id}`)).status).toBe(204);
    ids.push(id);
  }
  const [shown, hidden] = ids;
  expect((await ims.get('/v3/deleted/images', alice)).body).toMatchObject([{ id: shown, arch: 'aarch64', link: null }]);
  for (const method of ['GET', 'PATCH', 'DELETE']) {
    expect(
      (await ims.send(method, `/v3/deleted/images/${hidden}`, alice, method === 'PATCH' ? UNDELETE : undefined)).status,
    ).toBe(404);
  }
  expect((await ims.patch('/v3/deleted/images', UNDELETE, alice)).status).toBe(204);
  expect([(await glance('GET', `/${shown}`)).status, (await glance('GET', `/${hidden}`)).status]).toEqual([200, 404]);
});

it('has no deleted jobs', async () => {
  expect((await ims.get('/v3/deleted/jobs', alice)).status).toBe(404);
  expect((await ims.get('/deleted/images', alice)).status).toBe(404);
});
