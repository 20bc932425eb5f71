// The exchanges are those of Foreman's API page on images, and of Foreman 3.12's controllers and models.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { answeredAfter, clients, denied, type ForemanClient, given, notFound, TIME, UNKNOWN_UUID } from './wire.js';

let kiln: RunningKiln;
let alice: ForemanClient;
let bob: ForemanClient;
let rita: ForemanClient;
let root: ForemanClient;
let nobody: ForemanClient;
let glance: Awaited<ReturnType<typeof clients>>['glance'];
let ids: Awaited<ReturnType<typeof given>>;
let images: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ alice, bob, rita, root, nobody, glance } = await clients(kiln));
  ids = await given(alice);
  images = `/api/compute_resources/${ids.kiln}/images`;
});
afterAll(() => kiln?.stop());

let names = 0;
/** An active image of the registry. */
const registered = async (owner: keyof typeof glance = 'alice', more: object = {}): Promise<string> =>
  (await glance[owner].createWithData(Buffer.from('data'), more)).id;
const deactivate = async (uuid: string): Promise<void> => {
  const { status } = await glance.alice.ask('POST', `/v2/images/${uuid}/actions/deactivate`);
  if (status !== 204) throw new Error(`deactivate ${uuid}: ${status}`);
};

/** What binds a new image of the registry. */
const valid = async (more: object = {}) => ({
  name: `image-${(names += 1)}`,
  username: 'root',
  uuid: await registered(),
  operatingsystem_id: ids.rocky,
  architecture_id: ids.x86,
  ...more,
});
const bound = async (more: object = {}) => alice.create(images, { image: await valid(more) });

const invalid = (id: number | null, errors: Record<string, string[]>, full_messages: string[]) => ({
  error: { id, errors, full_messages },
});

