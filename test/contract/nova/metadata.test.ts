// The exchanges are those of the Compute API reference ("Images", metadata) and of Nova 26.2.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client as PostgresClient } from 'pg';
import { BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { clients, fault, IMAGE_NOT_FOUND, type NovaClient, NOTHING_THERE, UNKNOWN_ID } from './wire.js';

let kiln: RunningKiln;
let root: NovaClient;
let alice: NovaClient;
let bob: NovaClient;
let rita: NovaClient;
let glance: Awaited<ReturnType<typeof clients>>['glance'];

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ glance, root, alice, bob, rita } = await clients(kiln));
});

afterAll(() => kiln?.stop());

const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, 'x']));

/** Properties that only Kiln writes come from builds; here they are put there as a build leaves them. */
async function giveOwnProperties(id: string, properties: Record<string, string>): Promise<void> {
  const database = new PostgresClient({ connectionString: kiln.databaseUrl });
  await database.connect();
  await database.query('UPDATE images SET properties = properties || $2 WHERE id = $1', [id, properties]);
  await database.end();
}

describe('metadata as a whole', () => {
  it('is read, merged and replaced', async () => {
    const { id } = await glance.alice.create({ os_distro: 'debian', auto_disk_config: 'True' });
    const path = `/images/${id}/metadata`;
    const answers = [
      await alice.get(path),
      await alice.post(path, { metadata: { tier: 'gold' } }),
      await alice.put(path, { metadata: { tier: 'iron' } }),
      await alice.get(path),
      await alice.post(path, { metadata: {} }),
      await alice.put(path, { metadata: {} }),
      await alice.get(path),
    ];

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200, 200]);
    expect(answers.map(({ body }) => body)).toEqual([
      { metadata: { os_distro: 'debian', auto_disk_config: 'True' } },
      { metadata: { os_distro: 'debian', auto_disk_config: 'True', tier: 'gold' } },
      { metadata: { tier: 'iron' } },
      { metadata: { tier: 'iron' } },
      { metadata: { tier: 'iron' } },
      { metadata: {} },
      { metadata: {} },
    ]);
  });

  it('changes nothing else of the image, but the time of its last change', async () => {
    const properties = { os_distro: 'debian' };
    for (const visibility of ['private', 'shared', 'community']) {
      const before = await glance.alice.create({ ...properties, visibility, name: 'n', min_ram: 1, protected: true });
      await glance.alice.patch(before.id, [{ op: 'add', path: '/tags', value: ['t'] }]);
      const changed = await alice.put(`/images/${before.id}/metadata`, { metadata: { a: '1' } });
      const after = (await glance.alice.show(before.id)).body;

      const { os_distro: _gone, ...kept } = before;
      expect(changed.status).toBe(200);
      expect(after).toEqual({ ...kept, a: '1', tags: ['t'], updated_at: after.updated_at });
    }
  });

  it('moves the time of the last change', async () => {
    const { id } = await glance.alice.create({ a: '1' });
    const updatedAt = async (): Promise<number> => {
      const database = new PostgresClient({ connectionString: kiln.databaseUrl });
      await database.connect();
      const { rows } = await database.query('SELECT updated_at FROM images WHERE id = $1', [id]);
      await database.end();
      return (rows[0] as { updated_at: Date }).updated_at.getTime();
    };
    const writes = [
      () => alice.post(`/images/${id}/metadata`, { metadata: { b: '2' } }),
      () => alice.put(`/images/${id}/metadata`, { metadata: { c: '3' } }),
      () => alice.put(`/images/${id}/metadata/d`, { meta: { d: '4' } }),
      () => alice.delete(`/images/${id}/metadata/d`),
    ];

    for (const write of writes) {
      const before = await updatedAt();
      await write();
      expect(await updatedAt()).toBeGreaterThan(before);
    }
  });

  it('takes texts of JavaScript and of other scripts as they are', async () => {
    const { id } = await glance.alice.create();
    const metadata = `{"__proto__":"p","constructor":"c","toString":"ü🐧 \\" \\\\ ${'😀'.repeat(240)}"}`;
    const answer = await alice.put(`/images/${id}/metadata`, `{"metadata":${metadata}}`);

    expect([answer.status, answer.text]).toEqual([200, `{"metadata":${metadata}}`]);
    const shown = (await alice.get(`/images/${id}/metadata`)).text;
    expect(JSON.parse(shown)).toEqual(JSON.parse(`{"metadata":${metadata}}`));
    expect(shown).toContain('"__proto__":"p"');
    expect((await alice.get(`/images/${id}/metadata/__proto__`)).text).toBe('{"meta":{"__proto__":"p"}}');
    expect((await alice.get(`/images/${id}/metadata/valueOf`)).body).toEqual(NOTHING_THERE);
  });

  it('never writes what is an attribute of the image', async () => {
    const before = await glance.alice.create({ name: 'mine', visibility: 'private' });
    const attributes = {
      ...{ name: 'x', owner: BETA, visibility: 'public', min_ram: '5', min_disk: '5', id: UNKNOWN_ID },
      ...{ protected: 'true', disk_format: 'raw', checksum: 'x', created_at: 'x', size: '1', location: 'x' },
    };
    const merged = await alice.post(`/images/${before.id}/metadata`, { metadata: { ...attributes, a: '1' } });
    const replaced = await alice.put(`/images/${before.id}/metadata`, { metadata: { ...attributes, b: '2' } });
    const single = await alice.put(`/images/${before.id}/metadata/name`, { meta: { name: 'x' } });

    expect([merged.status, merged.body]).toEqual([200, { metadata: { a: '1' } }]);
    expect([replaced.status, replaced.body]).toEqual([200, { metadata: { ...attributes, b: '2' } }]);
    expect([single.status, single.body]).toEqual([200, { meta: { name: 'x' } }]);
    const after = (await glance.alice.show(before.id)).body;
    expect(after).toEqual({ ...before, b: '2', updated_at: after.updated_at });
    expect((await alice.get(`/images/${before.id}/metadata/name`)).body).toEqual(NOTHING_THERE);
    expect((await alice.delete(`/images/${before.id}/metadata/name`)).status).toBe(404);
  });

  it.each(['status', 'self', 'tags'])('with %s is refused', async (name) => {
    const { id } = await glance.alice.create({ a: '1' });
    const answers = [
      await alice.post(`/images/${id}/metadata`, { metadata: { b: '2', [name]: 'x' } }),
      await alice.put(`/images/${id}/metadata`, { metadata: { [name]: 'x' } }),
      await alice.put(`/images/${id}/metadata/${name}`, { meta: { [name]: 'x' } }),
    ];

    for (const { status, body } of answers) expect([status, body]).toEqual([400, fault('badRequest', 400)]);
    expect(await alice.metadata(id)).toEqual({ a: '1' });
  });

  it('keeps what only Kiln writes, and refuses to write it', async () => {
    const { id } = await glance.alice.create({ a: '1' });
    const own = { kiln_job_id: 'j', os_glance_import_task: 't' };
    await giveOwnProperties(id, own);
    const refused = { forbidden: { message: `Not authorized for image ${id}.`, code: 403 } };

    for (const name of ['kiln_job_id', 'kiln_new', 'os_glance_new', 'os_glance_import_task']) {
      const value = 'j';
      const answers = [
        await alice.post(`/images/${id}/metadata`, { metadata: { b: '2', [name]: value } }),
        await alice.put(`/images/${id}/metadata`, { metadata: { [name]: value } }),
        await alice.put(`/images/${id}/metadata/${name}`, { meta: { [name]: value } }),
      ];
      for (const { status, body } of answers) expect([status, body]).toEqual([403, refused]);
    }
    expect((await alice.delete(`/images/${id}/metadata/kiln_job_id`)).body).toEqual(refused);
    expect(await alice.metadata(id)).toEqual({ a: '1', ...own });
    await alice.put(`/images/${id}/metadata`, { metadata: { c: '3' } });
    expect(await alice.metadata(id)).toEqual({ c: '3', ...own });
    await alice.put(`/images/${id}/metadata`, { metadata: {} });
    expect(await alice.metadata(id)).toEqual(own);
  });

  it('has at most 128 entries after a change, and always lets some go', async () => {
    const { id } = await glance.alice.create(many(127));
    const path = `/images/${id}/metadata`;
    const exceeded = { forbidden: { message: 'Image metadata limit exceeded', code: 403 } };

    expect((await alice.post(path, { metadata: { a: '1' } })).status).toBe(200);
    const refused = [
      await alice.post(path, { metadata: { b: '1' } }),
      await alice.put(`${path}/b`, { meta: { b: '1' } }),
      await alice.put(path, { metadata: many(129) }),
      await alice.put(path, { metadata: { ...many(128), name: 'passed over' } }),
    ];
    for (const { status, body } of refused) expect([status, body]).toEqual([403, exceeded]);
    expect((await alice.post(path, { metadata: { a: '2' } })).status).toBe(200);
    expect((await alice.put(path, { metadata: many(128) })).status).toBe(200);
    expect((await alice.delete(`${path}/n0`)).status).toBe(204);
    expect(Object.keys(await alice.metadata(id))).toHaveLength(127);
  });

  it('loses nothing of many changes at once', async () => {
    const { id } = await glance.alice.create({ old: '1' });
    const path = `/images/${id}/metadata`;
    const names = Array.from({ length: 10 }, (_, index) => `n${index}`);
    const answers = await Promise.all([
      ...names.map((name) => alice.put(`${path}/${name}`, { meta: { [name]: name } })),
      ...names.map((name) => alice.post(path, { metadata: { [`${name}b`]: name } })),
      ...names.map((name) => glance.alice.patch(id, [{ op: 'add', path: `/${name}c`, value: name }])),
      alice.delete(`${path}/old`),
    ]);

    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 204]));
    const expected = names.flatMap((name) => [name, `${name}b`, `${name}c`].map((key) => [key, name]));
    expect(await alice.metadata(id)).toEqual(Object.fromEntries(expected));
  });

  it('is replaced as a whole by one of two at once', async () => {
    const { id } = await glance.alice.create({ old: '1' });
    const path = `/images/${id}/metadata`;
    const sets = Array.from({ length: 10 }, (_, set) => ({ [`a${set}`]: 'x', [`b${set}`]: 'x' }));
    await Promise.all(sets.map((metadata) => alice.put(path, { metadata })));

    expect(sets).toContainEqual(await alice.metadata(id));
  });
});

