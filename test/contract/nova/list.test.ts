// The exchanges are those of the Compute API reference ("List Images") and of Nova 26.2.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { clients, fault, type NovaClient, UNKNOWN_ID } from './wire.js';

let kiln: RunningKiln;
let root: NovaClient;
let alice: NovaClient;
let bob: NovaClient;
const ids = new Map<string, string>();

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  const { glance, ...nova } = await clients(kiln);
  ({ root, alice, bob } = nova);
  const images: [keyof typeof glance, { name: string } & Record<string, unknown>][] = [
    ['alice', { name: 'first', visibility: 'private', min_ram: 512, min_disk: 3, os_distro: 'debian' }],
    ['alice', { name: 'snapshot', instance_uuid: UNKNOWN_ID, image_type: 'snapshot', min_ram: 1024 }],
    ['alice', { name: 'with:colon', visibility: 'community', os_distro: 'debian', type: 'odd' }],
    ['alice', { name: 'hidden', os_hidden: true }],
    ['root', { name: 'public', visibility: 'public', owner: BETA }],
    ['bob', { name: 'b-private', visibility: 'private' }],
    ['bob', { name: 'b-community', visibility: 'community' }],
    ['bob', { name: 'b-shared' }],
    ['bob', { name: 'b-pending' }],
  ];
  for (const [user, body] of images) ids.set(body.name, (await glance[user].create(body)).id);
  for (const name of ['b-shared', 'b-pending']) {
    await glance.bob.ask('POST', `/v2/images/${ids.get(name)}/members`, { member: ALPHA });
  }
  await glance.alice.ask('PUT', `/v2/images/${ids.get('b-shared')}/members/${ALPHA}`, { status: 'accepted' });
  const { id } = await glance.alice.createWithData(Buffer.from('x'), { name: 'active' });
  ids.set('active', id);
  await alice.delete(`/images/${(await glance.alice.create({ name: 'deleted' })).id}`);
});

afterAll(() => kiln?.stop());

const ALL = ['active', 'b-shared', 'public', 'with:colon', 'snapshot', 'first'];

