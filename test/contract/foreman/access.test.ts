// Who may call, in whose name, and what clients read before they do: Foreman 3.12.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { basic, ForemanClient, notFound } from './wire.js';

let kiln: RunningKiln;
let alice: ForemanClient;
let bob: ForemanClient;
let root: ForemanClient;
let nobody: ForemanClient;

const TWO_PROJECTS = [
  { project: 'alpha', role: 'reader' },
  { project: 'beta', role: 'member' },
];

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api', KILN_FAILED_LOGINS: '20' },
    bootstrap: {
      ...STANDARD_BOOTSTRAP,
      projects: [...STANDARD_BOOTSTRAP.projects, { name: 'Ωmega' }],
      users: [
        ...STANDARD_BOOTSTRAP.users.filter(({ name }) => name !== 'rita'),
        { name: 'carl', password: 's3cret-carl', default_project: 'beta', roles: TWO_PROJECTS },
        { name: 'dora', password: 's3cret:ödora', roles: TWO_PROJECTS },
        { name: 'emil', password: 's3cret-emil', roles: [{ project: 'Ωmega', role: 'member' }] },
        { name: 'nora', password: 's3cret-nora' },
        { name: 'paul', password: 's3cret-paul' },
      ],
    },
  });
  [alice, bob, root] = [as('alice', 's3cret-alice'), as('bob', 's3cret-bob'), as('root', 's3cret-root')];
  nobody = new ForemanClient(kiln, null);
});
afterAll(() => kiln?.stop());

const as = (login: string, secret: string) => new ForemanClient(kiln, basic(login, secret));
const organizationOf = async (client: ForemanClient): Promise<string> =>
  (await client.get(`/api/compute_resources/${await client.idOf('/api/compute_resources', 'name = Kiln')}`)).body
    .organizations[0].name;

describe('signing in', () => {
  it.each([
    ['a wrong password', () => as('alice', 'wrong'), 'alice'],
    ['no password', () => as('alice', ''), 'alice'],
    ['an unknown user', () => as('nobody', 'x'), 'nobody'],
    ['another one’s token form', () => as('alice', `${'0'.repeat(32)}.secret`), 'alice'],
    ['nothing', () => nobody, ''],
    ['what is no Basic', () => new ForemanClient(kiln, 'Basic ***'), ''],
    ['another scheme', () => new ForemanClient(kiln, 'Digest x'), ''],
    ['a zero character', () => as('al\0ice', 'x'), ''],
  ])('with %s is refused', async (_what, client, login) => {
    const { status, body, headers } = await client().get('/api/status');

    expect([status, body]).toEqual([401, { error: { message: `Unable to authenticate user ${login}` } }]);
    expect(headers.get('foreman_version')).toBe('3.12.0');
  });

  it('takes passwords with colons and other letters, and the only or the default project', async () => {
    expect((await as('dora', 's3cret:ödora').get('/api/status')).status).toBe(200);
    expect(await organizationOf(as('carl', 's3cret-carl'))).toBe('beta');
    expect(await organizationOf(bob)).toBe('beta');
    expect(await organizationOf(root)).toBe('alpha');
  });

  it('takes tokens of the identity service, in their header and in the place of the password', async () => {
    const token = await kiln.token('alice');

    expect((await nobody.get('/api/status', { 'x-auth-token': token })).status).toBe(200);
    expect((await new ForemanClient(kiln, `Bearer ${token}`).get('/api/status')).status).toBe(200);
    expect((await as('alice', token).get('/api/status')).status).toBe(200);
    expect((await as('bob', token).get('/api/status')).status).toBe(401);
    expect((await nobody.get('/api/status', { 'x-auth-token': 'wrong' })).status).toBe(401);
  });

  it('ends with the password, and with the user', async () => {
    const before = as('nora', 's3cret-nora');
    expect((await before.get('/api/organizations')).status).toBe(200);
    const admin = { 'x-auth-token': await kiln.token('root'), 'content-type': 'application/json' };
    const found = await fetch(`${kiln.url}/identity/v3/users?name=nora`, { headers: admin });
    const { users } = (await found.json()) as { users: { id: string }[] };
    const change = (user: object) =>
      fetch(`${kiln.url}/identity/v3/users/${users[0]!.id}`, {
        method: 'PATCH',
        headers: admin,
        body: JSON.stringify({ user }),
      });

    await change({ password: 'another-nora' });
    const after = as('nora', 'another-nora');
    expect((await before.get('/api/organizations')).status).toBe(401);
    expect((await after.get('/api/organizations')).status).toBe(200);

    await change({ enabled: false });
    expect((await after.get('/api/organizations')).body).toEqual({
      error: { message: 'Unable to authenticate user nora' },
    });
  });

  it('follows the user into the first project, and into another default one', async () => {
    const client = as('paul', 's3cret-paul');
    const admin = { 'x-auth-token': await kiln.token('root'), 'content-type': 'application/json' };
    const ask = async (method: string, path: string, body?: object) => {
      const reply = await fetch(`${kiln.url}/identity/v3${path}`, {
        method,
        headers: admin,
        body: JSON.stringify(body),
      });
      return reply.status === 204 ? {} : ((await reply.json()) as any);
    };
    const idOf = async (list: string, name: string) => (await ask('GET', `/${list}?name=${name}`))[list][0].id;
    const [paul, member] = [await idOf('users', 'paul'), await idOf('roles', 'member')];
    const join = async (project: string) =>
      ask('PUT', `/projects/${await idOf('projects', project)}/users/${paul}/roles/${member}`);
    expect((await client.get('/api/compute_resources')).status).toBe(403);

    await join('alpha');
    expect(await organizationOf(client)).toBe('alpha');

    await join('beta');
    await ask('PATCH', `/users/${paul}`, { user: { default_project_id: await idOf('projects', 'beta') } });
    expect(await organizationOf(client)).toBe('beta');
    const token = await kiln.token('paul', 'alpha');
    expect(await organizationOf(as('paul', token))).toBe('alpha');
    expect(await organizationOf(as('paul', token))).toBe('alpha');
  });

  it('without any project sees that, and nothing else', async () => {
    const client = as('dora', 's3cret:ödora');

    expect((await client.list('/api/organizations')).map(({ name }) => name)).toEqual(['alpha', 'beta']);
    expect((await client.get('/api/compute_resources')).body.error.missing_permissions).toEqual([
      'view_compute_resources',
    ]);
    expect((await client.post('/api/compute_resources', { name: 'x', provider: 'y' })).status).toBe(403);
  });
});

