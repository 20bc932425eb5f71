// The exchanges are those of the Image API v2 reference ("List images") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Client, clients } from './wire.js';

let kiln: RunningKiln;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

const sorted = async (names: Promise<string[]>): Promise<string[]> => (await names).sort();

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ root, alice, bob, rita } = await clients(kiln));
  const images: [Client, object][] = [
    [root, { name: 'public-alpha', visibility: 'public', os_distro: 'debian', tags: ['stable', 'linux'] }],
    [root, { name: 'public-beta', visibility: 'public', owner: BETA }],
    [root, { name: 'ownerless', visibility: 'private', owner: null }],
    [alice, { name: 'a-private', visibility: 'private', min_ram: 512, tags: ['stable'], os_distro: 'suse' }],
    [alice, { name: 'a-shared', disk_format: 'raw', container_format: 'bare' }],
    [alice, { name: 'a-community', visibility: 'community', protected: true }],
    [alice, { name: 'a-hidden', os_hidden: true }],
    [alice, { name: 'with:colon' }],
    [bob, { name: 'b-private', visibility: 'private' }],
    [bob, { name: 'b-community', visibility: 'community' }],
    [bob, { name: 'b-shared' }],
  ];
  for (const [client, body] of images) await client.create(body);
  const shared = (await bob.ask('GET', '/v2/images?name=b-shared')).body.images[0].id;
  await bob.ask('POST', `/v2/images/${shared}/members`, { member: ALPHA });
});

afterAll(() => kiln?.stop());

const OWN = ['a-community', 'a-private', 'a-shared', 'with:colon'];
const FOR_ALL = ['ownerless', 'public-alpha', 'public-beta'];

describe('what a list shows', () => {
  it.each([
    ['', [...OWN, ...FOR_ALL]],
    ['visibility=public', ['public-alpha', 'public-beta']],
    ['visibility=private', ['a-private', 'ownerless']],
    ['visibility=shared', ['a-shared', 'with:colon']],
    ['visibility=shared&member_status=pending', ['a-shared', 'b-shared', 'with:colon']],
    ['member_status=all', [...OWN, ...FOR_ALL, 'b-shared']],
    ['member_status=rejected', [...OWN, ...FOR_ALL]],
    ['visibility=community', ['a-community', 'b-community']],
    ['visibility=all', [...OWN, ...FOR_ALL, 'b-community']],
    [`owner=${ALPHA}`, [...OWN, 'public-alpha']],
    [`owner=${BETA}`, ['public-beta']],
    [`owner=${BETA}&visibility=all&member_status=all`, ['b-community', 'b-shared', 'public-beta']],
    ['os_hidden=true', ['a-hidden']],
    ['deleted=true', [...OWN, ...FOR_ALL]],
    ['protected=true', ['a-community']],
    ['name=a-shared', ['a-shared']],
    ['name=in:a-shared,a-private,nobody', ['a-private', 'a-shared']],
    ['name=eq:with:colon', ['with:colon']],
    ['status=queued', [...OWN, ...FOR_ALL]],
    ['status=active', []],
    ['status=nonsense', []],
    ['id=not-an-id', []],
    ['disk_format=raw&container_format=bare', ['a-shared']],
    ['disk_format=in:raw,qcow2', ['a-shared']],
    ['tag=stable', ['a-private', 'public-alpha']],
    ['tag=stable&tag=linux', ['public-alpha']],
    ['tag=nobody', []],
    ['os_distro=debian', ['public-alpha']],
    ['os_distro=debian&tag=stable', ['public-alpha']],
    ['nobody_has_this=x', []],
    ['min_ram=512', ['a-private']],
    ['min_ram_min=512', ['a-private']],
    ['size_min=0', []],
    ['checksum=x', []],
    ['created_at=gt:2020-01-01T00:00:00Z', [...OWN, ...FOR_ALL]],
    ['created_at=lt:2020-01-01T00:00:00Z', []],
    ['updated_at=gte:2020-01-01T00:00:00+02:00', [...OWN, ...FOR_ALL]],
  ])('to a member of alpha, for %j', async (query, names) => {
    expect(await sorted(alice.names(query))).toEqual([...names].sort());
  });

  it('is the same to a reader of the project', async () => {
    expect(await sorted(rita.names())).toEqual(await sorted(alice.names()));
  });

  it.each([
    ['', [...OWN, ...FOR_ALL, 'b-private', 'b-shared']],
    ['visibility=all', [...OWN, ...FOR_ALL, 'b-private', 'b-shared', 'b-community']],
    ['visibility=private', ['a-private', 'b-private', 'ownerless']],
    ['visibility=shared', ['a-shared', 'b-shared', 'with:colon']],
    [`owner=${BETA}`, ['b-private', 'b-shared', 'public-beta']],
    [`owner=${BETA}&visibility=public`, ['public-beta']],
    ['owner=nobody', []],
  ])('to an administrator is everything but foreign community images, for %j', async (query, names) => {
    expect(await sorted(root.names(query))).toEqual([...names].sort());
  });

  it('finds an image by the time that it shows', async () => {
    const [image] = (await alice.ask('GET', '/v2/images?name=a-private')).body.images;

    for (const query of [
      image.created_at,
      `eq:${image.created_at}`,
      `gte:${image.created_at}`,
      `lte:${image.created_at}`,
    ]) {
      expect(await alice.names(`created_at=${query}`)).toContain('a-private');
    }
    for (const query of [`gt:${image.created_at}`, `lt:${image.created_at}`, `neq:${image.created_at}`]) {
      expect(await alice.names(`created_at=${query}`)).not.toContain('a-private');
    }
  });
});

