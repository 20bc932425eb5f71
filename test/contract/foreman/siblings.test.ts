// What Foreman's clients look up around images, as in Foreman 3.12.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { answeredAfter, basic, clients, denied, ForemanClient, given, notFound, TIME, UNKNOWN_UUID } from './wire.js';

let kiln: RunningKiln;
let alice: ForemanClient;
let bob: ForemanClient;
let rita: ForemanClient;
let root: ForemanClient;
let nobody: ForemanClient;
let glance: Awaited<ReturnType<typeof clients>>['glance'];
let ids: Awaited<ReturnType<typeof given>>;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ alice, bob, rita, root, nobody, glance } = await clients(kiln));
  ids = await given(alice);
});
afterAll(() => kiln?.stop());

let names = 0;
const aName = (): string => `thing-${(names += 1)}`;
const row = { created_at: expect.stringMatching(TIME), updated_at: expect.stringMatching(TIME) };

/** What binds an image of a compute resource that takes any. */
const anImage = (more: object = {}) => ({
  image: {
    name: aName(),
    username: 'root',
    uuid: UNKNOWN_UUID,
    operatingsystem_id: ids.debian,
    architecture_id: ids.x86,
    ...more,
  },
});

/** Every kind of resource, with whoever may change it. */
const KINDS = [
  {
    path: 'compute_resources',
    wrapper: 'compute_resource',
    owner: () => alice,
    others: () => rita,
    valid: () => ({ name: aName(), provider: 'Libvirt' }),
    required: ['name', 'provider'],
  },
  {
    path: 'operatingsystems',
    wrapper: 'operatingsystem',
    owner: () => root,
    others: () => alice,
    valid: () => ({ name: aName(), major: '9' }),
    required: ['name', 'major'],
  },
  {
    path: 'architectures',
    wrapper: 'architecture',
    owner: () => root,
    others: () => alice,
    valid: () => ({ name: aName() }),
    required: ['name'],
  },
  {
    path: 'locations',
    wrapper: 'location',
    owner: () => root,
    others: () => alice,
    valid: () => ({ name: aName() }),
    required: ['name'],
  },
] as const;

describe.each(KINDS)('$path', ({ path, wrapper, owner, others, valid, required }) => {
  const all = `/api/${path}`;

  it('are made, listed, shown, changed and removed', async () => {
    const wanted = valid();

    const made = await owner().post(all, { [wrapper]: wanted });
    const one = `${all}/${made.body.id}`;
    const changed = await owner().put(one, { [wrapper]: { name: `${wanted.name}-2` } });
    const patched = await owner().send('PATCH', one, { name: `${wanted.name}-3` });

    expect([made.status, changed.status, patched.status]).toEqual([201, 200, 200]);
    expect(made.body).toMatchObject({ ...wanted, ...row, id: expect.any(Number) });
    expect((await owner().list(all, { search: `name = ${wanted.name}-3` })).map(({ id }) => id)).toEqual([
      made.body.id,
    ]);
    expect((await owner().get(one)).body.name).toBe(`${wanted.name}-3`);
    expect((await owner().delete(one)).body).toMatchObject({ id: made.body.id, name: `${wanted.name}-3` });
    expect((await owner().get(one)).body).toEqual(notFound(wrapper, String(made.body.id)));
    expect((await owner().delete(one)).status).toBe(404);
  });

  it('are found by a number with anything behind it', async () => {
    const { id, name } = await owner().create(all, { [wrapper]: valid() });

    expect((await rita.get(`${all}/${id}-${name}`)).status).toBe(200);
    expect((await rita.get(`${all}/999999`)).status).toBe(404);
    expect((await rita.get(`${all}/nothing`)).status).toBe(404);
  });

  it('are not changed by others', async () => {
    const { id } = await owner().create(all, { [wrapper]: valid() });

    for (const wanted of [valid(), {}]) {
      expect((await others().post(all, { [wrapper]: wanted })).body).toEqual(denied(`create_${path}`));
    }
    expect((await others().put(`${all}/${id}`, { [wrapper]: { name: 'x' } })).body).toEqual(denied(`edit_${path}`));
    expect((await others().delete(`${all}/${id}`)).body).toEqual(denied(`destroy_${path}`));
    expect((await nobody.get(all)).status).toBe(401);
    expect((await nobody.post(all, {})).status).toBe(401);
  });

  it('have names that are there, short, and nobody else’s', async () => {
    const first = await owner().create(all, { [wrapper]: valid() });
    const post = (more: object) => owner().post(all, { [wrapper]: { ...valid(), ...more } });

    expect((await post({ name: ' ' })).body.error.errors).toEqual({ name: ["can't be blank"] });
    expect((await post({ name: 'x'.repeat(256) })).body.error.errors.name).toEqual([
      'is too long (maximum is 255 characters)',
    ]);
    expect((await post({ name: 'a\0b' })).status).toBe(422);
    expect((await owner().post(all, { [wrapper]: { ...valid(), name: first.name, major: '9' } })).status).toBe(422);
    for (const name of required) {
      const { status, body } = await post({ [name]: undefined });
      expect([status, body]).toEqual([
        400,
        { error: { message: expect.any(String), class: 'Apipie::ParamMissing', parameter_name: name } },
      ]);
    }
  });

  it('are sent as JSON', async () => {
    expect((await owner().post(all, '{')).status).toBe(400);
    expect((await owner().post(all, 'x', { 'content-type': 'text/plain' })).status).toBe(415);
  });
});