describe('a personal access token', () => {
  const tokens = '/api/users/alice/personal_access_tokens';

  it('is shown once, works in the place of the password, and ends when it is revoked', async () => {
    const made = await alice.post(tokens, { personal_access_token: { name: 'ci' } });
    const client = as('alice', made.body.token_value);

    expect(made.status).toBe(201);
    expect((await client.get('/api/status')).status).toBe(200);
    expect((await as('bob', made.body.token_value).get('/api/status')).status).toBe(401);
    expect((await alice.get(tokens)).body).toMatchObject({
      total: 1,
      results: [{ id: made.body.id, name: 'ci', expires_at: null }],
    });
    expect((await alice.get(`${tokens}/${made.body.id}`)).text).not.toContain('token_value');
    expect((await client.post(tokens, { personal_access_token: { name: 'more' } })).status).toBe(403);

    expect((await alice.delete(`${tokens}/${made.body.id}`)).body).toMatchObject({ 'revoked?': true });
    expect((await client.get('/api/status')).status).toBe(401);
    expect((await alice.get(`${tokens}/${made.body.id}`)).status).toBe(404);
  });

  it('expires', async () => {
    const expiresAt = new Date(Date.now() + 30_000).toISOString();
    const { id, token_value: value } = await alice.create(tokens, {
      personal_access_token: { name: 'short', expires_at: expiresAt },
    });

    expect((await as('alice', value).get('/api/status')).status).toBe(200);
    expect((await alice.get(`${tokens}/${id}`)).body['active?']).toBe(true);
    await eventually(async () => expect((await as('alice', value).get('/api/status')).status).toBe(401), 90_000);
    expect((await alice.get(`${tokens}/${id}`)).body['active?']).toBe(false);
  });

  it('is bound to its project', async () => {
    const beta = await root.idOf('/api/organizations', 'name = beta');
    const { token_value: value } = await alice.create(tokens, { personal_access_token: { name: 'bound' } });

    expect((await as('alice', value).get(`/api/compute_resources?organization_id=${beta}`)).status).toBe(404);
    expect((await as('alice', value).list('/api/organizations')).map(({ name }) => name)).toEqual(['alpha']);
  });

  it('is made for the organization that the request names, with the roles that the user has there', async () => {
    const ofCarl = '/api/users/carl/personal_access_tokens?organization_id=alpha';
    const { token_value: value } = await as('carl', 's3cret-carl').create(ofCarl, { name: 'elsewhere' });
    const client = as('carl', value);

    expect(await organizationOf(client)).toBe('alpha');
    expect((await client.post('/api/compute_resources', { name: 'x', provider: 'y' })).status).toBe(403);
    const ofRoot = '/api/users/root/personal_access_tokens?organization_id=beta';
    expect((await root.post(ofRoot, { name: 'nowhere' })).body).toEqual({
      error: { message: expect.stringContaining('no role in the project') },
    });
  });

  it.each([
    ['blank', ' ', "can't be blank"],
    ['with a zero character', 'a\0b', 'contains a character that cannot be stored'],
    ['with half a character', '\ud800', 'contains a character that cannot be stored'],
    ['of several kilobytes', 'ö'.repeat(3_000), 'is too long (maximum is 255 characters)'],
  ])('has no name %s', async (_what, name, fault) => {
    const { status, body } = await alice.post(tokens, { personal_access_token: { name } });

    expect([status, body.error?.errors]).toEqual([422, { name: [fault] }]);
  });

  it.each(['%00', 'nothing', '1', '0'.repeat(32)])('is not found under %s', async (id) => {
    const missing = notFound('personal_access_token', decodeURIComponent(id));

    expect((await alice.get(`${tokens}/${id}`)).body).toEqual(missing);
    expect((await alice.delete(`${tokens}/${id}`)).body).toEqual(missing);
  });

  it('is the caller’s own, has a name, and a time to come', async () => {
    expect((await bob.post(tokens, { personal_access_token: { name: 'x' } })).status).toBe(404);
    expect((await root.get(tokens)).status).toBe(404);
    expect((await alice.post(tokens, {})).body.error).toMatchObject({
      class: 'Apipie::ParamMissing',
      parameter_name: 'name',
    });
    expect((await alice.post(tokens, { name: 'past', expires_at: '2001-01-01 00:00:00 UTC' })).status).toBe(400);
    expect((await alice.post(tokens, { name: 'never', expires_at: 'never' })).status).toBe(400);
    await alice.create(tokens, { name: 'twice' });
    expect((await alice.post(tokens, { name: 'twice' })).status).toBe(422);
  });
});