describe('one entry', () => {
  it('is made, shown, changed and deleted', async () => {
    const { id } = await glance.alice.create({ a: '1' });
    const path = `/images/${id}/metadata/some%20tier:1`;
    const meta = (value: string) => ({ meta: { 'some tier:1': value } });
    const answers = [
      await alice.get(path),
      await alice.put(path, meta('gold')),
      await alice.get(path),
      await alice.put(path, meta('')),
      await alice.get(path),
      await alice.delete(path),
      await alice.delete(path),
      await alice.get(path),
    ];

    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [404, NOTHING_THERE],
      [200, meta('gold')],
      [200, meta('gold')],
      [200, meta('')],
      [200, meta('')],
      [204, undefined],
      [404, { itemNotFound: { message: 'Invalid metadata key', code: 404 } }],
      [404, NOTHING_THERE],
    ]);
    expect(await alice.metadata(id)).toEqual({ a: '1' });
  });

  it('names a kernel or a ramdisk by the id of an image, or not at all', async () => {
    const kernel_id = '0f3c1c54-6f53-4a41-9d9b-0a2c5f3f8b11';
    const { id } = await glance.alice.create({ kernel_id, a: '1' });
    const path = `/images/${id}/metadata`;

    expect((await alice.put(`${path}/kernel_id`, { meta: { kernel_id: 'vmlinuz' } })).status).toBe(400);
    expect((await alice.post(path, { metadata: { ramdisk_id: 'initrd' } })).status).toBe(400);
    expect(await alice.metadata(id)).toEqual({ kernel_id, a: '1' });
    expect((await alice.post(path, { metadata: { kernel_id: 'None', ramdisk_id: '' } })).status).toBe(200);
    expect(await alice.metadata(id)).toEqual({ a: '1' });
  });

  it('must be that of the path, and one', async () => {
    const { id } = await glance.alice.create();
    const path = `/images/${id}/metadata/a`;
    const other = await alice.put(path, { meta: { b: '1' } });
    const none = await alice.put(path, { meta: {} });
    const two = await alice.put(path, { meta: { a: '1', b: '1' } });

    expect([other.status, other.body]).toEqual([400, fault('badRequest', 400, 'Request body and URI mismatch')]);
    for (const { status, body } of [none, two]) expect([status, body]).toEqual([400, fault('badRequest', 400)]);
    expect(await alice.metadata(id)).toEqual({});
  });
});