describe('creating an image', () => {
  it('answers the whole record, without the password', async () => {
    const image = await valid({ password: 's3cret-root', user_data: true, name: 'rocky-base' });

    const { status, body, headers } = await alice.post(images, { image });

    expect(status).toBe(201);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(body).toEqual({
      operatingsystem_id: ids.rocky,
      operatingsystem_name: 'Rocky 9',
      compute_resource_id: ids.kiln,
      compute_resource_name: 'Kiln',
      architecture_id: ids.x86,
      architecture_name: 'x86_64',
      uuid: image.uuid,
      username: 'root',
      created_at: expect.stringMatching(TIME),
      updated_at: expect.stringMatching(TIME),
      id: expect.any(Number),
      name: 'rocky-base',
      user_data: true,
    });
    expect((await alice.get(`${images}/${body.id}`)).body).toEqual(body);
  });

  it('takes the compute resource of the path, numbers as texts, and attributes without a wrapper', async () => {
    const image = await valid({ compute_resource_id: '999999', operatingsystem_id: String(ids.debian) });

    const { status, body } = await alice.post(images, image);

    expect(status).toBe(201);
    expect(body).toMatchObject({ compute_resource_id: ids.kiln, operatingsystem_id: ids.debian });
  });

  it('takes names in the place of numbers', async () => {
    const { name, uuid } = await valid();
    const image = { name, uuid, username: 'root', operatingsystem_name: 'Debian 12', architecture_name: 'aarch64' };

    const { body } = await alice.post(images, { image });

    expect(body).toMatchObject({ operatingsystem_id: ids.debian, architecture_id: ids.arm, user_data: false });
  });

  it.each([null, '', ' '])('takes a name where the number is %j', async (none) => {
    const { name, uuid } = await valid();
    const image = {
      ...{ name, uuid, username: 'root' },
      ...{ operatingsystem_id: none, operatingsystem_name: 'Debian 12' },
      ...{ architecture_id: none, architecture_name: 'aarch64' },
    };

    const { body } = await alice.post(images, { image });
    const changed = await alice.put(`${images}/${body.id}`, {
      image: {
        architecture_id: none,
        architecture_name: 'x86_64',
        compute_resource_id: none,
        compute_resource_name: 'Kiln',
      },
    });
    const refused = await alice.put(`${images}/${body.id}`, { image: { architecture_id: none } });

    expect(body).toMatchObject({ operatingsystem_id: ids.debian, architecture_id: ids.arm });
    expect(changed.body).toMatchObject({ architecture_id: ids.x86, compute_resource_id: ids.kiln });
    expect(refused.body.error?.errors).toEqual({ architecture_id: ["can't be blank"] });
  });

  it('says that a name is nothing’s', async () => {
    const { status, body } = await alice.post(images, {
      image: await valid({ architecture_id: undefined, architecture_name: 'vax' }),
    });

    expect(status).toBe(422);
    expect(body).toEqual({ error: { message: 'Could not find architecture with name: vax' } });
  });

  it.each([
    ['architecture', 'architecture'],
    ['operatingsystem', 'operatingsystem'],
    ['compute_resource', 'compute_resource'],
  ])('finds no %s under a name that none can have', async (reference, noun) => {
    const { id } = await bound();
    for (const name of ['a\0b', '\ud800']) {
      const { status, body } = await alice.put(`${images}/${id}`, { image: { [`${reference}_name`]: name } });

      expect([status, body]).toEqual([
        422,
        { error: { message: expect.stringContaining(`Could not find ${noun} with name: `) } },
      ]);
    }
  });

  it.each([{}, { image: {} }, { image: null }, { image: 'none' }])(
    'tells every attribute that %j lacks',
    async (body) => {
      const answer = await alice.post(images, body);

      expect(answer.status).toBe(422);
      expect(answer.body).toEqual(
        invalid(
          null,
          {
            name: ["can't be blank"],
            username: ["can't be blank"],
            uuid: ["can't be blank"],
            operatingsystem_id: ["can't be blank"],
            architecture_id: ["can't be blank"],
          },
          [
            "Name can't be blank",
            "Username can't be blank",
            "Uuid can't be blank",
            "Operatingsystem can't be blank",
            "Architecture can't be blank",
          ],
        ),
      );
    },
  );

  it('refuses what is blank, too long, or refers to nothing', async () => {
    const image = await valid({
      name: '  ',
      username: 'x'.repeat(256),
      password: 'x'.repeat(256),
      architecture_id: 999999,
      operatingsystem_id: 'none',
    });

    const { status, body } = await alice.post(images, { image });

    expect(status).toBe(422);
    expect(body.error.errors).toEqual({
      name: ["can't be blank"],
      username: ['is too long (maximum is 255 characters)'],
      password: ['is too long (maximum is 255 characters)'],
      architecture_id: ['does not exist'],
      operatingsystem_id: ['does not exist'],
    });
    expect(await alice.list(images, { search: `uuid_of_nothing` })).toEqual([]);
  });

  it('refuses a name that the operating system has, and an image that is bound, at once', async () => {
    const first = await bound({ name: 'twice' });

    const again = await alice.post(images, { image: { ...(await valid()), name: 'twice', uuid: first.uuid } });
    const other = await alice.post(images, { image: await valid({ name: 'twice', operatingsystem_id: ids.debian }) });

    expect(again.status).toBe(422);
    expect(again.body).toEqual(
      invalid(null, { name: ['has already been taken'], uuid: ['has already been taken'] }, [
        'Name has already been taken',
        'Uuid has already been taken',
      ]),
    );
    expect(other.status).toBe(201);
  });

  it('is done once when many ask for it together', async () => {
    const image = await valid();

    const replies = await Promise.all(Array.from({ length: 6 }, () => alice.post(images, { image })));

    expect(replies.map(({ status }) => status).sort()).toEqual([201, 422, 422, 422, 422, 422]);
  });

  it.each([
    ['nothing’s', async () => UNKNOWN_UUID],
    ['no id at all', async () => 'abcdef'],
    ['an image without data', async () => (await glance.alice.create({})).id],
    ['another tenant’s private image', () => registered('bob', { visibility: 'private' })],
  ])('finds no image of the registry under %s', async (_what, uuid) => {
    for (const user of [alice, root]) {
      const { status, body } = await user.post(images, { image: await valid({ uuid: await uuid() }) });

      expect(status).toBe(422);
      expect(body.error.errors).toEqual({ uuid: ['could not be found in Kiln'] });
      expect(body.error.full_messages).toEqual(['Uuid could not be found in Kiln']);
    }
  });

  it('takes public images of others, and those that they share', async () => {
    const open = await registered('root', { visibility: 'public' });
    const shared = await registered('bob', { visibility: 'shared' });
    await glance.bob.ask('POST', `/v2/images/${shared}/members`, { member: await projectOf('alice') });
    await glance.alice.ask('PUT', `/v2/images/${shared}/members/${await projectOf('alice')}`, { status: 'accepted' });

    expect(await bound({ uuid: open })).toMatchObject({ uuid: open });
    expect(await bound({ uuid: shared })).toMatchObject({ uuid: shared });
  });

  it('refuses an architecture that is not that of the image', async () => {
    const uuid = await registered('alice', { architecture: 'arm64' });

    const wrong = await alice.post(images, { image: await valid({ uuid }) });
    const right = await alice.post(images, { image: await valid({ uuid, architecture_id: ids.arm }) });

    expect(wrong.body.error.errors).toEqual({ architecture_id: ['does not match the image'] });
    expect(right.status).toBe(201);
  });

  it.each([
    ['no JSON', '{"image": ', 'application/json', 400],
    ['a list', '[1]', 'application/json', 400],
    ['another type', 'name=x', 'application/x-www-form-urlencoded', 415],
  ])('refuses %s', async (_what, body, type, status) => {
    const answer = await alice.post(images, body, { 'content-type': type });

    expect(answer.status).toBe(status);
    if (status === 400) {
      expect(answer.body).toEqual({
        status: 400,
        error: expect.stringContaining('There was a problem in the JSON you submitted: '),
      });
    } else expect(answer.body.error.message).toContain('application/json');
  });

  it('refuses a body that is too large', async () => {
    const answer = await alice.post(images, { image: { name: 'x'.repeat(1024 * 1024) } });

    expect(answer.status).toBe(413);
    expect(answer.body).toEqual({ error: { message: expect.stringContaining('1048576') } });
  });

  it.each([
    ['readers', () => rita, 403, () => denied('create_images')],
    ['other tenants', () => bob, 404, () => notFound('image', '')],
    ['nobody', () => nobody, 401, () => ({ error: { message: 'Unable to authenticate user ' } })],
  ])('is not for %s', async (_who, user, status, body) => {
    const answer = await user().post(images, { image: await valid() });

    expect(answer.status).toBe(status);
    expect(answer.body).toEqual(body());
  });

  it('finds no compute resource', async () => {
    const { status, body } = await alice.post('/api/compute_resources/999999/images', { image: await valid() });

    expect([status, body]).toEqual([404, notFound('image', '')]);
  });
});

