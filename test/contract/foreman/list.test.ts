// Envelope, paging, order and search as in Foreman 3.12 and scoped_search 4.3.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { clients, type ForemanClient, given, notFound } from './wire.js';

let kiln: RunningKiln;
let alice: ForemanClient;
let bob: ForemanClient;
let rita: ForemanClient;
let nobody: ForemanClient;
let root: ForemanClient;
let ids: Awaited<ReturnType<typeof given>>;
let target: number;
let images: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ alice, bob, rita, nobody, root } = await clients(kiln));
  ids = await given(alice);
  target = await aTarget(alice, 'hv-alpha');
  images = `/api/compute_resources/${target}/images`;
  await bind('rocky-base', { username: 'root', operatingsystem_id: ids.rocky });
  await bind('rocky-gpu', {
    username: 'root',
    operatingsystem_id: ids.rocky,
    architecture_id: ids.arm,
    user_data: true,
  });
  await bind('debian-base', { username: 'debian', user_data: true });
  await bind('100%_real', { username: 'Admin' });
});
afterAll(() => kiln?.stop());

async function aTarget(owner: ForemanClient, name: string, more: object = {}): Promise<number> {
  return (await owner.create('/api/compute_resources', { compute_resource: { name, provider: 'Libvirt', ...more } }))
    .id;
}

const bind = (name: string, more: object = {}) =>
  alice.create(images, {
    image: { name, uuid: `uuid of ${name}`, operatingsystem_id: ids.debian, architecture_id: ids.x86, ...more },
  });

const found = async (search: string): Promise<string[]> =>
  (await alice.list(images, { search, order: 'name' })).map(({ name }) => name);

describe('a list of images', () => {
  it('counts, cuts and repeats what was asked for', async () => {
    const query = new URLSearchParams({ search: 'name ~ rocky', order: 'name DESC', per_page: '1', page: '2' });

    const { status, body } = await alice.get(`${images}?${query.toString()}`);

    expect(status).toBe(200);
    expect({ ...body, results: body.results.map(({ name }: { name: string }) => name) }).toEqual({
      total: 4,
      subtotal: 2,
      page: 2,
      per_page: 1,
      search: 'name ~ rocky',
      sort: { by: 'name', order: 'DESC' },
      results: ['rocky-base'],
    });
  });

  it('has defaults for all of that, and ignores what it does not know', async () => {
    const { body } = await alice.get(`${images}?thin=1&colour=red&fields=name`);

    expect(body).toMatchObject({
      total: 4,
      subtotal: 4,
      page: 1,
      per_page: 20,
      search: null,
      sort: { by: null, order: null },
    });
    expect(body.results.map(({ id }: { id: number }) => id)).toEqual(
      [...body.results.map(({ id }: { id: number }) => id)].sort((a, b) => a - b),
    );
  });

  it('answers everything to whoever asks for four billion, or for all', async () => {
    const billions = await alice.get(`${images}?per_page=4294967296`);
    const all = await alice.get(`${images}?per_page=all`);
    const behind = await alice.get(`${images}?page=4294967296&per_page=4294967296`);

    expect([billions.body.per_page, billions.body.results.length]).toEqual([4294967296, 4]);
    expect([all.body.per_page, all.body.results.length]).toEqual([4, 4]);
    expect((await alice.get(`${images}?per_page=all&page=2`)).body).toMatchObject({ total: 4, page: 2, results: [] });
    expect([behind.body.total, behind.body.subtotal, behind.body.results]).toEqual([4, 4, []]);
  });

  it('tells what the caller may do, if asked', async () => {
    const { body } = await alice.get(`${images}?include_permissions=1`);
    const reader = await rita.get(`${images}?include_permissions`);

    expect(body).toMatchObject({ can_create: true, can_edit: true });
    expect(reader.body).toMatchObject({ total: 4, can_create: false, can_edit: false });
  });

  it.each([
    ['page=0', "'page'"],
    ['page=x', "'page'"],
    ['per_page=0', "'per_page'"],
    ['per_page=-5', "'per_page'"],
    ['per_page=every', "'per_page'"],
  ])('refuses %s', async (query, named) => {
    const { status, body } = await alice.get(`${images}?${query}`);

    expect(status).toBe(400);
    expect(body).toEqual({ error: { message: expect.stringContaining(named), class: 'Apipie::ParamInvalid' } });
  });

  it('is ordered by every field that orders, either way, and by nothing else', async () => {
    const byName = await alice.list(images, { order: 'name' });
    const byArchitecture = await alice.list(images, { order: 'architecture desc' });

    expect(byName.map(({ name }) => name)).toEqual(['100%_real', 'debian-base', 'rocky-base', 'rocky-gpu']);
    expect(byArchitecture.map(({ architecture_id: id }) => id)).toEqual(
      [ids.x86, ids.x86, ids.x86, ids.arm].sort((a, b) => b - a),
    );
    for (const order of ['id', 'username', 'compute_resource', 'operatingsystem', 'user_data']) {
      expect(await alice.list(images, { order })).toHaveLength(4);
    }
    const { status, body } = await alice.get(`${images}?order=uuid`);
    expect([status, body.error.class]).toEqual([400, 'ScopedSearch::QueryNotSupported']);
    expect(body.error.message).toContain("'uuid'");
  });

  it('is that of one parent, one tenant and one location', async () => {
    const elsewhere = await aTarget(bob, 'hv-beta');
    const other = {
      name: 'of bob',
      username: 'root',
      uuid: 'x',
      operatingsystem_id: ids.debian,
      architecture_id: ids.x86,
    };
    await bob.create(`/api/compute_resources/${elsewhere}/images`, { image: other });
    const location = await root.create('/api/locations', { location: { name: 'far away' } });

    const total = async (path: string) => (await alice.get(path)).body.total;

    expect(await total('/api/architectures/aarch64/images')).toBe(1);
    expect(await total(`/api/operatingsystems/${ids.rocky}/images`)).toBe(2);
    expect(await total(`/api/operatingsystems/${ids.debian}/images`)).toBe(2);
    expect(await total(`/api/compute_resources/${ids.kiln}/images`)).toBe(0);
    expect(await total(`/api/operatingsystems/${ids.debian}/images?location_id=${location.id}`)).toBe(0);
    expect((await alice.get(`${images}?location_id=${location.id}`)).status).toBe(404);
    expect((await alice.get(`/api/compute_resources/${elsewhere}/images`)).body).toEqual(notFound('image', ''));
    expect((await nobody.get(images)).status).toBe(401);
  });
});

