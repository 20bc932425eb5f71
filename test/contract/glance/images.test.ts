// The exchanges are those of the Image API v2 reference ("Images", "Image tags") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ALPHA, BETA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { Client, clients } from './wire.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let kiln: RunningKiln;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

beforeAll(async () => {
  const [alpha, beta] = STANDARD_BOOTSTRAP.projects;
  kiln = await startKiln({
    env: { KILN_ROLE: 'api' },
    bootstrap: {
      projects: [alpha, beta, { name: 'tiny', limits: { images: 1 } }],
      users: [
        ...STANDARD_BOOTSTRAP.users,
        { name: 'tim', password: 's3cret-tim', roles: [{ project: 'tiny', role: 'member' }] },
      ],
    },
  });
  ({ root, alice, bob, rita } = await clients(kiln));
});

afterAll(() => kiln?.stop());

const of = (...answers: { status: number }[]): number[] => answers.map(({ status }) => status);

describe('creating an image', () => {
  it('takes an empty body and fills in the defaults', async () => {
    const { status, body, headers } = await alice.ask('POST', '/v2/images', {});

    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(UUID),
      name: null,
      status: 'queued',
      visibility: 'shared',
      owner: ALPHA,
      protected: false,
      os_hidden: false,
      disk_format: null,
      container_format: null,
      min_disk: 0,
      min_ram: 0,
      size: null,
      virtual_size: null,
      checksum: null,
      os_hash_algo: null,
      os_hash_value: null,
      tags: [],
      created_at: expect.stringMatching(TIME),
      updated_at: body.created_at,
      self: `/v2/images/${body.id}`,
      file: `/v2/images/${body.id}/file`,
      schema: '/v2/schemas/image',
    });
    expect(headers.get('location')).toBe(`${kiln.url}/image/v2/images/${body.id}`);
    expect(headers.get('openstack-image-store-ids')).toBe('default');
    expect(headers.get('openstack-image-import-methods')).toBe('glance-direct,web-download,glance-download,copy-image');
  });

  it('takes every attribute, and other names as properties', async () => {
    const id = randomUUID();
    const asked = {
      name: 'débian 🐧',
      visibility: 'community',
      protected: true,
      os_hidden: true,
      disk_format: 'qcow2',
      container_format: 'bare',
      min_disk: 3,
      min_ram: 2147483647,
      os_distro: 'debian',
      empty: '',
    };
    const body = await alice.create({
      ...asked,
      id: id.toUpperCase(),
      owner: ALPHA,
      tags: ['b', 'a', 'b'],
      kernel_id: null,
    });

    expect(body).toMatchObject({ ...asked, id, tags: ['b', 'a'] });
    expect(body).not.toHaveProperty('kernel_id');
    expect((await alice.show(id)).body).toEqual(body);
  });

  it('keeps names of JavaScript apart from its own', async () => {
    const body = `{"__proto__": "p", "constructor": "c", "toString": "t"}`;
    const answer = await alice.ask('POST', '/v2/images', body);

    expect(answer.status).toBe(201);
    expect(answer.text).toContain('"__proto__":"p"');
    expect(answer.text).toContain('"constructor":"c"');
    expect(await alice.names(`__proto__=p&toString=t`)).toEqual([null]);
  });

  it.each([
    ['', 400],
    ['{', 400],
    ['[]', 400],
    ['[{}]', 400],
    ['"text"', 400],
    ['5', 400],
    ['null', 400],
    ['{"name": 5}', 400],
    [`{"name": "${'x'.repeat(256)}"}`, 400],
    ['{"name": "a\\u0000b"}', 400],
    ['{"name": "\\ud800"}', 400],
    ['{"a\\u0000b": "x"}', 400],
    ['{"custom": "a\\u0000b"}', 400],
    ['{"custom": 5}', 400],
    ['{"custom": null}', 400],
    ['{"custom": {"a": "b"}}', 400],
    ['{"": "x"}', 400],
    [`{"${'x'.repeat(256)}": "x"}`, 400],
    ['{"id": "no uuid"}', 400],
    ['{"visibility": "secret"}', 400],
    ['{"protected": "true"}', 400],
    ['{"min_disk": "3"}', 400],
    ['{"min_disk": -1}', 400],
    ['{"min_ram": 2147483648}', 400],
    ['{"min_ram": 1e400}', 400],
    ['{"min_ram": 1.5}', 400],
    ['{"min_ram": null}', 400],
    ['{"disk_format": "zip"}', 400],
    ['{"tags": "a"}', 400],
    ['{"tags": [5]}', 400],
    ['{"kernel_id": "x"}', 400],
    ['{"size": "big"}', 400],
    ['{"self": 5}', 403],
    ['{"stores": "default"}', 403],
    ['{"status": "active"}', 403],
    ['{"size": 5}', 403],
    ['{"checksum": "x"}', 403],
    ['{"created_at": "x"}', 403],
    ['{"locations": []}', 403],
    ['{"location": "x"}', 403],
    ['{"deleted": "x"}', 403],
    ['{"os_glance_import_task": "x"}', 403],
    ['{"kiln_job_id": "x"}', 403],
    [`{"owner": "${BETA}"}`, 403],
    ['{"owner": null}', 403],
    ['{"visibility": "public"}', 403],
    ['{"os_hash_algo": "x", "os_hash_value": "y"}', 201],
  ])('answers %.60s with %d', async (body, status) => {
    expect((await alice.ask('POST', '/v2/images', body)).status).toBe(status);
  });

  it('is for members, and for administrators on behalf of others', async () => {
    expect(of(await rita.ask('POST', '/v2/images', {}))).toEqual([403]);
    expect(await root.create({ owner: BETA, visibility: 'public' })).toMatchObject({
      owner: BETA,
      visibility: 'public',
    });
    expect(await root.create({ owner: null })).toMatchObject({ owner: null });
  });

  it('never takes an id twice, not even a deleted one', async () => {
    const { id } = await alice.create();
    const second = await bob.ask('POST', '/v2/images', { id });
    await alice.ask('DELETE', `/v2/images/${id}`);
    const third = await alice.ask('POST', '/v2/images', { id });

    expect(of(second, third)).toEqual([409, 409]);
  });

  it('has quotas on tags and properties', async () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
    const withTags = (count: number) => alice.ask('POST', '/v2/images', { tags: many(count) });
    const withProperties = (count: number) =>
      alice.ask('POST', '/v2/images', Object.fromEntries(many(count).map((name) => [name, 'x'])));

    expect(of(await withTags(128), await withTags(129))).toEqual([201, 413]);
    expect(of(await withProperties(128), await withProperties(129))).toEqual([201, 413]);
    const large = (bytes: number) => alice.ask('POST', '/v2/images', { text: 'é'.repeat(bytes / 2) });
    expect(of(await large(131_000), await large(131_072))).toEqual([201, 413]);
  });

  it('is refused over the limit of the project, until one is deleted', async () => {
    const tim = new Client(kiln, await kiln.token('tim', 'tiny'));
    const { id } = await tim.create();
    const over = await tim.ask('POST', '/v2/images', {}, { accept: 'application/json' });
    await tim.ask('DELETE', `/v2/images/${id}`);

    expect([over.status, over.body.code]).toEqual([413, '413 Request Entity Too Large']);
    await expect(tim.create()).resolves.toMatchObject({ status: 'queued' });
  });
});

