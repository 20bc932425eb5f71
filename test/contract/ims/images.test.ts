// The exchanges are those of the Image Management Service v3 description: images, and its image manifest 1.0.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { ImsClient, INVALID_FIELDS, NO_INPUT, NOT_FOUND, problem, TIME, UNKNOWN_ID, UUID } from './wire.js';

const PATH = '/v3/images';
const ROOTFS = 'application/vnd.cray.image.rootfs.squashfs';
const KERNEL = 'application/vnd.cray.image.kernel';

let kiln: RunningKiln;
let ims: ImsClient;
let root: string;
let alice: string;
let bob: string;
let rita: string;

beforeAll(async () => {
  const projects = STANDARD_BOOTSTRAP.projects.map((project) =>
    project.name === 'beta' ? { ...project, limits: { images: 3 } } : project,
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
  for (const token of [alice, bob]) expect((await ims.delete(PATH, token)).status).toBe(204);
});

let uploads = 0;
const link = (path: string, etag?: string) => ({ path, type: 's3', ...(etag === undefined ? {} : { etag }) });

/** Puts a root file system, a kernel and a manifest; returns the address of the manifest. */
async function aManifest(
  change: (manifest: Record<string, unknown>) => unknown = (manifest) => manifest,
  token = alice,
) {
  const prefix = `set-${(uploads += 1)}`;
  const rootfs = await ims.upload('boot-images', `${prefix}/rootfs`, `hsqs ${uploads}`, token);
  const kernel = await ims.upload('boot-images', `${prefix}/kernel`, `kernel ${uploads}`, token);
  const manifest = change({
    version: '1.0',
    created: '2031-05-04 10:20:30',
    artifacts: [
      { type: ROOTFS, md5: '0f343b0931126a20f133d67c2b018a3b', link: link(rootfs, 'x-42') },
      { type: KERNEL, link: link(kernel) },
    ],
  });
  const asItIs = typeof manifest === 'string' || manifest instanceof Uint8Array;
  const text = asItIs ? manifest : JSON.stringify(manifest);
  return ims.upload('boot-images', `${prefix}/manifest.json`, text, token);
}

async function anImage(more: object = {}, token = alice) {
  const { status, body } = await ims.post(PATH, { name: 'i', ...more }, token);
  expect([status, body]).toEqual([201, expect.any(Object)]);
  return body;
}

async function glance(method: string, path: string, token: string, body?: unknown) {
  const json = body !== undefined && typeof body !== 'string';
  const reply = await fetch(`${kiln.url}/image/v2/images${path}`, {
    method,
    headers: {
      'x-auth-token': token,
      ...(body === undefined ? {} : { 'content-type': json ? 'application/json' : 'application/octet-stream' }),
    },
    body: json ? JSON.stringify(body) : body,
  });
  return { status: reply.status, text: await reply.text() };
}

describe('POST /v3/images without a link', () => {
  it('makes an empty record, which is a queued, private image of Glance', async () => {
    const record = await anImage();
    expect(record).toEqual({
      id: expect.stringMatching(UUID),
      created: expect.stringMatching(TIME),
      name: 'i',
      link: null,
      arch: 'x86_64',
      metadata: {},
    });
    expect((await ims.get(`${PATH}/${record.id}`, rita)).body).toEqual(record);
    expect(JSON.parse((await glance('GET', `/${record.id}`, alice)).text)).toMatchObject({
      status: 'queued',
      visibility: 'private',
      disk_format: null,
      container_format: null,
    });
  });

  it.each([
    ['a map', { a: '1', b: '' }, { a: '1', b: '' }],
    ['a pair', { key: 'a', value: '1' }, { a: '1' }],
    ['a pair without a value', { key: 'a' }, { a: '' }],
  ])('takes metadata as %s', async (_what, metadata, kept) => {
    expect((await anImage({ metadata, arch: 'aarch64' })).metadata).toEqual(kept);
  });

  it.each([
    ['null', null, { _schema: expect.any(Array) }],
    ['a list', [], { _schema: expect.any(Array) }],
    ['a number as value', { k: 5, l: 'x' }, { k: { value: expect.any(Array) } }],
    ['NUL', { k: '\0' }, { k: { value: expect.any(Array) } }],
    ['the architecture', { architecture: 'x86_64' }, { architecture: { value: expect.any(Array) } }],
    ['a pair with more', { key: 'k', value: 5, more: 1 }, { value: expect.any(Array), more: expect.any(Array) }],
  ])('refuses metadata with %s', async (_what, metadata, faults) => {
    const { status, body } = await ims.post(PATH, { name: 'i', metadata, id: 'x' }, alice);
    expect(status).toBe(422);
    expect(body).toEqual({
      ...problem(422, 'Unprocessable Entity', INVALID_FIELDS),
      errors: { metadata: faults, id: expect.any(Array) },
    });
  });

  it('refuses metadata that only Kiln writes, or that other faces have an attribute for', async () => {
    for (const key of ['kiln_job_id', 'os_glance_importing', 'owner']) {
      const { status, body } = await ims.post(PATH, { name: 7, metadata: { [key]: 'x' } }, alice);
      const faults = { name: expect.any(Array), metadata: { [key]: { value: expect.any(Array) } } };
      expect([status, body.errors]).toEqual([422, faults]);
    }
  });

  it('refuses a kernel that is no id of an image', async () => {
    const { status, body } = await ims.post(PATH, { name: 'i', metadata: { kernel_id: 'vmlinuz' } }, alice);

    expect([status, body.errors]).toEqual([422, { metadata: { kernel_id: { value: expect.any(Array) } } }]);
  });

  it('refuses more images than the project may have', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ims.post(PATH, { name: 'i' }, bob)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.find(({ status }) => status !== 201)!.body).toEqual(
      problem(422, 'Unprocessable Entity', expect.stringContaining('3 images')),
    );
  });
});