describe('a compute resource', () => {
  it('is the registry itself in every project, and stays', async () => {
    const { body } = await alice.get(`/api/compute_resources/${ids.kiln}`);
    const ofBob = await given(bob);

    expect(body).toEqual({
      ...row,
      id: ids.kiln,
      name: 'Kiln',
      description: 'The images of this registry',
      provider: 'Kiln',
      provider_friendly_name: 'Kiln',
      url: `${kiln.url}/image`,
      images: [],
      compute_attributes: [],
      locations: [{ id: expect.any(Number), name: 'RegionOne', title: 'RegionOne', description: null }],
      organizations: [{ id: expect.any(Number), name: 'alpha', title: 'alpha', description: null }],
    });
    expect(ofBob.kiln).not.toBe(ids.kiln);
    expect((await bob.get(`/api/compute_resources/${ids.kiln}`)).status).toBe(404);
    expect((await alice.delete(`/api/compute_resources/${ids.kiln}`)).body.error.errors).toEqual({
      base: ['is that of the registry itself and stays'],
    });
    const change = { compute_resource: { provider: 'Libvirt' } };
    expect((await alice.put(`/api/compute_resources/${ids.kiln}`, change)).status).toBe(422);
  });

  it('tells which images may be bound, if it is the registry', async () => {
    const open = await glance.bob.createWithData(Buffer.from('x'), { name: 'of bob', visibility: 'private' });
    const own = await glance.alice.createWithData(Buffer.from('x'), { name: 'own' });
    const unnamed = await glance.alice.createWithData(Buffer.from('x'));
    await glance.alice.create({ name: 'queued' });
    const other = await alice.create('/api/compute_resources', {
      compute_resource: { name: aName(), provider: 'EC2' },
    });

    const { status, body } = await alice.get(`/api/compute_resources/${ids.kiln}/available_images`);

    expect(status).toBe(200);
    expect(body).toEqual([
      { uuid: unnamed.id, name: unnamed.id },
      { uuid: own.id, name: 'own' },
    ]);
    expect(body).not.toContainEqual({ uuid: open.id, name: 'of bob' });
    expect((await alice.get(`/api/compute_resources/${other.id}/available_images`)).body).toEqual([]);
    expect((await alice.get('/api/compute_resources/999999/available_images')).body).toEqual(
      notFound('compute_resource', '999999'),
    );
  });

  it('tells of all images that may be bound, however many', async () => {
    const { kiln: registry } = await given(bob);
    const database = new pg.Client({ connectionString: kiln.databaseUrl });
    await database.connect();
    await database.query(
      `INSERT INTO images (id, project_id, name, status, visibility, origin, created_at)
       SELECT gen_random_uuid(), p.id, 'many-' || n, 'active', 'private', 'upload', now() - n * interval '1 ms'
       FROM projects p, generate_series(1, 10001) n WHERE p.name = 'beta'`,
    );
    await database.end();

    const { body, headers } = await bob.get(`/api/compute_resources/${registry}/available_images`);

    const many = body.filter(({ name }: { name: string }) => name.startsWith('many-'));
    expect([many.length, many[0].name, many[10_000].name]).toEqual([10_001, 'many-1', 'many-10001']);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  });

  it('is searched for by its type, location and organization', async () => {
    const location = await root.create('/api/locations', { location: { name: aName() } });
    const { id, name, locations } = await alice.create('/api/compute_resources', {
      compute_resource: { name: aName(), provider: 'Proxmox', location_ids: [String(location.id)] },
    });
    const organization = await alice.idOf('/api/organizations', 'name = alpha');
    const found = (search: string) =>
      alice.list('/api/compute_resources', { search }).then((rows) => rows.map((each) => each.id));

    expect(locations.map((each: { id: number }) => each.id)).toEqual([location.id]);
    for (const search of [
      `type = Proxmox`,
      `location = ${location.name}`,
      `location_id = ${location.id}`,
      `organization = alpha and name = ${name}`,
      `organization_id = ${organization} and proxmox`,
      `id = ${id}`,
    ]) {
      expect([search, await found(search)]).toEqual([search, [id]]);
    }
    expect((await alice.get('/api/compute_resources?order=location')).status).toBe(400);
    expect((await alice.get(`/api/compute_resources?location_id=${location.id}`)).body.results).toHaveLength(1);
  });

  it.each([
    'qemu+tcp://root:s3cret@hv.example/system',
    '  https://root:s3cret@hv.example/x',
    'https://token@hv.example/x',
    'HTTP:\\\\token@hv.example',
    'https:/token@hv.example',
    'ht\ntps://token@hv.example',
    'root:s3cret@hv.example/x',
    'qemu+tcp://root%3As3cret@hv.example/system',
  ])('keeps no secret in the address %j', async (url) => {
    const { id } = await alice.create('/api/compute_resources', { name: aName(), provider: 'Libvirt' });

    const made = await alice.post('/api/compute_resources', { name: aName(), provider: 'Libvirt', url });
    const changed = await alice.put(`/api/compute_resources/${id}`, { url });

    for (const { status, body } of [made, changed]) {
      expect([status, body.error?.errors]).toEqual([422, { url: ['must not contain credentials'] }]);
    }
  });

  it.each([
    ['qemu+ssh://root@hv.example/system', 'qemu+ssh://root@hv.example/system'],
    ['root@hv.example', 'root@hv.example'],
    ['https://hv.example:8443/a@b:c?d=e@f', 'https://hv.example:8443/a@b:c?d=e@f'],
    ['hv.example:16509/system', 'hv.example:16509/system'],
    [' qemu:///system\n', 'qemu:///system'],
    ['  ', null],
  ])('has the address %j', async (url, shown) => {
    const { id } = await alice.create('/api/compute_resources', { name: aName(), provider: 'Libvirt', url });

    expect((await alice.get(`/api/compute_resources/${id}`)).body.url).toBe(shown);
    expect((await alice.put(`/api/compute_resources/${id}`, { url: null })).body.url).toBe(null);
    expect((await alice.put(`/api/compute_resources/${id}`, { url })).body.url).toBe(shown);
  });

  it('is in no location that is none', async () => {
    const post = (more: object) =>
      alice.post('/api/compute_resources', { compute_resource: { name: aName(), provider: 'Libvirt', ...more } });

    expect((await post({ location_ids: [999999] })).body.error).toMatchObject({
      id: null,
      errors: { location_ids: ['does not exist'] },
    });
  });

  it('shows a role of EC2 images only, and is not removed while it has any', async () => {
    const { id } = await alice.create('/api/compute_resources', {
      compute_resource: { name: aName(), provider: 'EC2' },
    });
    const image = await alice.create(
      `/api/compute_resources/${id}/images`,
      anImage({ name: 'ami', uuid: 'ami-1', operatingsystem_id: ids.rocky, iam_role: 'web' }),
    );

    expect(image).toMatchObject({ uuid: 'ami-1', iam_role: 'web' });
    const refused = await alice.delete(`/api/compute_resources/${id}`);
    expect([refused.status, refused.body.error.errors]).toEqual([422, { base: ['is used by ami'] }]);
    expect((await alice.put(`/api/compute_resources/${id}`, { provider: 'Kiln' })).status).toBe(422);
    expect((await root.delete(`/api/operatingsystems/${ids.rocky}`)).body.error.full_messages).toEqual([
      'It is used by ami',
    ]);
    expect((await root.delete('/api/architectures/x86_64')).status).toBe(422);
    expect((await alice.get(`/api/compute_resources/${id}`)).body.images).toEqual([{ id: image.id, name: 'ami' }]);
    expect((await alice.get('/api/architectures/x86_64')).body.images).toContainEqual({ id: image.id, name: 'ami' });
    expect((await bob.get('/api/architectures/x86_64')).body.images).toEqual([]);
  });
});