const WRITES = [
  ['POST', '', 'metadata'],
  ['PUT', '', 'metadata'],
  ['PUT', '/a', 'meta'],
] as const;

describe.each(WRITES)('%s …/metadata%s', (method, path, member) => {
  const good = { [member]: { a: '1' } };
  const send = (client: NovaClient, id: string, body: unknown, headers?: Record<string, string>) =>
    client.send(method, `/images/${id}/metadata${path}`, body, headers);

  it.each([
    [undefined, 'Malformed request body'],
    ['', 'Malformed request body'],
    ['{', 'Malformed request body'],
    [`{"${member}":{"a":"\\ud8"}}`, 'Malformed request body'],
    ['[]', expect.any(String)],
    ['null', expect.any(String)],
    ['"text"', expect.any(String)],
    ['{}', expect.stringContaining(member)],
    [`{"${member}":null}`, expect.stringContaining(member)],
    [`{"${member}":[]}`, expect.stringContaining(member)],
    [`{"${member}":"a"}`, expect.stringContaining(member)],
    [`{"${member}":{"a":"1"},"more":1}`, expect.stringContaining('more')],
    [`{"${member}":{"a":1}}`, expect.any(String)],
    [`{"${member}":{"a":null}}`, expect.any(String)],
    [`{"${member}":{"a":{}}}`, expect.any(String)],
    [`{"${member}":{"a":"${'x'.repeat(256)}"}}`, expect.any(String)],
    [`{"${member}":{"a":"a\\u0000b"}}`, expect.any(String)],
    [`{"${member}":{"a":"\\ud800"}}`, expect.any(String)],
    [`{"${member}":{"":"1"}}`, expect.any(String)],
    [`{"${member}":{"a/b":"1"}}`, expect.any(String)],
    [`{"${member}":{"é":"1"}}`, expect.any(String)],
    [`{"${member}":{"a\\n":"1"}}`, expect.any(String)],
    [`{"${member}":{"${'x'.repeat(256)}":"1"}}`, expect.any(String)],
    [`{"${member}":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`, expect.any(String)],
  ])('refuses %.60s', async (body, message) => {
    const { id } = await glance.alice.create({ kept: '1' });
    const answer = await send(alice, id, body);

    expect([answer.status, answer.body]).toEqual([400, fault('badRequest', 400, message)]);
    expect(await alice.metadata(id)).toEqual({ kept: '1' });
  });

  it('is for members of the owner and for administrators', async () => {
    const { id } = await glance.alice.create({ visibility: 'community', protected: true });
    const hidden = await glance.alice.create({ visibility: 'private' });
    const shared = await glance.alice.create();
    await glance.alice.ask('POST', `/v2/images/${shared.id}/members`, { member: BETA });

    for (const [client, image] of [
      [bob, id],
      [rita, id],
      [bob, shared.id],
    ] as const) {
      const answer = await send(client, image, good);

      expect([answer.status, answer.body]).toEqual([
        403,
        { forbidden: { message: `Not authorized for image ${image}.`, code: 403 } },
      ]);
    }
    for (const image of [hidden.id, UNKNOWN_ID, 'x']) {
      const answer = await send(bob, image, good);

      expect([answer.status, answer.body]).toEqual([404, IMAGE_NOT_FOUND]);
    }
    expect([(await send(root, id, good)).status, (await send(alice, id, good)).status]).toEqual([200, 200]);
  });

  it('takes JSON by its media type, plain text or none', async () => {
    const { id } = await glance.alice.create();
    const text = JSON.stringify(good);
    const taken = ['application/json', 'application/json; charset=utf-8', 'text/plain', 'APPLICATION/JSON'];
    const refused = ['application/xml', 'application/octet-stream', 'application/x-www-form-urlencoded'];

    for (const type of taken) expect((await send(alice, id, text, { 'content-type': type })).status).toBe(200);
    for (const type of refused) {
      const answer = await send(alice, id, text, { 'content-type': type });

      expect([answer.status, answer.body]).toEqual([415, fault('badMediaType', 415, 'Unsupported Content-Type')]);
    }
  });

  it('takes unknown members on the older base', async () => {
    const { id } = await glance.alice.create();
    const answer = await send(alice.below('/v2'), id, { ...good, more: 1 });

    expect([answer.status, answer.body]).toEqual([200, good]);
  });
});

describe('reading and deleting metadata', () => {
  it('needs an image that the caller sees, and to delete one that it may change', async () => {
    const { id } = await glance.alice.create({ visibility: 'community', a: '1' });
    const hidden = await glance.alice.create({ visibility: 'private', a: '1' });
    const calls = [
      ['GET', ''],
      ['GET', '/a'],
      ['DELETE', '/a'],
    ] as const;

    for (const [method, key] of calls) {
      for (const image of [hidden.id, UNKNOWN_ID, 'x']) {
        const answer = await bob.send(method, `/images/${image}/metadata${key}`);

        expect([answer.status, answer.body]).toEqual([404, IMAGE_NOT_FOUND]);
      }
    }
    expect((await bob.get(`/images/${id}/metadata/a`)).body).toEqual({ meta: { a: '1' } });
    for (const client of [bob, rita]) {
      const answer = await client.delete(`/images/${id}/metadata/a`);

      expect([answer.status, answer.body]).toEqual([
        403,
        { forbidden: { message: `Not authorized for image ${id}.`, code: 403 } },
      ]);
    }
    expect(await alice.metadata(id)).toEqual({ a: '1' });
  });
});