describe('a list', () => {
  it.each([
    ['', ALL],
    ['name=first', ['first']],
    ['name=with:colon', ['with:colon']],
    ['name=in:first', []],
    ['name=FIRST', []],
    ['status=ACTIVE', ['active']],
    ['status=active', ['active']],
    ['status=SAVING', []],
    ['status=queued', ALL.slice(1)],
    ['status=DELETED', []],
    ['status=ERROR', []],
    ['status=UNKNOWN', []],
    [`server=${UNKNOWN_ID}`, ['snapshot']],
    [`server=http://anywhere/v2.1/servers/${UNKNOWN_ID}`, ['snapshot']],
    [`server=${ALPHA}`, []],
    ['type=snapshot', ['snapshot']],
    ['type=backup', []],
    ['property-image_type=snapshot', ['snapshot']],
    ['property-image_type=snapshot&type=backup', []],
    ['property-type=odd', ['with:colon']],
    ['property-os_distro=debian', ['with:colon', 'first']],
    ['property-os_distro=debian&name=first', ['first']],
    ['property-os_distro=Debian', []],
    ['property-=x', []],
    ['os_distro=suse', ALL],
    ['minRam=512', ['first']],
    ['minRam=513', []],
    ['minDisk=3&minRam=512', ['first']],
    ['minRam=99999999999999999999', []],
    ['minDisk=-1', []],
    ['changes-since=2020-01-01T00:00:00Z', ALL],
    ['changes-since=2020-01-01T00:00:00%2B02:00', ALL],
    ['changes-since=2999-01-01', []],
    ['limit=0', ALL],
    ['limit=1001', ALL],
    ['limit=99999999999999999999', ALL],
    ['page_size=1', ALL],
    ['unknown=1&visibility=private&os_hidden=true&tag=x', ALL],
    ['name=nobody&name=first', ['first']],
  ])('of %j, newest first', async (query, names) => {
    expect(await alice.names(query)).toEqual(names);
  });

  it('finds an image by the second that it shows, and not by the next one', async () => {
    const { updated } = (await alice.get(`/images/${ids.get('active')}`)).body.image as { updated: string };
    const next = new Date(Date.parse(updated) + 1000).toISOString();

    expect(await alice.names(`changes-since=${updated}&name=active`)).toEqual(['active']);
    expect(await alice.names(`changes-since=${next}&name=active`)).toEqual([]);
  });

  it('is each one’s own', async () => {
    expect(await bob.names()).toEqual(['b-pending', 'b-shared', 'b-community', 'b-private', 'public']);
    expect(await root.names('name=b-private')).toEqual(['b-private']);
  });

  it('is brief, or in detail', async () => {
    const brief = (await alice.get('/images?name=first')).body;
    const { images } = (await alice.get('/images/detail?name=first')).body;

    const { image } = (await alice.get(`/images/${ids.get('first')}`)).body;
    expect(brief).toEqual({ images: [{ id: image.id, name: 'first', links: image.links }] });
    expect(images).toEqual([image]);
  });

  it.each([
    ['limit=abc', 'Invalid input for query parameters limit. Value: abc. It must be an integer of 0 or more.'],
    ['limit=-1', expect.stringContaining('Invalid input for query parameters limit. Value: -1. ')],
    ['limit=', expect.stringContaining('Invalid input for query parameters limit.')],
    ['limit=x&limit=1', expect.stringContaining('limit')],
    ['page_size=1.5', expect.stringContaining('Invalid input for query parameters page_size. Value: 1.5. ')],
    ['minRam=abc', expect.stringContaining('minRam')],
    ['minDisk=1.5', expect.stringContaining('minDisk')],
    ['changes-since=yesterday', expect.stringContaining('changes-since')],
    ['changes-since=2020-02-30', expect.stringContaining('changes-since')],
    [`marker=${UNKNOWN_ID}`, expect.any(String)],
    ['marker=x', expect.any(String)],
    ['marker=', expect.any(String)],
    ['name=%FF', expect.any(String)],
    ['name=a%00b', expect.any(String)],
  ])('with %s is refused', async (query, message) => {
    for (const path of ['/images', '/images/detail']) {
      const answer = await alice.get(`${path}?${query}`);

      expect([answer.status, answer.body]).toEqual([400, fault('badRequest', 400, message)]);
    }
  });

  it('is refused to a token of no project', async () => {
    const reply = await fetch(`${kiln.url}/identity/v3/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: 'alice', domain: { id: 'default' }, password: 's3cret-alice' } },
          },
          scope: 'unscoped',
        },
      }),
    });
    const nobody = new (alice.constructor as typeof NovaClient)(kiln, reply.headers.get('x-subject-token')!);

    const answers = [await nobody.get('/images'), await nobody.below(`/v2.1/${ALPHA}`).get('/images')];
    expect(answers.map(({ status, body }) => [status, Object.keys(body)[0]])).toEqual([
      [403, 'forbidden'],
      [400, 'badRequest'],
    ]);
  });
});

describe('paging', () => {
  const hrefOf = (body: { images_links?: { rel: string; href: string }[] }) => {
    if (body.images_links) expect(body.images_links).toEqual([{ rel: 'next', href: expect.any(String) }]);
    return body.images_links?.[0]?.href;
  };

  it.each([
    ['/images', ''],
    ['/images/detail', `/${ALPHA}`],
  ])('walks %s by its links to the empty page behind a full last one', async (path, project) => {
    const seen: string[] = [];
    const sizes: number[] = [];
    let at: string | undefined = `/v2.1${project}${path}?limit=3`;
    for (let pages = 0; at !== undefined && pages < 10; pages += 1) {
      const { body } = await alice.below('').get(at);
      seen.push(...body.images.map(({ name }: { name: string }) => name));
      sizes.push(body.images.length);
      at = hrefOf(body)?.replace(`${kiln.url}/compute`, '');
      if (at !== undefined) expect(at.startsWith(`/v2.1${project}${path}?`)).toBe(true);
    }

    expect(seen).toEqual(ALL);
    expect(sizes).toEqual([3, 3, 0]);
  });

  it('repeats the parameters of the request in the order of their names', async () => {
    const marker = ids.get('active')!;
    const query = `property-os_distro=debian&minRam=512&limit=1&marker=${marker}&name=first&x=a%20b`;
    const { body } = await alice.get(`/images?${query}`);

    expect(hrefOf(body)).toBe(
      `${kiln.url}/compute/v2.1/images?limit=1&marker=${ids.get('first')}&minRam=512&name=first&property-os_distro=debian&x=a+b`,
    );
  });

  it('links nowhere from a page that is not full', async () => {
    for (const query of ['limit=7', 'limit=0', '', 'limit=1&name=nobody']) {
      expect((await alice.get(`/images?${query}`)).body).not.toHaveProperty('images_links');
    }
  });

  it('of more than a thousand is by the thousand', async () => {
    const { glance } = await clients(kiln);
    const image = (index: number) => glance.bob.create({ name: `many-${index}`, many: 'yes' });
    for (let at = 0; at < 1001; at += 20) {
      await Promise.all(Array.from({ length: Math.min(20, 1001 - at) }, (_, index) => image(at + index)));
    }

    const first = (await bob.get('/images?property-many=yes&limit=5000')).body;
    const second = (await bob.below('').get(hrefOf(first)!.replace(`${kiln.url}/compute`, ''))).body;
    expect([first.images.length, second.images.length]).toEqual([1000, 1]);
    expect(hrefOf(second)).toBeUndefined();
  }, 300_000);
});