describe('showing and deleting', () => {
  it('hides what the caller may not see, and everything that is no id', async () => {
    const { id } = await alice.create({ visibility: 'private' });

    expect(
      of(await alice.show(id), await alice.show(id.toUpperCase()), await rita.show(id), await root.show(id)),
    ).toEqual([200, 200, 200, 200]);
    expect(
      of(await bob.show(id), await alice.show(randomUUID()), await alice.show('x'), await alice.show('%00')),
    ).toEqual([404, 404, 404, 404]);
  });

  it('deletes for the owner, and then nobody finds it', async () => {
    const { id } = await alice.create({ visibility: 'community' });
    const remove = (client: Client) => client.ask('DELETE', `/v2/images/${id}`);

    expect(of(await bob.show(id), await bob.ask('DELETE', `/v2/images/${id}`), await remove(rita))).toEqual([
      200, 403, 403,
    ]);
    const gone = await remove(alice);
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect(of(await remove(alice), await alice.show(id), await root.show(id), await remove(root))).toEqual([
      404, 404, 404, 404,
    ]);
  });

  it('deletes a protected image for nobody', async () => {
    const { id } = await alice.create({ protected: true });
    const remove = (client: Client) => client.ask('DELETE', `/v2/images/${id}`);

    expect(of(await remove(alice), await remove(root), await remove(bob))).toEqual([403, 403, 404]);
    await alice.patch(id, [{ op: 'replace', path: '/protected', value: false }]);
    expect(of(await remove(alice))).toEqual([204]);
  });
});