describe('an operating system', () => {
  it('is there for every distribution of recipes, by title', async () => {
    const rows = await rita.list('/api/operatingsystems');

    expect(rows.map(({ title }) => title)).toEqual(
      expect.arrayContaining(['CentOS 7', 'Debian 12', 'Rocky 9', 'Ubuntu 24.04']),
    );
    expect([...rows.map(({ title }) => title)].sort()).toEqual(rows.map(({ title }) => title));
    expect((await rita.get(`/api/operatingsystems/${ids.debian}`)).body).toMatchObject({
      name: 'Debian',
      major: '12',
      minor: '',
      family: 'Debian',
      description: null,
      architectures: [
        { id: ids.arm, name: 'aarch64' },
        { id: ids.x86, name: 'x86_64' },
      ],
      media: [],
    });
    expect((await rita.get('/api/operatingsystems/Debian%2012')).body.id).toBe(ids.debian);
  });

  it('has its description for a title, and the architectures that it is given', async () => {
    const { id, title } = await root.create('/api/operatingsystems', {
      operatingsystem: {
        name: 'Alma',
        major: 9,
        minor: 4,
        description: 'Alma nine',
        architecture_ids: [String(ids.arm)],
      },
    });

    expect(title).toBe('Alma nine');
    const plain = await root.put(`/api/operatingsystems/${id}`, { operatingsystem: { description: '' } });
    expect(plain.body.title).toBe('Alma 9.4');
    expect((await root.get(`/api/operatingsystems/${id}`)).body.architectures).toEqual([
      { id: ids.arm, name: 'aarch64' },
    ]);
    expect((await root.post('/api/operatingsystems', { name: 'Alma', major: '9', minor: '4' })).status).toBe(422);
    expect((await root.post('/api/operatingsystems', { name: 'a b', major: '1' })).body.error.errors).toEqual({
      name: ["can't contain white spaces"],
    });
    const unknown = { architecture_ids: [999999] };
    const [made, changed] = [
      await root.post('/api/operatingsystems', { name: aName(), major: '1', ...unknown }),
      await root.put(`/api/operatingsystems/${id}`, unknown),
    ];
    expect([made.status, made.body.error.id, changed.status, changed.body.error.id]).toEqual([422, null, 422, id]);
    expect(await root.list('/api/operatingsystems', { search: 'null? family and major = 9 and Alma' })).toHaveLength(1);
  });

  it('has a short version, however many bytes its letters have', async () => {
    const create = (system: object) => root.post('/api/operatingsystems', { operatingsystem: system });

    const longest = await create({ name: '😀'.repeat(255), major: '😀'.repeat(5), minor: '😀'.repeat(16) });
    const longer = await create({ name: '😀'.repeat(255), major: '😀'.repeat(6), minor: '😀'.repeat(255) });
    const described = await create({ name: aName(), major: '1', description: '😀'.repeat(255) });

    expect([longest.status, described.status]).toEqual([201, 201]);
    expect(longer.body.error?.errors).toEqual({
      major: ['is too long (maximum is 5 characters)'],
      minor: ['is too long (maximum is 16 characters)'],
    });
  });

  it('stays removed when Kiln starts again', async () => {
    const id = await root.idOf('/api/operatingsystems', 'title = "SLES 12"');
    expect((await root.delete(`/api/operatingsystems/${id}`)).status).toBe(200);
    const again = await startKiln({ beside: kiln, env: { KILN_ROLE: 'api' } });
    try {
      const client = new ForemanClient(again, basic('rita', 's3cret-rita'));
      expect(await client.list('/api/operatingsystems', { search: 'SLES', per_page: 'all' })).toMatchObject([
        { title: 'SLES 15' },
      ]);
      expect(await client.list('/api/locations', { search: 'RegionOne' })).toHaveLength(1);
    } finally {
      await again.stop();
    }
  });
});