describe('the context', () => {
  it('is an organization of the caller, by number or title, from the query or the body', async () => {
    const carl = as('carl', 's3cret-carl');
    const alpha = await carl.idOf('/api/organizations', 'name = alpha');
    const beta = await carl.idOf('/api/organizations', 'name = beta');

    const seen = await carl.get(`/api/compute_resources?organization_id=${alpha}&search=organization+%3D+alpha`);
    const titled = await carl.get('/api/compute_resources?organization_id=alpha');
    const any = await carl.get('/api/compute_resources?organization_id=&location_id=');
    const made = await carl.post('/api/compute_resources', {
      organization_id: beta,
      compute_resource: { name: 'c', provider: 'x' },
    });
    const refused = await carl.post('/api/compute_resources', {
      organization_id: alpha,
      compute_resource: { name: 'c', provider: 'x' },
    });

    expect(seen.headers.get('foreman_current_organization')).toBe(`${alpha}; alpha`);
    expect([seen.body.subtotal, titled.body.total]).toEqual([1, 1]);
    expect(any.headers.get('foreman_current_organization')).toBe('; ANY');
    expect([made.status, refused.status]).toEqual([201, 403]);
  });

  it('is named in ASCII where its name has other letters', async () => {
    const emil = as('emil', 's3cret-emil');
    const id = await emil.idOf('/api/organizations', 'name ~ mega');

    const { headers } = await emil.get(`/api/compute_resources?organization_id=${id}`);

    expect(headers.get('foreman_current_organization')).toBe(`${id}; %CE%A9mega`);
  });

  it('is not found where it is nothing, or another one’s', async () => {
    const beta = await root.idOf('/api/organizations', 'name = beta');
    const message = (noun: string, id: string | number) => ({ message: `${noun} with id ${id} not found` });

    expect((await alice.get(`/api/status?organization_id=${beta}`)).body).toEqual(message('Organization', beta));
    expect((await alice.get('/api/status?organization_id=999999')).status).toBe(404);
    expect((await alice.get('/api/compute_resources?location_id=99')).body).toEqual(message('Location', 99));
  });

  it('is told of locations too', async () => {
    const id = await alice.idOf('/api/locations', 'name = RegionOne');

    const { headers } = await alice.get(`/api/compute_resources?location_id=${id}-region`);

    expect(headers.get('foreman_current_location')).toBe(`${id}; RegionOne`);
  });
});