describe('showing an image', () => {
  it('is the same below each of its parents, by number, name or title, and in both versions', async () => {
    const image = await bound();

    const paths = [
      `/api/compute_resources/${ids.kiln}-kiln`,
      '/api/compute_resources/Kiln',
      `/api/v2/compute_resources/${ids.kiln}`,
      `/api/architectures/${ids.x86}`,
      '/api/architectures/x86_64',
      `/api/operatingsystems/${ids.rocky}-rocky`,
      `/api/operatingsystems/${encodeURIComponent('Rocky 9')}`,
    ];

    for (const path of paths) {
      const { status, body } = await alice.get(`${path}/images/${image.id}-any`);
      expect([path, status, body]).toEqual([path, 200, image]);
    }
  });

  it('is not found by name, below another parent, by another tenant, or at all', async () => {
    const { id, name } = await bound();

    const missing = [
      [alice, `${images}/${name}`, name],
      [alice, `/api/architectures/${ids.arm}/images/${id}`, String(id)],
      [alice, `/api/operatingsystems/${ids.debian}/images/${id}`, String(id)],
      [alice, '/api/operatingsystems/none/images/1', '1'],
      [alice, `${images}/999999`, '999999'],
      [alice, `${images}/99999999999999999999`, '99999999999999999999'],
      [bob, `${images}/${id}`, String(id)],
      [bob, `/api/architectures/${ids.x86}/images/${id}`, String(id)],
    ] as const;

    for (const [user, path, shown] of missing) {
      const { status, body } = await user.get(path);
      expect([path, status, body]).toEqual([path, 404, notFound('image', shown)]);
    }
  });

  it('knows no images at the top, no first version and no changes below other parents', async () => {
    const { id } = await bound();

    const answers = [
      await alice.get('/api/images'),
      await alice.get(`/api/v1/compute_resources/${ids.kiln}/images/${id}`),
      await alice.post(`/api/architectures/${ids.x86}/images`, { image: {} }),
      await alice.put(`/api/operatingsystems/${ids.rocky}/images/${id}`, { image: {} }),
      await alice.delete(`/api/architectures/${ids.x86}/images/${id}`),
    ];

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    expect(answers.every(({ body }) => typeof body.error.message === 'string')).toBe(true);
  });

  it('is for whoever signs in', async () => {
    const { id } = await bound();

    expect((await rita.get(`${images}/${id}`)).status).toBe(200);
    expect((await nobody.get(`${images}/${id}`)).status).toBe(401);
  });
});