describe('POST /v3/images with a link', () => {
  it('makes an active image whose file is the root file system', async () => {
    const path = await aManifest();
    const record = await anImage({ link: link(path), arch: 'aarch64' });
    expect(record).toMatchObject({ link: { path, etag: '', type: 's3' }, arch: 'aarch64', metadata: {} });

    const shown = JSON.parse((await glance('GET', `/${record.id}`, alice)).text);
    expect(shown).toMatchObject({
      status: 'active',
      visibility: 'private',
      disk_format: 'raw',
      container_format: 'bare',
      kiln_content: 'squashfs',
      architecture: 'aarch64',
      os_hash_algo: 'sha512',
      os_hash_value: expect.stringMatching(/^[0-9a-f]{128}$/),
    });
    const file = await glance('GET', `/${record.id}/file`, alice);
    expect(file.text).toBe(`hsqs ${uploads}`);
    expect(shown.size).toBe(file.text.length);
  });

  it('registers one of many that race for a link', async () => {
    const path = await aManifest();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ims.post(PATH, { name: 'i', link: link(path) }, alice)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(422)]);
    expect((await ims.get(PATH, alice)).body).toHaveLength(1);
  });

  type Manifest = Record<string, unknown> & { artifacts: Record<string, unknown>[] };
  const entry = (change: (first: Record<string, unknown>) => object) => (manifest: Record<string, unknown>) => {
    const [first, ...others] = (manifest as Manifest).artifacts;
    return { ...manifest, artifacts: [change(first!), ...others] };
  };

  it.each<[string, number, (manifest: Record<string, unknown>) => unknown]>([
    ['is no JSON', 422, () => '{'],
    ['is no UTF-8', 422, () => Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)],
    ['is a list', 422, () => []],
    ['is a number', 422, () => '5'],
    ['is empty', 422, () => ({})],
    ['has no version', 422, ({ artifacts }) => ({ artifacts })],
    ['has another version', 422, (manifest) => ({ ...manifest, version: '2.0' })],
    ['has no artifacts', 422, () => ({ version: '1.0' })],
    ['has artifacts that are no list', 422, () => ({ version: '1.0', artifacts: {} })],
    ['has an entry that is no object', 422, entry(() => [])],
    ['has an entry without a link', 422, entry(({ type }) => ({ type }))],
    ['has a link of another type', 422, entry((first) => ({ ...first, link: { path: 's3://a/b', type: 'http' } }))],
    ['has a link without a path', 422, entry((first) => ({ ...first, link: { type: 's3' } }))],
    ['has a path that is no address', 422, entry((first) => ({ ...first, link: link('/etc/passwd') }))],
    ['names a missing object', 422, entry((first) => ({ ...first, link: link('s3://boot-images/none') }))],
    ["names another project's object", 422, entry((first) => ({ ...first, link: link('s3://boot-images/of-beta') }))],
    ['has an entry without a type', 422, entry((first) => ({ link: first.link }))],
    ['names no root file system', 400, entry((first) => ({ ...first, type: KERNEL }))],
    [
      'names two root file systems',
      400,
      (manifest) => ({
        ...manifest,
        artifacts: (manifest as Manifest).artifacts.map((each) => ({ ...each, type: `${ROOTFS}.zstd` })),
      }),
    ],
    ['has a mebibyte', 400, (manifest) => JSON.stringify(manifest).padEnd(1024 * 1024)],
  ])('refuses a manifest that %s with %i, on POST and on PATCH', async (_what, status, change) => {
    await ims.upload('boot-images', 'of-beta', 'x', bob);
    const path = await aManifest(change);
    const { id } = await anImage();
    const answers = [
      await ims.post(PATH, { name: 'i', link: link(path) }, alice),
      await ims.patch(`${PATH}/${id}`, { arch: 'aarch64', link: link(path) }, alice),
    ];
    for (const { body } of answers) {
      const title = status === 400 ? 'Bad Request' : 'Unprocessable Entity';
      expect(body).toEqual(problem(status, title, expect.stringMatching(/s3:\/\/|\/etc\/passwd/)));
    }
    expect((await ims.get(PATH, alice)).body).toMatchObject([{ id, arch: 'x86_64', link: null }]);
  });

  it('takes unknown members, a suffix behind the type, and nearly a mebibyte', async () => {
    const path = await aManifest((manifest) => {
      const [first, ...others] = (manifest as Manifest).artifacts;
      const artifacts = [{ ...first, type: `${ROOTFS}.zstd`, sha256: 'x' }, ...others];
      return JSON.stringify({ ...manifest, artifacts, more: 1 }).padEnd(1024 * 1024 - 1);
    });
    await anImage({ link: link(path) });
  });

  it('refuses a link to nothing, to another project, and to no address', async () => {
    const path = await aManifest();
    for (const [token, refused] of [
      [alice, 's3://boot-images/nothing'],
      [bob, path],
    ] as const) {
      const { body } = await ims.post(PATH, { name: 'i', link: link(refused) }, token);
      expect(body).toEqual(problem(422, 'Unprocessable Entity', expect.stringContaining(refused)));
    }
    const { body } = await ims.post(PATH, { name: 'i', link: { path: 'x', type: 'ftp' } }, alice);
    expect(body.errors).toEqual({ link: { path: expect.any(Array), type: expect.any(Array) } });
  });
});

