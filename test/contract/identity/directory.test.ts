// The exchanges are those of the Identity API v3 reference (projects, users, domains, roles, application credentials)
// and of Keystone 22's default policies.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Answer, ask, byPassword, errorOf, project } from './wire.js';

const HEX_ID = /^[0-9a-f]{32}$/;

let kiln: RunningKiln;
let base: string;
let root: string;
let alice: string;
let rita: string;
let aliceId: string;
let bobId: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  base = `${kiln.url}/identity`;
  root = await kiln.token('root');
  alice = await kiln.token('alice');
  rita = await kiln.token('rita');
  const { users } = (await get('/v3/users', root)).body as { users: { id: string; name: string }[] };
  aliceId = users.find(({ name }) => name === 'alice')!.id;
  bobId = users.find(({ name }) => name === 'bob')!.id;
});

afterAll(() => kiln?.stop());

function get(path: string, token?: string): Promise<Answer> {
  return ask(kiln, 'GET', path, { token });
}

function forbidden(action: string) {
  return errorOf(403, 'Forbidden', `You are not authorized to perform the requested action: ${action}.`);
}

async function names(path: string, plural: string): Promise<string[]> {
  const { status, body } = await get(path, root);
  expect(status).toBe(200);
  return body[plural].map(({ name }: { name: string }) => name);
}

describe('projects', () => {
  it('are shown to those who have a role there, and all to administrators', async () => {
    const shown = {
      project: {
        id: ALPHA,
        name: 'alpha',
        domain_id: 'default',
        description: '',
        enabled: true,
        parent_id: 'default',
        is_domain: false,
        tags: [],
        options: {},
        links: { self: `${base}/v3/projects/${ALPHA}` },
      },
    };

    for (const token of [root, alice, rita]) {
      const answer = await get(`/v3/projects/${ALPHA}`, token);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(shown);
    }
    expect((await get(`/v3/projects/${BETA}`, root)).status).toBe(200);
  });

  it.each([BETA, 'unknown', 'alpha', '%00'])('are not shown to others, existing or not: %s', async (id) => {
    const answer = await get(`/v3/projects/${id}`, alice);

    // Clients that look up a name go on with the name as an id after a 403, and only after that.
    if (id === '%00') expect(answer.status).toBe(400);
    else {
      expect(answer.status).toBe(403);
      expect(answer.body).toEqual(forbidden('identity:get_project'));
    }
  });

  it('are missing only for administrators', async () => {
    const answer = await get('/v3/projects/alpha', root);

    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(errorOf(404, 'Not Found', 'Could not find project: alpha.'));
  });

  it.each([
    ['', ['alpha', 'beta']],
    ['?name=alpha', ['alpha']],
    ['?name=Alpha', []],
    ['?domain_id=default', ['alpha', 'beta']],
    ['?domain_id=other', []],
    ['?parent_id=default', ['alpha', 'beta']],
    [`?parent_id=${ALPHA}`, []],
    ['?enabled=true', ['alpha', 'beta']],
    ['?enabled=false', []],
    ['?is_domain=true', []],
    ['?name=alpha&name=beta', ['alpha']],
    ['?user_id=unknown', []],
  ])('are listed for administrators: %j', async (query, expected) => {
    await expect(names(`/v3/projects${query}`, 'projects')).resolves.toEqual(expected);
  });

  it('are listed in the form of a collection', async () => {
    const { body } = await get('/v3/projects/?name=nothing', root);

    expect(body).toEqual({ projects: [], links: { self: `${base}/v3/projects`, next: null, previous: null } });
  });

  it.each(['alice', 'rita'])('are not listed for %s', async (name) => {
    const answer = await get('/v3/projects?name=alpha', await kiln.token(name));

    expect(answer.status).toBe(403);
    expect(answer.body).toEqual(forbidden('identity:list_projects'));
  });
});