describe('changing an image', () => {
  it('tells nobody who does not see it which of the changes could be made', async () => {
    const { id } = await alice.create({ visibility: 'private' });
    const change = [{ op: 'remove', path: '/min_ram' }];

    expect(
      of(await alice.patch(id, change), await bob.patch(id, change), await root.patch(randomUUID(), change)),
    ).toEqual([403, 404, 404]);
  });

  it('answers with the whole image, changed', async () => {
    const before = await alice.create({ name: 'a', os_distro: 'debian' });
    const answer = await alice.patch(before.id, [
      { op: 'replace', path: '/name', value: 'b' },
      { op: 'add', path: '/tags', value: ['x', 'y', 'x'] },
      { op: 'add', path: '/hw_disk_bus', value: 'virtio' },
      { op: 'remove', path: '/os_distro' },
      { op: 'replace', path: '/disk_format', value: 'raw' },
    ]);

    const { os_distro: _gone, ...kept } = before;
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      ...kept,
      name: 'b',
      tags: ['x', 'y'],
      hw_disk_bus: 'virtio',
      disk_format: 'raw',
      updated_at: expect.stringMatching(TIME),
    });
    expect((await alice.show(before.id)).body).toEqual(answer.body);
  });

  it('takes the older form', async () => {
    const { id } = await alice.create({ a: '1' });
    const answer = await alice.patch(
      id,
      [{ replace: '/name', value: 'b' }, { remove: '/a' }, { add: '/b', value: '2' }],
      0,
    );

    expect(answer.body).toMatchObject({ name: 'b', b: '2' });
    expect(answer.body).not.toHaveProperty('a');
    expect(of(await alice.patch(id, [{ add: '/b', value: '3' }], 0))).toEqual([409]);
  });

  it('changes all or nothing', async () => {
    const before = await alice.create({ name: 'a' });
    const good = { op: 'replace', path: '/name', value: 'b' };
    const answers = [
      await alice.patch(before.id, [good, { op: 'replace', path: '/missing', value: 'x' }]),
      await alice.patch(before.id, [good, { op: 'replace', path: '/status', value: 'active' }]),
      await alice.patch(before.id, [good, { op: 'replace', path: '/visibility', value: 'public' }]),
      await alice.patch(before.id, [good, { op: 'replace', path: '/owner', value: ALPHA }]),
      await alice.patch(before.id, [good, { op: 'add', path: '/kiln_job_id', value: 'x' }]),
      await alice.patch(before.id, [good, { op: 'replace', path: '/min_ram', value: 'x' }]),
    ];

    expect(of(...answers)).toEqual([409, 403, 403, 403, 403, 400]);
    expect((await alice.show(before.id)).body).toEqual(before);
  });

  it('changes nothing for an empty list', async () => {
    const before = await alice.create();

    const answer = await alice.patch(before.id, []);

    expect([answer.status, answer.body]).toEqual([200, before]);
  });

  it('asks for one of its own media types', async () => {
    const { id } = await alice.create();
    for (const type of ['application/json', 'application/json-patch+json', 'text/plain']) {
      const answer = await alice.ask('PATCH', `/v2/images/${id}`, [], { 'content-type': type });

      expect(answer.status).toBe(415);
      expect(answer.headers.get('accept-patch')).toBe(
        'application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch',
      );
    }
  });

  it('answers bodies that are none with 400', async () => {
    const { id } = await alice.create();

    expect(
      of(
        await alice.patch(id, '{'),
        await alice.patch(id, '{}'),
        await alice.patch(id, ''),
        await alice.patch(id, '["x"]'),
      ),
    ).toEqual([400, 400, 400, 400]);
  });

  it('is for members of the owner, and for administrators', async () => {
    const { id } = await alice.create({ visibility: 'community' });
    const hidden = await alice.create({ visibility: 'private' });
    const change = [{ op: 'replace', path: '/name', value: 'x' }];

    expect(of(await bob.patch(id, change), await rita.patch(id, change), await bob.patch(hidden.id, change))).toEqual([
      403, 403, 404,
    ]);
    expect(of(await root.patch(id, change), await root.patch(randomUUID(), change))).toEqual([200, 404]);
  });

  it('gives an image away for administrators', async () => {
    const { id } = await alice.create({ visibility: 'private' });
    const answer = await root.patch(id, [{ op: 'replace', path: '/owner', value: BETA }]);

    expect([answer.status, answer.body.owner]).toEqual([200, BETA]);
    expect(of(await alice.show(id), await bob.show(id))).toEqual([404, 200]);
  });

  it('fixes the formats once there is data', async () => {
    const { id } = await alice.createWithData(Buffer.from('x'));
    for (const path of ['/disk_format', '/container_format']) {
      expect(of(await alice.patch(id, [{ op: 'replace', path, value: 'ami' }]))).toEqual([403]);
    }
  });

  it('counts quotas after the change, and always lets properties go', async () => {
    const { id } = await alice.create(
      Object.fromEntries(Array.from({ length: 128 }, (_, index) => [`n${index}`, 'x'])),
    );
    const add = { op: 'add', path: '/more', value: 'x' };
    const remove = { op: 'remove', path: '/n0' };

    expect(
      of(await alice.patch(id, [add]), await alice.patch(id, [remove, add]), await alice.patch(id, [add])),
    ).toEqual([413, 200, 200]);
    const tags = Array.from({ length: 129 }, (_, index) => `t${index}`);
    expect(of(await alice.patch(id, [{ op: 'replace', path: '/tags', value: tags }]))).toEqual([413]);
  });

  it('loses none of two changes at once', async () => {
    const { id } = await alice.create();
    const names = Array.from({ length: 20 }, (_, index) => `p${index}`);

    await Promise.all(names.map((name) => alice.patch(id, [{ op: 'add', path: `/${name}`, value: name }])));

    expect((await alice.show(id)).body).toMatchObject(Object.fromEntries(names.map((name) => [name, name])));
  });
});