describe('pages', () => {
  async function walk(client: Client, query: string): Promise<string[]> {
    const names: string[] = [];
    for (let next = `/v2/images?${query}`; next;) {
      const { status, body } = await client.ask('GET', next);
      expect(status).toBe(200);
      names.push(...body.images.map((image: { name: string }) => image.name));
      next = body.next;
    }
    return names;
  }

  it.each([
    '',
    'sort=name:asc',
    'sort=name:desc',
    'sort=size:asc',
    'sort_key=status&sort_dir=asc',
    'sort=disk_format:asc,name:desc',
    'sort=id',
    'sort=updated_at:asc',
    'visibility=all&member_status=all',
  ])('of two make the whole list, for %j', async (query) => {
    const whole = await alice.names(`${query}&limit=1000`);

    expect(await walk(alice, `${query}&limit=2`)).toEqual(whole);
    expect(new Set(whole).size).toBe(whole.length);
  });

  it('name the first and the next, as long as there may be one', async () => {
    const { body } = await alice.ask('GET', '/v2/images?limit=2&sort=name:asc&tag=stable&tag=stable');
    expect(body).toMatchObject({
      first: '/v2/images?limit=2&sort=name%3Aasc&tag=stable&tag=stable',
      next: `/v2/images?limit=2&sort=name%3Aasc&tag=stable&tag=stable&marker=${body.images[1].id}`,
      schema: '/v2/schemas/images',
    });

    const last = await alice.ask('GET', body.next);
    expect(last.body).toEqual({ images: [], first: body.first, schema: '/v2/schemas/images' });
  });

  it('may be empty', async () => {
    const { status, body } = await alice.ask('GET', '/v2/images?limit=0');

    expect([status, body]).toEqual([200, { images: [], first: '/v2/images?limit=0', schema: '/v2/schemas/images' }]);
  });

  it('do not begin behind what is not there', async () => {
    const hidden = (await bob.ask('GET', '/v2/images?name=b-private')).body.images[0].id;
    const deleted = (await alice.create()).id;
    await alice.ask('DELETE', `/v2/images/${deleted}`);

    for (const marker of ['x', '00000000-0000-4000-8000-000000000000', hidden, deleted]) {
      expect((await alice.ask('GET', `/v2/images?marker=${marker}`)).status).toBe(400);
    }
  });
});

describe('a page of large images', () => {
  it('ends early, with the link to the rest', async () => {
    for (let index = 0; index < 36; index += 1) await bob.create({ tags: ['large'], text: 'x'.repeat(130_000) });

    const first = await bob.ask('GET', '/v2/images?tag=large&limit=36');
    const second = await bob.ask('GET', first.body.next);

    expect(first.body.images.length).toBeLessThan(36);
    expect(first.body.images.length + second.body.images.length).toBe(36);
    expect(second.body.next).toBeUndefined();
  });
});

describe('bad queries', () => {
  it.each([
    'limit=-1',
    'limit=x',
    'sort=owner',
    'sort=name:up',
    'sort=name&sort_key=name',
    'sort_key=x',
    'sort_dir=x',
    'sort_key=name&sort_dir=asc&sort_dir=asc',
    'visibility=x',
    'member_status=x',
    'name=foo:bar',
    'name=in:"a',
    'created_at=x',
    'created_at=ab:2020-01-01T00:00:00Z',
    'size_min=x',
    'min_ram=x',
    'size=1.5',
    'protected=True',
    'os_hidden=x',
    'changes-since=2020-01-01',
    'name=%FF',
    'name=%00',
    'tag=%00',
  ])('such as %s are told so', async (query) => {
    const answer = await alice.ask('GET', `/v2/images?${query}`, undefined, { accept: 'application/json' });

    expect([answer.status, answer.body.title]).toEqual([400, 'Bad Request']);
  });

  it('are not those with large numbers', async () => {
    expect(await alice.names('size_min=99999999999999999999999&min_ram_max=99999999999999')).toEqual([]);
  });
});