describe('what clients read first', () => {
  it('is the same below the mount and at the root, without credentials, and named by its checksum', async () => {
    const documents = await Promise.all(
      ['/foreman/apidoc/v2.json', '/apidoc/v2.json', '/apidoc/v2.de.json', '/foreman/apidoc/v2.en.json'].map((path) =>
        fetch(`${kiln.url}${path}`),
      ),
    );
    const texts = await Promise.all(documents.map((reply) => reply.text()));
    const { body } = await nobody.get('/apidoc/apipie_checksum');

    expect(documents.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(new Set(texts).size).toBe(1);
    expect(body.checksum).toMatch(/^[0-9a-f]+$/);
    expect(documents.every(({ headers }) => headers.get('apipie-checksum') === body.checksum)).toBe(true);
    expect((await nobody.get('/apidoc/v1.json')).status).toBe(404);
  });

  it('names no route that there is not', async () => {
    const { docs } = (await nobody.get('/apidoc/v2.json')).body;
    const calls = Object.entries<any>(docs.resources)
      .filter(([name]) => name !== 'hosts')
      .flatMap(([, { methods }]) => methods.flatMap(({ apis }: any) => apis));

    for (const { api_url: url, http_method: method } of calls) {
      const path = url.replace(':user_id', 'alice').replace(/:\w+/g, '999999');
      const { status, body } = await alice.send(method, path, method === 'GET' || method === 'DELETE' ? undefined : {});
      const missing = status === 404 && /^There is nothing at|does not take/.test(body?.error?.message ?? '');
      expect([method, path, missing]).toEqual([method, path, false]);
    }
    expect(calls.length).toBeGreaterThan(30);
  });

  it('says which parameters are needed, and never says nothing of one', async () => {
    const { docs } = (await nobody.get('/apidoc/v2.json')).body;
    const images = Object.fromEntries(docs.resources.images.methods.map((method: any) => [method.name, method]));
    const required = (params: any[]) => params.filter((param) => param.required).map((param) => param.full_name);
    const wrapped = (method: string) => images[method].params.find(({ name }: any) => name === 'image');
    const all: any[] = Object.values<any>(docs.resources).flatMap(({ methods }) =>
      methods.flatMap(({ params }: any) => params),
    );

    expect(required(images.create.params)).toEqual(['compute_resource_id', 'image']);
    expect(required(wrapped('create').params)).toEqual(['image[name]', 'image[username]', 'image[uuid]']);
    expect(required(images.update.params)).toEqual(['compute_resource_id', 'id', 'image']);
    expect(required(wrapped('update').params)).toEqual([]);
    expect(required(images.destroy.params)).toEqual(['compute_resource_id', 'id']);
    expect(images.index.metadata.search).toContainEqual({ name: 'user_data', values: ['true', 'false'] });
    expect(all.every(({ description }) => typeof description === 'string')).toBe(true);
    expect(all.find(({ name }) => name === 'per_page').expected_type).toBe('string');
  });

  it.each(['', '/v2'])('is how it is at /api%s', async (version) => {
    const atRoot = new ForemanClient(kiln, alice.authorization, '');

    const status = await atRoot.get(`/api${version}/status`);
    const links = await atRoot.get(`/api${version}`);

    expect(status.body).toEqual({ result: 'ok', status: 200, version: '3.12.0', api_version: 2 });
    expect(status.headers.get('foreman_api_version')).toBe('2');
    expect(status.headers.get('foreman_current_location')).toBe('; ANY');
    expect(links.body.links.images).toMatchObject({
      'Create an image': '/api/compute_resources/:compute_resource_id/images',
    });
    expect((await new ForemanClient(kiln, null, '').get(`/api${version}/status`)).status).toBe(401);
    expect(
      (await new ForemanClient(kiln, null, '').get(`/api${version}/ping`)).body.results.foreman.database.active,
    ).toBe(true);
  });

  it('leaves other faces where they are', async () => {
    const at = async (path: string) => {
      const { status, headers } = await fetch(`${kiln.url}${path}`);
      return [status, headers.get('content-type')!.split(';')[0]];
    };

    expect(await at('/apis/ims/v3/images')).toEqual([401, 'application/problem+json']);
    expect(await at('/apis')).toEqual([404, 'application/problem+json']);
    expect(await at('/apidocs')).toEqual([404, 'application/problem+json']);
    expect(await at('/api/nothing')).toEqual([404, 'application/json']);
    expect((await at('/docs'))[0]).toBe(200);
  });
});

// Last: afterwards nobody can sign in from here for a while.
describe('guessing', () => {
  it('is stopped, and keeps out nobody who is signed in', async () => {
    await alice.get('/api/status');
    const guesses = Array.from({ length: 20 }, (_, index) => as('alice', `guess-${index}`).get('/api/status'));
    const replies = await Promise.all(guesses);

    const late = await as('carl', 's3cret-carl-later').get('/api/status');

    expect(replies.every(({ status }) => status === 401)).toBe(true);
    expect(late.body.error.message).toContain('try again in');
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await as('emil', 's3cret-emil-not-yet').get('/api/status')).status).toBe(401);
    expect((await alice.get('/api/status')).status).toBe(200);
  });
});