describe('tags', () => {
  const tag = (client: Client, method: string, id: string, name: string) =>
    client.ask(method, `/v2/images/${id}/tags/${name}`);

  it('are added and removed one by one', async () => {
    const { id } = await alice.create({ tags: ['a'] });
    const added = await tag(alice, 'PUT', id, '%C3%A4%2F%F0%9F%90%A7');

    expect([added.status, added.text]).toEqual([204, '']);
    expect(of(await tag(alice, 'PUT', id, 'a'), await tag(alice, 'PUT', id, 'A'))).toEqual([204, 204]);
    expect((await alice.show(id)).body.tags).toEqual(['a', 'ä/🐧', 'A']);
    expect(of(await tag(alice, 'DELETE', id, 'a'), await tag(alice, 'DELETE', id, 'a'))).toEqual([204, 404]);
    expect((await alice.show(id)).body.tags).toEqual(['ä/🐧', 'A']);
    expect(await alice.names('tag=A&tag=%C3%A4/%F0%9F%90%A7')).toHaveLength(1);
  });

  it('have a length, and a number', async () => {
    const { id } = await alice.create({ tags: Array.from({ length: 127 }, (_, index) => `t${index}`) });

    expect(of(await tag(alice, 'PUT', id, 'x'.repeat(256)), await tag(alice, 'PUT', id, 'a%00'))).toEqual([400, 400]);
    expect(of(await tag(alice, 'PUT', id, 'x'.repeat(255)), await tag(alice, 'PUT', id, 'more'))).toEqual([204, 413]);
    expect((await alice.show(id)).body.tags).toHaveLength(128);
  });

  it('are written by members of the owner', async () => {
    const { id } = await alice.create({ visibility: 'community', tags: ['a'] });
    const hidden = await alice.create({ tags: ['a'] });

    expect(
      of(await tag(bob, 'PUT', id, 'x'), await tag(rita, 'PUT', id, 'x'), await tag(bob, 'DELETE', id, 'a')),
    ).toEqual([403, 403, 403]);
    expect(of(await tag(bob, 'PUT', hidden.id, 'x'), await tag(alice, 'PUT', randomUUID(), 'x'))).toEqual([404, 404]);
  });
});