describe('users', () => {
  it('are shown to themselves and to administrators', async () => {
    for (const token of [alice, root]) {
      const answer = await get(`/v3/users/${aliceId}`, token);
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual({
        user: {
          id: expect.stringMatching(HEX_ID),
          name: 'alice',
          domain_id: 'default',
          enabled: true,
          default_project_id: ALPHA,
          password_expires_at: null,
          options: {},
          links: { self: `${base}/v3/users/${aliceId}` },
        },
      });
    }
  });

  it('are not shown to others', async () => {
    for (const id of [bobId, 'unknown']) {
      const answer = await get(`/v3/users/${id}`, alice);
      expect(answer.status).toBe(403);
      expect(answer.body).toEqual(forbidden('identity:get_user'));
    }
    const missing = await get('/v3/users/unknown', root);
    expect(missing.body).toEqual(errorOf(404, 'Not Found', 'Could not find user: unknown.'));
  });

  it.each([
    ['', ['alice', 'bob', 'rita', 'root']],
    ['?name=bob', ['bob']],
    ['?domain_id=other', []],
    ['?enabled=0', []],
  ])('are listed for administrators: %j', async (query, expected) => {
    await expect(names(`/v3/users${query}`, 'users')).resolves.toEqual(expected);
  });

  it('are not listed for others', async () => {
    expect((await get('/v3/users', alice)).body).toEqual(forbidden('identity:list_users'));
  });

  it('have projects, which they and administrators see', async () => {
    for (const token of [alice, root]) {
      const { body } = await get(`/v3/users/${aliceId}/projects`, token);
      expect(body.projects).toEqual([expect.objectContaining({ name: 'alpha' })]);
    }
    expect((await get(`/v3/users/${bobId}/projects`, alice)).status).toBe(403);
    expect((await get('/v3/users/unknown/projects', root)).status).toBe(404);
  });
});

describe('domains', () => {
  it('are shown to administrators and to those who act in them', async () => {
    for (const token of [alice, root]) {
      const answer = await get('/v3/domains/default', token);
      expect(answer.body).toEqual({
        domain: {
          id: 'default',
          name: 'Default',
          description: 'The default domain',
          enabled: true,
          tags: [],
          options: {},
          links: { self: `${base}/v3/domains/default` },
        },
      });
    }
    expect((await get('/v3/domains/Default', alice)).status).toBe(403);
    expect((await get('/v3/domains/Default', root)).body).toEqual(
      errorOf(404, 'Not Found', 'Could not find domain: Default.'),
    );
  });

  it('are listed for administrators', async () => {
    await expect(names('/v3/domains', 'domains')).resolves.toEqual(['Default']);
    await expect(names('/v3/domains?name=Default', 'domains')).resolves.toEqual(['Default']);
    await expect(names('/v3/domains?name=default', 'domains')).resolves.toEqual([]);
    expect((await get('/v3/domains', alice)).status).toBe(403);
  });
});