describe('an architecture', () => {
  it.each([
    ['arm64', 'aarch64'],
    ['amd64', 'x86_64'],
  ])('is known as %s too', async (alias, name) => {
    const [{ id }] = await rita.list('/api/architectures', { search: `name = ${name}` });
    const found = (search: string) =>
      rita.list('/api/architectures', { search }).then((rows) => rows.map((each) => each.id));

    expect((await rita.get(`/api/architectures/${alias}`)).body).toMatchObject({ id, name });
    expect((await rita.get(`/api/architectures/${alias}/images`)).status).toBe(200);
    expect(await found(`name = "${alias}"`)).toEqual([id]);
    expect(await found(`name ^ (${alias}, vax)`)).toEqual([id]);
    expect(await found(`name != ${alias}`)).not.toContain(id);
    expect(await found(`name != vax`)).toContain(id);
    const image = anImage({ architecture_id: undefined, architecture_name: alias });
    const { id: target } = await alice.create('/api/compute_resources', { name: aName(), provider: 'Libvirt' });
    expect(await alice.create(`/api/compute_resources/${target}/images`, image)).toMatchObject({ architecture_id: id });
  });

  it('of its own name is nothing else', async () => {
    const { id } = await root.create('/api/architectures', { name: 'arm64' });

    expect((await rita.get('/api/architectures/arm64')).body.id).toBe(id);
    expect(await rita.list('/api/architectures', { search: 'name = arm64' })).toMatchObject([{ id }]);
    expect((await rita.get('/api/architectures/aarch64')).body.id).toBe(ids.arm);
    expect((await root.delete('/api/architectures/arm64')).body.id).toBe(id);
  });
});