describe('PATCH /v3/images/{id}', () => {
  it('sets a link once; the same again changes nothing, another one conflicts', async () => {
    const [path, other] = [await aManifest(), await aManifest()];
    const { id } = await anImage({ metadata: { a: '1' } });
    const set = await ims.patch(`${PATH}/${id}`, { link: link(path, 'e'), arch: 'aarch64' }, alice);
    expect([set.status, set.body]).toEqual([
      200,
      { ...set.body, id, link: { path, etag: 'e', type: 's3' }, arch: 'aarch64', metadata: { a: '1' } },
    ]);
    expect((await glance('GET', `/${id}/file`, alice)).text).toMatch(/^hsqs/);
    expect((await ims.patch(`${PATH}/${id}`, { link: link(path, 'e') }, alice)).status).toBe(200);
    for (const different of [link(other), link(path)]) {
      const refused = await ims.patch(`${PATH}/${id}`, { link: different, arch: 'x86_64' }, alice);
      expect(refused.body).toEqual(problem(409, 'Conflict', expect.stringContaining(id)));
    }
    expect((await ims.get(`${PATH}/${id}`, alice)).body).toEqual(set.body);
  });

  it('does not link an image that has other bytes', async () => {
    const { text } = await glance('POST', '', alice, { name: 'g', disk_format: 'raw', container_format: 'bare' });
    const { id } = JSON.parse(text);
    expect((await glance('PUT', `/${id}/file`, alice, 'bytes')).status).toBe(204);
    const { body } = await ims.patch(`${PATH}/${id}`, { link: link(await aManifest()) }, alice);
    expect(body).toEqual(problem(409, 'Conflict', expect.stringContaining(id)));
    expect((await glance('GET', `/${id}/file`, alice)).text).toBe('bytes');
  });

  it('gives one of two links that race to an image', async () => {
    const paths = await Promise.all([aManifest(), aManifest(), aManifest(), aManifest()]);
    const { id } = await anImage();
    const answers = await Promise.all(paths.map((path) => ims.patch(`${PATH}/${id}`, { link: link(path) }, alice)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  });

  it('sets and removes one key of the metadata', async () => {
    const { id } = await anImage({ metadata: { a: '1' } });
    const change = async (metadata: object) => {
      const { status, body } = await ims.patch(`${PATH}/${id}`, { metadata }, alice);
      return status === 200 ? body.metadata : [status, body.errors];
    };
    expect(await change({ operation: 'set', key: 'b', value: '2' })).toEqual({ a: '1', b: '2' });
    expect(await change({ operation: 'set', key: 'a' })).toEqual({ a: '', b: '2' });
    expect(await change({ operation: 'remove', key: 'a' })).toEqual({ b: '2' });
    expect(await change({ operation: 'remove', key: 'unknown' })).toEqual({ b: '2' });
    const some = expect.any(Array);
    expect(await change({ key: 'a', value: 'b' })).toEqual([422, { metadata: { operation: some } }]);
    expect(await change({ operation: 'move', value: 5 })).toEqual([
      422,
      { metadata: { operation: some, key: some, value: some } },
    ]);
    expect(await change([])).toEqual([422, { metadata: { _schema: some } }]);
    expect(JSON.parse((await glance('GET', `/${id}`, alice)).text)).toMatchObject({ b: '2' });
  });

  it('asks for the record before it looks at the body', async () => {
    const { id } = await anImage();
    const type = { 'content-type': 'text/plain' };
    const missing = await ims.send('PATCH', `${PATH}/${UNKNOWN_ID}`, alice, 'x', type);
    expect(missing.body).toEqual(problem(404, 'Not Found', NOT_FOUND));
    expect((await ims.send('PATCH', `${PATH}/${id}`, bob, 'x', type)).status).toBe(404);
    expect((await ims.send('PATCH', `${PATH}/${id}`, rita, 'x', type)).status).toBe(403);
    expect((await ims.send('PATCH', `${PATH}/${id}`, alice, 'x', type)).status).toBe(415);
    expect((await ims.patch(`${PATH}/${id}`, {}, alice)).body).toEqual(problem(400, 'Bad Request', NO_INPUT));
    const fields = await ims.patch(`${PATH}/${id}`, { name: 'x', link: null }, alice);
    expect([fields.status, Object.keys(fields.body.errors).sort()]).toEqual([422, ['link', 'name']]);
  });
});

it.each([
  ['more characters than there may be, half of them invisible', 'x\uFE0F'.repeat(1024)],
  [
    'more bytes than an index holds',
    Array.from({ length: 1000 }, (_, at) => String.fromCodePoint(0x4e00 + ((at * 7919) % 20_000))).join(''),
  ],
])('refuses a name of %s, of whatever has one', async (_what, name) => {
  const more = { recipe_type: 'kiwi-ng', linux_distribution: 'sles15' };
  const bodies = { images: { name }, recipes: { name, ...more }, 'public-keys': { name, public_key: 'x' } };
  for (const [kind, body] of Object.entries(bodies)) {
    const { status, body: problem } = await ims.post(`/v3/${kind}`, body, alice);
    expect([kind, status, Object.keys(problem.errors ?? {})]).toEqual([kind, 422, ['name']]);
  }
  const { body } = await ims.post('/v3/jobs', { image_root_archive_name: name }, alice);
  expect(Object.keys(body.errors)).toContain('image_root_archive_name');
});

describe('images of other faces', () => {
  const create = async (more: object) => JSON.parse((await glance('POST', '', alice, { name: 'g', ...more })).text).id;

  it('shows architectures in its two words, and leaves out the rest', async () => {
    const ids: string[] = [];
    for (const architecture of ['amd64', 'arm64', 'x86_64', 'riscv64', null, '']) {
      ids.push(await create(architecture === null ? {} : { architecture }));
    }
    const shown = (await ims.get(PATH, alice)).body.map((image: { id: string; arch: string }) => [
      image.id,
      image.arch,
    ]);
    expect(shown).toEqual([
      [ids[0], 'x86_64'],
      [ids[1], 'aarch64'],
      [ids[2], 'x86_64'],
      [ids[4], 'x86_64'],
      [ids[5], 'x86_64'],
    ]);
    expect((await ims.get(`${PATH}/${ids[3]}`, alice)).status).toBe(404);
    const sorted = (await ims.get(`${PATH}?sort=arch:asc,created:asc&limit=10`, alice)).body;
    expect(sorted.map((image: { id: string }) => image.id)).toEqual([ids[1], ids[0], ids[2], ids[4], ids[5]]);
    const arm = (await ims.get(`${PATH}?arch=aarch64`, alice)).body;
    expect(arm.map((image: { id: string }) => image.id)).toEqual([ids[1]]);
  });

  it('shows the id of an image without a name, and none of what is not metadata here', async () => {
    const id = await create({ name: '', architecture: 'x86_64', os_distro: 'debian' });
    expect((await ims.get(`${PATH}/${id}`, alice)).body).toMatchObject({ name: id, metadata: { os_distro: 'debian' } });
  });

  it('shows a project its own images only, public ones of others or not', async () => {
    const mine = await create({});
    const { text } = await glance('POST', '', root, { name: 'public', visibility: 'public' });
    expect((await ims.get(PATH, bob)).body).toEqual([]);
    expect((await ims.get(`${PATH}/${JSON.parse(text).id}`, bob)).status).toBe(404);
    expect((await ims.get(`${PATH}/${mine}`, bob)).status).toBe(404);
    expect((await ims.delete(`${PATH}/${mine}`, bob)).status).toBe(404);
    expect((await ims.get(`${PATH}?marker=${JSON.parse(text).id}`, bob)).status).toBe(400);
    const all = (await ims.get(`${PATH}?owner=all&visibility=public`, root)).body;
    expect(all.map((image: { name: string }) => image.name)).toEqual(['public']);
  });

  it('shows images without a project to nobody', async () => {
    const elsewhere = [
      { name: 'nobody', owner: null },
      { name: 'no-project', owner: 'team-of-another-cloud' },
    ];
    for (const body of elsewhere) {
      const made = await glance('POST', '', root, body);
      expect(made.status).toBe(201);
      const { id } = JSON.parse(made.text) as { id: string };
      const path = `${PATH}/${id}`;
      expect((await ims.get(path, root)).status).toBe(404);
      for (const query of ['owner=all', `owner=${body.owner ?? 'null'}`]) {
        const shown = (await ims.get(`${PATH}?${query}`, root)).body.map((image: { id: string }) => image.id);
        expect(shown).not.toContain(id);
      }
      await glance('DELETE', `/${id}`, root);
      const deleted = `/v3/deleted/images/${id}`;
      expect([(await ims.get(deleted, root)).status, (await ims.delete(deleted, root)).status]).toEqual([404, 404]);
    }
    const { body } = await ims.get('/v3/deleted/images?owner=all', root);
    expect(body.filter(({ name }: { name: string }) => name.startsWith('no'))).toEqual([]);
  });

  it('filters by metadata, name and time, and pages', async () => {
    const ids: string[] = [];
    for (const [name, team] of Object.entries({ c: 'x', a: 'y', b: 'x' })) ids.push(await create({ name, team }));
    const list = async (query: string) =>
      (await ims.get(`${PATH}?${query}`, alice)).body.map((image: { id: string }) => ids.indexOf(image.id));
    expect(await list('metadata.team=x')).toEqual([0, 2]);
    expect(await list('name=a&name=b')).toEqual([1, 2]);
    expect(await list('sort=name:asc&limit=2')).toEqual([1, 2]);
    expect(await list(`sort=name:asc&limit=2&marker=${ids[2]}`)).toEqual([0]);
    expect(await list(`marker=${ids[0]}`)).toEqual([1, 2]);
    const { created } = (await ims.get(`${PATH}/${ids[1]}`, alice)).body;
    expect(await list(`created=${created}`)).toEqual([1]);
    expect(await list(`created=neq:${created}`)).toEqual([0, 2]);
    for (const query of ['arch=i386', 'visibility=secret', 'sort=status', 'limit=0']) {
      const { body } = await ims.get(`${PATH}?${query}`, alice);
      expect(body).toEqual(problem(400, 'Bad Request', expect.stringContaining(query.split('=')[0]!)));
    }
  });
});

describe('DELETE /v3/images', () => {
  it('deletes one, once, and moves its artifacts below deleted/', async () => {
    const path = await aManifest();
    const { id } = await anImage({ link: link(path) });
    const statusOf = async (key: string) =>
      (await fetch(`${kiln.url}/artifacts/boot-images/${key}`, { headers: { 'x-auth-token': alice } })).status;
    const prefix = path.split('/').at(-2)!;

    expect((await ims.delete(`${PATH}/${id}`, rita)).status).toBe(403);
    const statuses = await Promise.all([1, 2, 3].map(async () => (await ims.delete(`${PATH}/${id}`, alice)).status));

    expect(statuses.sort()).toEqual([204, 404, 404]);
    for (const name of ['rootfs', 'kernel', 'manifest.json']) {
      expect([await statusOf(`${prefix}/${name}`), await statusOf(`deleted/${prefix}/${name}`)]).toEqual([404, 200]);
    }
    expect((await glance('GET', `/${id}`, alice)).status).toBe(404);
  });

  it('leaves objects in place that another image needs', async () => {
    const first = await aManifest();
    const shared = first.replace('manifest.json', 'other.json');
    const text = await (
      await fetch(`${kiln.url}/artifacts/${first.slice(5)}`, { headers: { 'x-auth-token': alice } })
    ).text();
    await ims.upload('boot-images', shared.slice('s3://boot-images/'.length), text, alice);
    const { id } = await anImage({ link: link(first) });
    const other = await anImage({ link: link(shared) });

    expect((await ims.delete(`${PATH}/${id}`, alice)).status).toBe(204);

    expect((await glance('GET', `/${other.id}/file`, alice)).text).toMatch(/^hsqs/);
    const rootfs = first.slice(5).replace('manifest.json', 'rootfs');
    expect((await fetch(`${kiln.url}/artifacts/${rootfs}`, { headers: { 'x-auth-token': alice } })).status).toBe(200);
    expect((await ims.delete(`${PATH}/${other.id}`, alice)).status).toBe(204);
    expect((await fetch(`${kiln.url}/artifacts/${rootfs}`, { headers: { 'x-auth-token': alice } })).status).toBe(404);
  });

  it('conflicts for protected images, which a collection delete leaves', async () => {
    const { text } = await glance('POST', '', alice, { name: 'p', protected: true });
    const { id } = JSON.parse(text);
    await anImage();
    expect((await ims.delete(`${PATH}/${id}`, alice)).body).toEqual(problem(409, 'Conflict', expect.any(String)));
    expect((await ims.delete(PATH, alice)).status).toBe(204);
    expect((await ims.get(PATH, alice)).body).toMatchObject([{ id }]);
    const patch = [{ op: 'replace', path: '/protected', value: false }];
    await fetch(`${kiln.url}/image/v2/images/${id}`, {
      method: 'PATCH',
      headers: { 'x-auth-token': alice, 'content-type': 'application/openstack-images-v2.1-json-patch' },
      body: JSON.stringify(patch),
    });
    expect((await ims.delete(`${PATH}/${id}`, alice)).status).toBe(204);
  });

  it('is refused to readers', async () => {
    expect((await ims.delete(PATH, rita)).status).toBe(403);
    expect((await ims.post(PATH, { name: 'x' }, rita)).status).toBe(403);
  });
});