describe('roles', () => {
  it('are listed and shown to administrators, under ids that never change', async () => {
    await expect(names('/v3/roles', 'roles')).resolves.toEqual(['admin', 'member', 'reader', 'service']);
    const { roles } = (await get('/v3/roles?name=member', root)).body;
    expect(roles).toEqual([
      {
        id: '19b537076d3fc98a417b0d9c44eaea02',
        name: 'member',
        domain_id: null,
        description: null,
        options: {},
        links: { self: `${base}/v3/roles/19b537076d3fc98a417b0d9c44eaea02` },
      },
    ]);
    expect((await get(`/v3/roles/${roles[0].id}`, root)).body).toEqual({ role: roles[0] });
    expect((await get('/v3/roles/member', root)).body).toEqual(
      errorOf(404, 'Not Found', 'Could not find role: member.'),
    );
    expect((await get('/v3/roles', alice)).status).toBe(403);
    expect((await get(`/v3/roles/${roles[0].id}`, alice)).status).toBe(403);
  });

  it('are assigned to users in projects', async () => {
    const { body } = await get(`/v3/role_assignments?user.id=${aliceId}&include_names`, root);

    const domain = { id: 'default', name: 'Default' };
    expect(body).toEqual({
      role_assignments: [
        {
          role: { id: '19b537076d3fc98a417b0d9c44eaea02', name: 'member' },
          user: { id: aliceId, name: 'alice', domain },
          scope: { project: { id: ALPHA, name: 'alpha', domain } },
          links: {
            assignment: `${base}/v3/projects/${ALPHA}/users/${aliceId}/roles/19b537076d3fc98a417b0d9c44eaea02`,
          },
        },
      ],
      links: { self: `${base}/v3/role_assignments`, next: null, previous: null },
    });
  });

  it.each([
    ['', 4],
    ['?effective', 8],
    [`?scope.project.id=${ALPHA}`, 3],
    ['?role.id=19b537076d3fc98a417b0d9c44eaea02', 2],
    ['?role.id=19b537076d3fc98a417b0d9c44eaea02&effective=1', 3],
    ['?role.id=unknown', 0],
    ['?group.id=any', 0],
    ['?scope.system=all', 0],
  ])('are found by condition: %j', async (query, count) => {
    const { status, body } = await get(`/v3/role_assignments${query}`, root);

    expect(status).toBe(200);
    expect(body.role_assignments).toHaveLength(count);
  });

  it('are not told to members', async () => {
    expect((await get('/v3/role_assignments', alice)).body).toEqual(forbidden('identity:list_role_assignments'));
  });
});

it.each([
  '/v3/projects',
  `/v3/projects/${ALPHA}`,
  '/v3/users',
  '/v3/users/x',
  '/v3/users/x/projects',
  '/v3/users/x/application_credentials',
  '/v3/users/x/application_credentials/y',
  '/v3/domains',
  '/v3/domains/default',
  '/v3/roles',
  '/v3/roles/x',
  '/v3/role_assignments',
])('GET %s needs a good token', async (path) => {
  for (const token of [undefined, 'x'.repeat(43)]) {
    const answer = await get(path, token);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${base}/v3"`);
  }
});

describe('POST /v3/users/{id}/password', () => {
  function change(userId: string, token: string | undefined, user: unknown): Promise<Answer> {
    return ask(kiln, 'POST', `/v3/users/${userId}/password`, { token, json: { user } });
  }

  it('gives a user a new password, and ends what was had with the old one', async () => {
    const token = await kiln.token('bob');

    const answer = await change(bobId, token, { original_password: 's3cret-bob', password: 'n3w' });

    expect(answer.status).toBe(204);
    expect(answer.text).toBe('');
    expect((await get('/v3/auth/projects', token)).status).toBe(401);
    const old = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('bob') });
    expect(old.status).toBe(401);
    const again = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('bob', project('beta'), 'n3w') });
    expect(again.status).toBe(201);
    const back = await change(bobId, again.headers.get('x-subject-token')!, {
      original_password: 'n3w',
      password: 's3cret-bob',
    });
    expect(back.status).toBe(204);
  });

  it('refuses a wrong original password', async () => {
    expect((await change(aliceId, alice, { original_password: 'wrong', password: 'x' })).status).toBe(401);
  });

  it("refuses somebody else's, also to administrators", async () => {
    for (const token of [alice, root]) {
      const answer = await change(bobId, token, { original_password: 's3cret-bob', password: 'x' });
      expect(answer.status).toBe(403);
    }
  });

  it('needs a token', async () => {
    expect((await change(aliceId, undefined, { original_password: 's3cret-alice', password: 'x' })).status).toBe(401);
  });

  it.each([
    [{}],
    [{ password: 'x' }],
    [{ original_password: 's3cret-alice' }],
    [{ original_password: 's3cret-alice', password: '' }],
    [{ original_password: 's3cret-alice', password: 7 }],
    [{ original_password: 's3cret-alice', password: 'x'.repeat(4_097) }],
    ['text'],
  ])('calls it malformed: %j', async (user) => {
    const answer = await change(aliceId, alice, user);

    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(errorOf(400, 'Bad Request', expect.any(String)));
  });
});