describe('updating an image', () => {
  it('changes what is given, with PUT and with PATCH', async () => {
    const image = await bound();

    const put = await alice.put(`${images}/${image.id}`, { image: { username: 'admin', user_data: '1' } });
    const patch = await alice.send('PATCH', `${images}/${image.id}`, { operatingsystem_name: 'Debian 12' });

    expect(put.status).toBe(200);
    expect(put.body).toEqual({ ...image, username: 'admin', user_data: true, updated_at: put.body.updated_at });
    expect(patch.body).toMatchObject({ username: 'admin', operatingsystem_id: ids.debian, architecture_id: ids.x86 });
  });

  it('changes nothing when nothing is given', async () => {
    const image = await bound();

    for (const body of [{ image: {} }, {}, { image: { colour: 'red' } }]) {
      expect((await alice.put(`${images}/${image.id}`, body)).body).toEqual(image);
    }
  });

  it('points at another image, and lets go of the first', async () => {
    const image = await bound();
    const next = await registered();

    const { body } = await alice.put(`${images}/${image.id}`, { image: { uuid: next } });

    expect(body.uuid).toBe(next);
    expect((await glance.alice.ask('DELETE', `/v2/images/${image.uuid}`)).status).toBe(204);
    expect((await glance.alice.ask('DELETE', `/v2/images/${next}`)).status).toBe(409);
  });

  it('moves it to another compute resource, where any uuid will do', async () => {
    const image = await bound();
    const target = await alice.create('/api/compute_resources', {
      compute_resource: { name: 'hv-1', provider: 'Libvirt' },
    });

    const moved = await alice.put(`${images}/${image.id}`, {
      image: { compute_resource_id: String(target.id), uuid: 'abcdef' },
    });

    expect(moved.body).toMatchObject({ compute_resource_id: target.id, compute_resource_name: 'hv-1', uuid: 'abcdef' });
    expect((await alice.get(`${images}/${image.id}`)).status).toBe(404);
    expect((await alice.get(`/api/compute_resources/${target.id}/images/${image.id}`)).status).toBe(200);
    expect((await glance.alice.ask('DELETE', `/v2/images/${image.uuid}`)).status).toBe(204);
  });

  it('moves it to nothing that is not in the location that is looked at', async () => {
    const locations = [await root.create('/api/locations', { name: 'here' })];
    locations.push(await root.create('/api/locations', { name: 'there' }));
    const [from, to] = await Promise.all(
      locations.map(({ id }, index) =>
        alice.create(`/api/compute_resources?location_id=${id}`, { name: `placed-${index}`, provider: 'Libvirt' }),
      ),
    );
    const path = `/api/compute_resources/${from.id}/images`;
    const image = await alice.create(path, { image: await valid({ uuid: 'abcdef' }) });
    const move = (target: object, location: string) =>
      alice.put(`${path}/${image.id}${location}`, { image: { uuid: 'abcdef', ...target } });
    const here = `?location_id=${locations[0].id}`;

    const byNumber = await move({ compute_resource_id: to.id }, here);
    const byName = await move({ compute_resource_name: to.name }, here);

    expect([byNumber.status, byNumber.body.error?.errors]).toEqual([422, { compute_resource_id: ['does not exist'] }]);
    expect([byName.status, byName.body.error?.message]).toEqual([
      422,
      `Could not find compute_resource with name: ${to.name}`,
    ]);
    expect((await move({ compute_resource_id: from.id, username: 'x' }, here)).status).toBe(200);
    expect((await move({ compute_resource_id: to.id }, '')).body.compute_resource_id).toBe(to.id);
  });

  it('waits for whoever changes the compute resource that it names', async () => {
    const image = await bound();
    const { id, name } = await alice.create('/api/compute_resources', { name: 'hv-2', provider: 'Libvirt' });

    const { status, body } = await answeredAfter(
      kiln,
      [`UPDATE compute_resources SET provider = 'Kiln' WHERE id = $1`, id],
      () => alice.put(`${images}/${image.id}`, { image: { compute_resource_name: name, uuid: 'abcdef' } }),
    );

    expect([status, body.error?.errors]).toEqual([422, { uuid: ['could not be found in hv-2'] }]);
  });

  it('refuses what a new one may not be either', async () => {
    const [first, second] = [await bound(), await bound()];

    const { status, body } = await alice.put(`${images}/${second.id}`, {
      image: { name: first.name, uuid: UNKNOWN_UUID, username: null, compute_resource_id: 999999 },
    });
    const taken = await alice.put(`${images}/${second.id}`, { image: { name: first.name } });

    expect(status).toBe(422);
    expect(body.error.id).toBe(second.id);
    expect(body.error.errors).toEqual({ username: ["can't be blank"], compute_resource_id: ['does not exist'] });
    expect(taken.body).toEqual(
      invalid(second.id, { name: ['has already been taken'] }, ['Name has already been taken']),
    );
    expect((await alice.get(`${images}/${second.id}`)).body).toEqual(second);
  });

  it('has the architecture of its image also while that is deactivated, and nothing new to be bound to it', async () => {
    const uuid = await registered('alice', { architecture: 'x86_64' });
    const image = await bound({ uuid });
    const unbound = await registered();
    await Promise.all([uuid, unbound].map(deactivate));
    const change = (more: object) => alice.put(`${images}/${image.id}`, { image: more });

    const wrong = await change({ architecture_id: ids.arm });
    const other = await alice.post(images, { image: await valid({ uuid: unbound }) });

    expect([wrong.status, wrong.body.error?.errors]).toEqual([422, { architecture_id: ['does not match the image'] }]);
    expect([other.status, other.body.error?.errors]).toEqual([422, { uuid: ['could not be found in Kiln'] }]);
    expect((await change({ username: 'admin' })).body).toMatchObject({ username: 'admin', uuid });
  });

  it('is possible after the image of the registry is gone', async () => {
    const uuid = await registered('root', { visibility: 'public' });
    const image = await bob.create(`/api/compute_resources/${(await given(bob)).kiln}/images`, {
      image: await valid({ uuid }),
    });
    expect((await glance.root.ask('DELETE', `/v2/images/${uuid}`)).status).toBe(204);

    const path = `/api/compute_resources/${image.compute_resource_id}/images/${image.id}`;
    const { status, body } = await bob.put(path, { image: { username: 'admin' } });

    expect([status, body.username, body.uuid]).toEqual([200, 'admin', uuid]);
  });

  it('is not for readers, other tenants or nobody, and finds no other image', async () => {
    const { id } = await bound();
    const change = { image: { username: 'x' } };

    expect((await rita.put(`${images}/${id}`, change)).body).toEqual(denied('edit_images'));
    expect((await bob.put(`${images}/${id}`, change)).body).toEqual(notFound('image', String(id)));
    expect((await nobody.put(`${images}/${id}`, change)).status).toBe(401);
    expect((await alice.put(`${images}/999999`, change)).status).toBe(404);
    expect((await alice.put(`${images}/${id}`, 'no')).status).toBe(400);
    expect((await alice.put(`${images}/${id}`, '{}', { 'content-type': 'text/plain' })).status).toBe(415);
  });
});