describe.each([
  ['architectures', () => ids.x86],
  ['operatingsystems', () => ids.debian],
])('one of the %s', (path, id) => {
  it('shows the images of the location that is looked at', async () => {
    const locations = [1, 2].map(() => root.create('/api/locations', { name: aName() }));
    const [here, there] = (await Promise.all(locations)) as [{ id: number }, { id: number }];
    const { id: target } = await alice.create(`/api/compute_resources?location_id=${here.id}`, {
      ...{ name: aName(), provider: 'Libvirt' },
    });
    const image = await alice.create(`/api/compute_resources/${target}/images`, anImage());
    const shown = async (location: { id: number }) =>
      (await alice.get(`/api/${path}/${id()}?location_id=${location.id}`)).body.images;

    expect(await shown(here)).toEqual([{ id: image.id, name: image.name }]);
    expect(await shown(there)).toEqual([]);
  });
});

describe('an organization', () => {
  it('is a project in which the caller has a role, and is made elsewhere', async () => {
    const own = await alice.list('/api/organizations');
    const all = await root.list('/api/organizations');

    expect(own).toEqual([
      {
        ...row,
        id: expect.any(Number),
        name: 'alpha',
        title: 'alpha',
        description: null,
        ancestry: null,
        parent_id: null,
        parent_name: null,
      },
    ]);
    expect(all.map(({ name }) => name)).toEqual(['alpha', 'beta']);
    expect((await bob.get(`/api/organizations/${own[0].id}`)).body).toEqual(
      notFound('organization', String(own[0].id)),
    );
    expect((await bob.get('/api/organizations/beta')).status).toBe(200);
    expect((await root.post('/api/organizations', { organization: { name: 'gamma' } })).status).toBe(404);
  });
});