describe('application credentials', () => {
  let path: string;
  beforeAll(() => {
    path = `/v3/users/${aliceId}/application_credentials`;
  });

  function create(credential: unknown, token = alice): Promise<Answer> {
    return ask(kiln, 'POST', path, { token, json: { application_credential: credential } });
  }

  function signIn(application_credential: object, scope?: unknown): Promise<Answer> {
    return ask(kiln, 'POST', '/v3/auth/tokens', {
      json: { auth: { identity: { methods: ['application_credential'], application_credential }, scope } },
    });
  }

  it('are made, and show their secret this once', async () => {
    const answer = await create({ name: 'ci', roles: [{ name: 'member' }], expires_at: null, unrestricted: false });

    expect(answer.status).toBe(201);
    const { application_credential: made } = answer.body;
    expect(made).toEqual({
      id: expect.stringMatching(HEX_ID),
      name: 'ci',
      description: null,
      user_id: aliceId,
      project_id: ALPHA,
      system: null,
      expires_at: null,
      unrestricted: false,
      roles: [
        {
          id: '19b537076d3fc98a417b0d9c44eaea02',
          name: 'member',
          domain_id: null,
          description: null,
          options: {},
        },
      ],
      secret: expect.stringMatching(/^[\w-]{86}$/),
      links: { self: `${base}${path}/${made.id}` },
    });
    const { secret: _secret, ...shown } = made;
    expect((await get(`${path}/${made.id}`, alice)).body).toEqual({ application_credential: shown });
    expect((await get(`${path}?name=ci`, alice)).body).toEqual({
      application_credentials: [shown],
      links: { self: `${base}${path}`, next: null, previous: null },
    });
    expect((await get(`${path}?name=other`, alice)).body.application_credentials).toEqual([]);
  });

  it('sign in by id or by name, to their project and with their roles only', async () => {
    const { id, secret } = (await create({ name: 'robot', roles: [{ name: 'reader' }], secret: 'chosen' })).body
      .application_credential;
    expect(secret).toBe('chosen');
    const user = { name: 'alice', domain: { name: 'Default' } };

    for (const credential of [
      { id, secret },
      { name: 'robot', user: { id: aliceId }, secret },
      { name: 'robot', user, secret },
    ]) {
      const answer = await signIn(credential);
      expect(answer.status).toBe(201);
      expect(answer.body.token).toMatchObject({
        methods: ['application_credential'],
        project: { id: ALPHA },
        application_credential: { id, name: 'robot', restricted: true },
      });
      expect(answer.body.token.roles.map(({ name }: { name: string }) => name)).toEqual(['reader']);
    }
    for (const refused of [
      await signIn({ id, secret: 'wrong' }),
      await signIn({ id, secret }, project('alpha')),
      await signIn({ name: 'robot', user: { id: bobId }, secret }),
    ]) {
      expect(refused.status).toBe(401);
    }
  });

  it('make tokens that make no other tokens and no other credentials', async () => {
    const { id, secret } = (await create({ name: 'bound' })).body.application_credential;
    const token = (await signIn({ id, secret })).headers.get('x-subject-token')!;

    const other = await ask(kiln, 'POST', '/v3/auth/tokens', {
      json: { auth: { identity: { methods: ['token'], token: { id: token } }, scope: project('alpha') } },
    });
    expect(other.status).toBe(403);
    expect((await create({ name: 'child' }, token)).status).toBe(403);
    expect((await ask(kiln, 'DELETE', `${path}/${id}`, { token })).status).toBe(403);
    expect((await get(path, token)).status).toBe(200);
  });

  it('may make others if they are unrestricted, with no more roles than their own', async () => {
    const { id, secret } = (await create({ name: 'free', unrestricted: true, roles: [{ name: 'reader' }] })).body
      .application_credential;
    const token = (await signIn({ id, secret })).headers.get('x-subject-token')!;

    const child = await create({ name: 'of-free' }, token);
    expect(child.status).toBe(201);
    expect(child.body.application_credential.roles.map(({ name }: { name: string }) => name)).toEqual(['reader']);
    expect((await create({ name: 'more', roles: [{ name: 'member' }] }, token)).status).toBe(400);
  });

  it('end their tokens with themselves', async () => {
    const { id, secret } = (await create({ name: 'gone' })).body.application_credential;
    const token = (await signIn({ id, secret })).headers.get('x-subject-token')!;
    expect((await get('/v3/auth/projects', token)).status).toBe(200);

    expect((await ask(kiln, 'DELETE', `${path}/${id}`, { token: alice })).status).toBe(204);

    expect((await get('/v3/auth/projects', token)).status).toBe(401);
    expect((await signIn({ id, secret })).status).toBe(401);
    const again = await ask(kiln, 'DELETE', `${path}/${id}`, { token: alice });
    expect(again.body).toEqual(errorOf(404, 'Not Found', `Could not find Application Credential: ${id}.`));
    expect((await get(`${path}/${id}`, alice)).status).toBe(404);
  });

  it('have one name each', async () => {
    expect((await create({ name: 'twice' })).status).toBe(201);

    const second = await create({ name: 'twice' });

    expect(second.status).toBe(409);
    expect(second.body).toEqual(errorOf(409, 'Conflict', expect.stringContaining('twice')));
  });

  it.each([
    ['no name', {}],
    ['an empty name', { name: ' ' }],
    ['half a character in the name', { name: '\ud800' }],
    ['a role that does not exist', { name: 'x', roles: [{ name: 'boss' }] }],
    ['a role that the caller lacks', { name: 'x', roles: [{ name: 'admin' }] }],
    ['roles that are no list', { name: 'x', roles: 'member' }],
    ['a time that is over', { name: 'x', expires_at: '2001-01-01T00:00:00.000000' }],
    ['a time that is none', { name: 'x', expires_at: 'tomorrow' }],
    ['a month that is none', { name: 'x', expires_at: '2050-13-01T00:00:00' }],
    ['an empty secret', { name: 'x', secret: '' }],
    ['a flag that is text', { name: 'x', unrestricted: 'yes' }],
    ['a rule for no service', { name: 'x', access_rules: [{ path: '/v2/images', method: 'GET' }] }],
  ])('are not made with %s', async (_what, credential) => {
    const answer = await create(credential);

    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(errorOf(400, 'Bad Request', expect.any(String)));
  });

  it('take times without an offset for UTC', async () => {
    const answer = await create({ name: 'later', expires_at: '2100-06-01T12:00:00' });

    expect(answer.body.application_credential.expires_at).toBe('2100-06-01T12:00:00.000000Z');
  });

  it('are made in the project of a token, by their user', async () => {
    const unscoped = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('alice', 'unscoped') });
    expect((await create({ name: 'x' }, unscoped.headers.get('x-subject-token')!)).status).toBe(400);
    for (const token of [rita, root]) expect((await create({ name: 'x' }, token)).status).toBe(403);
  });

  it('are seen and removed by their user and by administrators only', async () => {
    const { id } = (await create({ name: 'seen' })).body.application_credential;

    expect((await get(`${path}/${id}`, rita)).status).toBe(403);
    expect((await get(path, rita)).status).toBe(403);
    expect((await ask(kiln, 'DELETE', `${path}/${id}`, { token: rita })).status).toBe(403);
    expect((await get(`${path}/${id}`, root)).status).toBe(200);
    expect((await ask(kiln, 'DELETE', `${path}/${id}`, { token: root })).status).toBe(204);
  });

  it("do not answer under another user's path", async () => {
    const { id } = (await create({ name: 'mine' })).body.application_credential;

    expect((await get(`/v3/users/${bobId}/application_credentials/${id}`, root)).status).toBe(404);
    const removal = await ask(kiln, 'DELETE', `/v3/users/${bobId}/application_credentials/${id}`, { token: root });
    expect(removal.status).toBe(404);
  });
});