describe('deleting an image', () => {
  it('answers the record as it lay there, and leaves the image of the registry', async () => {
    const image = await bound({ password: 's3cret' });

    const { status, body } = await alice.delete(`${images}/${image.id}`, { image: {} });

    expect(status).toBe(200);
    expect(body).toEqual({
      id: image.id,
      operatingsystem_id: ids.rocky,
      compute_resource_id: ids.kiln,
      architecture_id: ids.x86,
      uuid: image.uuid,
      username: 'root',
      name: image.name,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: expect.any(String),
      iam_role: null,
      user_data: false,
      password: null,
    });
    expect((await alice.get(`${images}/${image.id}`)).status).toBe(404);
    expect((await alice.delete(`${images}/${image.id}`)).status).toBe(404);
    expect((await glance.alice.show(image.uuid)).status).toBe(200);
  });

  it('is not for readers, other tenants or nobody', async () => {
    const { id } = await bound();

    expect((await rita.delete(`${images}/${id}`)).body).toEqual(denied('destroy_images'));
    expect((await bob.delete(`${images}/${id}`)).body).toEqual(notFound('image', String(id)));
    expect((await nobody.delete(`${images}/${id}`)).status).toBe(401);
    expect((await alice.get(`${images}/${id}`)).status).toBe(200);
  });

  it('never gives its number to another one', async () => {
    const image = await bound();
    await alice.delete(`${images}/${image.id}`);

    expect((await bound()).id).toBeGreaterThan(image.id);
  });
});