describe('a search', () => {
  it.each([
    ['', ['100%_real', 'debian-base', 'rocky-base', 'rocky-gpu']],
    ['rocky', ['rocky-base', 'rocky-gpu']],
    ['ROCKY', ['rocky-base', 'rocky-gpu']],
    ['admin', ['100%_real']],
    ['hv-alpha', ['100%_real', 'debian-base', 'rocky-base', 'rocky-gpu']],
    ['root gpu', ['rocky-gpu']],
    ['gpu or admin', ['100%_real', 'rocky-gpu']],
    ['base -rocky', ['debian-base']],
    ['not (rocky or admin)', ['debian-base']],
    ['name = rocky-base', ['rocky-base']],
    ['name = Rocky-base', []],
    ['username = admin', []],
    ['username = Admin', ['100%_real']],
    ['name != rocky-base', ['100%_real', 'debian-base', 'rocky-gpu']],
    ['name ~ *base', ['debian-base', 'rocky-base']],
    ['name ~ rocky*', ['rocky-base', 'rocky-gpu']],
    ['name ~ 100%', ['100%_real']],
    ['name ~ "y_b"', []],
    ['name !~ rocky', ['100%_real', 'debian-base']],
    ['name ^ (rocky-gpu, debian-base)', ['debian-base', 'rocky-gpu']],
    ['name !^ rocky-gpu,debian-base', ['100%_real', 'rocky-base']],
    ['name > rocky-base', ['rocky-gpu']],
    ['name <= debian-base', ['100%_real', 'debian-base']],
    ['user_data', ['debian-base', 'rocky-gpu']],
    ['user_data = false', ['100%_real', 'rocky-base']],
    ['user_data != false', ['debian-base', 'rocky-gpu']],
    ['has username', ['100%_real', 'debian-base', 'rocky-base', 'rocky-gpu']],
    ['null? username', []],
    ['id > 99999999999999999999', []],
    ['id < 99999999999999999999', ['100%_real', 'debian-base', 'rocky-base', 'rocky-gpu']],
    ['compute_resource = hv-alpha and user_data', ['debian-base', 'rocky-gpu']],
    ['(rocky and user_data) or admin', ['100%_real', 'rocky-gpu']],
    ['name = "\'; DROP TABLE provisioning_images; --"', []],
  ])('for %j finds %j', async (search, names) => {
    expect(await found(search)).toEqual(names);
  });

  it('finds by number, as the Ansible module asks', async () => {
    expect(await found(`architecture = ${ids.arm}`)).toEqual(['rocky-gpu']);
    expect(await found(`operatingsystem ^ (${ids.rocky}, 0)`)).toEqual(['rocky-base', 'rocky-gpu']);
    expect(await found(`name="rocky-base",operatingsystem="${ids.rocky}"`)).toEqual(['rocky-base']);
  });

  it.each([
    ['bogus = 1', "Field 'bogus' not recognized for searching!"],
    ['uuid = 1', "Field 'uuid' not recognized for searching!"],
    ['password = x', "Field 'password' not recognized for searching!"],
    ['architecture = x86_64', "Value 'x86_64' of field 'architecture' is not an integer"],
    ['user_data = yes', "'user_data' should be one of 'true, false', but the query was 'yes'"],
    ['name = and b', 'Value expected but found and'],
  ])('refuses %j', async (search, message) => {
    const { status, body } = await alice.get(`${images}?${new URLSearchParams({ search }).toString()}`);

    expect(status).toBe(400);
    expect(body).toEqual({ error: { message, class: 'ScopedSearch::QueryNotSupported' } });
  });
});