describe('an organization with the name of another one’s number', () => {
  it('hides that from nobody who does not see it', async () => {
    const own = await bob.idOf('/api/organizations', 'name = beta');
    const reply = await fetch(`${kiln.url}/identity/v3/projects`, {
      method: 'POST',
      headers: { 'x-auth-token': await kiln.token('root'), 'content-type': 'application/json' },
      body: JSON.stringify({ project: { name: String(own) } }),
    });
    expect(reply.status).toBe(201);

    expect((await bob.get(`/api/organizations/${own}`)).body.name).toBe('beta');
    expect((await bob.get(`/api/compute_resources?organization_id=${own}`)).status).toBe(200);
    expect((await root.get(`/api/organizations/${own}`)).body.name).toBe(String(own));
  });
});

describe('what others change meanwhile', () => {
  it.each(['architectures', 'locations'])('does not bring back one of the %s that is removed', async (path) => {
    const { id } = await root.create(`/api/${path}`, { name: aName() });

    const { status, body } = await answeredAfter(kiln, [`DELETE FROM ${path} WHERE id = $1`, id], () =>
      root.put(`/api/${path}/${id}`, { name: aName() }),
    );

    expect([status, body]).toEqual([404, notFound(path.slice(0, -1), String(id))]);
  });

  it('is kept of a location where the change is of something else', async () => {
    const { id } = await root.create('/api/locations', { name: aName() });
    const name = aName();

    const { body } = await answeredAfter(kiln, [`UPDATE locations SET description = 'Hall 3' WHERE id = $1`, id], () =>
      root.put(`/api/locations/${id}`, { name }),
    );

    expect(body).toMatchObject({ name, description: 'Hall 3' });
  });

  it('takes a location from what is put in all of them', async () => {
    const { id } = await root.create('/api/locations', { name: aName() });

    const { status, body } = await answeredAfter(kiln, ['DELETE FROM locations WHERE id = $1', id], () =>
      alice.post('/api/compute_resources', { name: aName(), provider: 'Libvirt' }),
    );

    expect(status).toBe(201);
    expect(body.locations.map((each: { id: number }) => each.id)).not.toContain(id);
  });
});

describe('a location', () => {
  it('is not removed while it alone has images', async () => {
    const location = await root.create('/api/locations', { location: { name: aName(), description: 'Hall 2' } });
    const { id } = await alice.create(`/api/compute_resources?location_id=${location.id}`, {
      compute_resource: { name: aName(), provider: 'Libvirt' },
    });
    const { id: imageId } = await alice.create(`/api/compute_resources/${id}/images`, anImage({ name: 'only' }));

    expect((await root.delete(`/api/locations/${location.id}`)).body.error.errors).toEqual({
      base: ['is used by only'],
    });
    await alice.delete(`/api/compute_resources/${id}/images/${imageId}`);
    expect((await root.delete(`/api/locations/${location.id}`)).status).toBe(200);
    expect((await alice.get(`/api/compute_resources/${id}`)).body.locations).toEqual([]);
  });

  it('is not removed together with the only other one that has an image', async () => {
    for (let round = 0; round < 4; round += 1) {
      const [first, second] = [
        await root.create('/api/locations', { name: aName() }),
        await root.create('/api/locations', { name: aName() }),
      ];
      const { id } = await alice.create('/api/compute_resources', {
        compute_resource: { name: aName(), provider: 'Libvirt', location_ids: [first.id, second.id] },
      });
      await alice.create(`/api/compute_resources/${id}/images`, anImage());

      const answers = await Promise.all([first, second].map((each) => root.delete(`/api/locations/${each.id}`)));

      expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
      expect((await alice.get(`/api/compute_resources/${id}`)).body.locations).toHaveLength(1);
    }
  });

  it('waits for whoever adds an image to it, and stays', async () => {
    const location = await root.create('/api/locations', { name: aName() });
    const { id } = await alice.create(`/api/compute_resources?location_id=${location.id}`, {
      compute_resource: { name: aName(), provider: 'Libvirt' },
    });

    const { status, body } = await answeredAfter(
      kiln,
      [
        `INSERT INTO provisioning_images (project_id, compute_resource_id, operating_system_id, architecture_id, name, username, uuid)
         SELECT project_id, id, $2, $3, 'late', 'root', 'x' FROM compute_resources WHERE id = $1`,
        id,
        ids.debian,
        ids.x86,
      ],
      () => root.delete(`/api/locations/${location.id}`),
    );

    expect([status, body.error?.errors]).toEqual([422, { base: ['is used by late'] }]);
  });
});