describe('an image of the registry', () => {
  it('is not deleted while an image of its project points at it, through no face', async () => {
    const { id, uuid } = await bound();
    const token = await kiln.token('alice');
    const remove = (path: string) =>
      fetch(`${kiln.url}${path}`, { method: 'DELETE', headers: { 'x-auth-token': token } }).then(
        ({ status }) => status,
      );

    expect(await remove(`/image/v2/images/${uuid}`)).toBe(409);
    expect(await remove(`/compute/v2.1/images/${uuid}`)).toBe(409);
    expect(await remove(`/apis/ims/v3/images/${uuid}`)).toBe(409);
    expect(await remove(`/apis/ims/v2/images/${uuid}`)).toBe(409);
    await alice.delete(`${images}/${id}`);
    expect(await remove(`/image/v2/images/${uuid}`)).toBe(204);
  });

  it('outlives a delete of all images of its project', async () => {
    const [kept, gone] = [(await bound()).uuid, await registered()];

    const reply = await fetch(`${kiln.url}/apis/ims/v3/images`, {
      method: 'DELETE',
      headers: { 'x-auth-token': await kiln.token('alice') },
    });

    expect(reply.status).toBe(204);
    expect((await glance.alice.show(kept)).status).toBe(200);
    expect((await glance.alice.show(gone)).status).toBe(404);
  });
});

async function projectOf(user: 'alice' | 'bob'): Promise<string> {
  return (await glance[user].create({})).owner;
}
