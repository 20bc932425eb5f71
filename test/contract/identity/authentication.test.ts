// The exchanges are those of the Identity API v3 reference ("Authentication and token management") and of Keystone 22.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, byPassword, errorOf, project } from './wire.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const HEX_ID = /^[0-9a-f]{32}$/;
const REQUEST_ID = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNAUTHENTICATED = errorOf(401, 'Unauthorized', 'The request you have made requires authentication.');

let kiln: RunningKiln;
let base: string;
let root: string;
let alice: string;
let bob: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  base = `${kiln.url}/identity`;
  root = await kiln.token('root');
  alice = await kiln.token('alice');
  bob = await kiln.token('bob');
});

afterAll(() => kiln?.stop());

describe('discovery', () => {
  const version = () => ({
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${base}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  });

  it.each(['', '/'])('offers its versions at %j', async (path) => {
    const answer = await ask(kiln, 'GET', path);

    expect(answer.status).toBe(300);
    expect(answer.headers.get('location')).toBe(`${base}/v3/`);
    expect(answer.body).toEqual({ versions: { values: [version()] } });
  });

  it.each(['/v3', '/v3/'])('describes the version at %j, also to those who ask for a home document', async (path) => {
    const answer = await ask(kiln, 'GET', path, { headers: { accept: 'application/json-home' } });

    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ version: version() });
  });

  it('gives every answer an id of its own and says what it varies by', async () => {
    const answers = await Promise.all(
      ['/v3', '/v3', '/v3/nothing', '/v3/auth/tokens'].map((path) =>
        ask(kiln, 'GET', path, { headers: { 'x-openstack-request-id': 'req-mine' } }),
      ),
    );

    for (const { headers } of answers) {
      expect(headers.get('x-openstack-request-id')).toMatch(REQUEST_ID);
      expect(headers.get('vary')).toBe('X-Auth-Token');
    }
    expect(new Set(answers.map(({ headers }) => headers.get('x-openstack-request-id'))).size).toBe(4);
  });

  it('answers unknown paths and wrong methods in its own form', async () => {
    const unknown = await ask(kiln, 'GET', '/v3/nothing');
    expect(unknown.status).toBe(404);
    expect(unknown.body).toEqual(errorOf(404, 'Not Found', expect.any(String)));

    const wrong = await ask(kiln, 'PATCH', '/v3/auth/tokens/');
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('DELETE, GET, HEAD, POST');
    expect(wrong.body).toEqual(errorOf(405, 'Method Not Allowed', expect.any(String)));
  });
});

describe('POST /v3/auth/tokens', () => {
  it('signs in with a password to a project', async () => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('alice', project('alpha')) });

    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-subject-token')).toMatch(/^[\w-]{43}$/);
    const { token } = answer.body;
    expect(token).toEqual({
      methods: ['password'],
      user: {
        id: expect.stringMatching(HEX_ID),
        name: 'alice',
        domain: { id: 'default', name: 'Default' },
        password_expires_at: null,
      },
      audit_ids: [expect.stringMatching(/^[\w-]{22}$/)],
      issued_at: expect.stringMatching(TIME),
      expires_at: expect.stringMatching(TIME),
      project: { id: ALPHA, name: 'alpha', domain: { id: 'default', name: 'Default' } },
      is_domain: false,
      roles: [
        { id: expect.stringMatching(HEX_ID), name: 'member' },
        { id: expect.stringMatching(HEX_ID), name: 'reader' },
      ],
      catalog: expect.any(Array),
    });
    expect(Date.parse(token.expires_at) - Date.parse(token.issued_at)).toBe(3_600_000);
  });

  it('lists the services that exist, every interface of them, at the address that the client came to', async () => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens/', { json: byPassword('alice') });

    const { catalog } = answer.body.token;
    expect(catalog.map(({ type }: { type: string }) => type)).toEqual(['identity', 'image', 'compute']);
    const urls = { identity: `${base}/v3`, image: `${kiln.url}/image`, compute: `${kiln.url}/compute/v2.1` };
    for (const { id, name, type, endpoints } of catalog) {
      expect(id).toMatch(HEX_ID);
      expect(name).toBe('kiln');
      expect(endpoints.map((endpoint: { interface: string }) => endpoint.interface)).toEqual([
        'public',
        'internal',
        'admin',
      ]);
      for (const endpoint of endpoints) {
        expect(endpoint).toEqual({
          id: expect.stringMatching(HEX_ID),
          interface: expect.any(String),
          region: 'RegionOne',
          region_id: 'RegionOne',
          url: urls[type as keyof typeof urls],
        });
      }
    }
  });

  it('leaves the catalogue out when told to', async () => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens?nocatalog', { json: byPassword('alice') });

    expect(answer.status).toBe(201);
    expect(answer.body.token).not.toHaveProperty('catalog');
    expect(answer.body.token).toHaveProperty('roles');
  });

  it('goes to the default project when no scope is given, and nowhere without one', async () => {
    const withDefault = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('alice') });
    const without = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('bob') });

    expect(withDefault.body.token.project.name).toBe('alpha');
    for (const name of ['project', 'roles', 'catalog', 'is_domain'])
      expect(without.body.token).not.toHaveProperty(name);
  });

  it('gives an unscoped token on request', async () => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('alice', 'unscoped') });

    expect(answer.status).toBe(201);
    expect(answer.body.token).not.toHaveProperty('project');
  });

  it('gives administrators the domain and the system', async () => {
    const domain = await ask(kiln, 'POST', '/v3/auth/tokens', {
      json: byPassword('root', { domain: { name: 'Default' } }),
    });
    const system = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('root', { system: { all: true } }) });

    expect(domain.body.token).toMatchObject({ domain: { id: 'default', name: 'Default' } });
    expect(system.body.token).toMatchObject({ system: { all: true } });
    for (const { body } of [domain, system]) {
      expect(body.token).not.toHaveProperty('project');
      expect(body.token.roles.map(({ name }: { name: string }) => name)).toEqual(['admin', 'member', 'reader']);
    }
  });

  it('takes users and projects by id, whatever the content type says', async () => {
    const { user } = (await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('alice') })).body.token;
    const identity = { methods: ['password'], password: { user: { id: user.id, password: 's3cret-alice' } } };

    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', {
      raw: JSON.stringify({ auth: { identity, scope: { project: { id: ALPHA } } } }),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });

    expect(answer.status).toBe(201);
    expect(answer.body.token).toMatchObject({ user, project: { id: ALPHA } });
  });

  it.each([
    ['a wrong password', byPassword('alice', project('alpha'), 'wrong')],
    ['a password that is too long to be one', byPassword('alice', project('alpha'), 'x'.repeat(5_000))],
    ['an unknown user', byPassword('nobody', project('alpha'))],
    ['an unknown project', byPassword('alice', project('nowhere'))],
    ['a project without a role', byPassword('alice', project('beta'))],
    ['a domain that only administrators may have', byPassword('alice', { domain: { id: 'default' } })],
    ['the system as a member', byPassword('alice', { system: { all: true } })],
    ['an unknown domain', byPassword('root', { domain: { name: 'other' } })],
    ['a token that is none', { auth: { identity: { methods: ['token'], token: { id: 'x' } } } }],
    [
      'an unknown application credential',
      { auth: { identity: { methods: ['application_credential'], application_credential: { id: 'x', secret: 'y' } } } },
    ],
  ])('answers %s always the same', async (_what, json) => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', { json });

    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${base}/v3"`);
    expect(answer.headers.get('x-subject-token')).toBeNull();
    expect(answer.body).toEqual(UNAUTHENTICATED);
  });

  it('tells its methods to those who ask for another', async () => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', {
      json: { auth: { identity: { methods: ['saml2'], saml2: {} } } },
    });

    expect(answer.status).toBe(401);
    expect(answer.body).toEqual({
      error: { ...UNAUTHENTICATED.error, identity: { methods: ['password', 'token', 'application_credential'] } },
    });
  });

  it.each([
    ['nothing', undefined],
    ['what is not JSON', '{"auth":'],
    ['what is not UTF-8', Buffer.from([0x22, 0xff, 0x22]).toString('latin1')],
    ['a list', '[]'],
    ['an auth that is null', '{"auth":null}'],
    ['an auth without an identity', '{"auth":{"scope":"unscoped"}}'],
    ['a zero character', JSON.stringify(byPassword('al\0ice'))],
    [
      'a name without a domain',
      '{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"a","password":"b"}}}}}',
    ],
  ])('calls %s malformed', async (_what, raw) => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', { raw });

    expect(answer.status).toBe(400);
    expect(answer.body).toEqual(errorOf(400, 'Bad Request', expect.any(String)));
  });

  it('refuses a body that is too large', async () => {
    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', { raw: `"${'x'.repeat(1024 * 1024)}"` });

    expect(answer.status).toBe(413);
    expect(answer.body.error.code).toBe(413);
  });

  it('makes a token from another one, in another scope', async () => {
    const unscoped = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('bob', 'unscoped') });

    const answer = await ask(kiln, 'POST', '/v3/auth/tokens', {
      json: {
        auth: {
          identity: { methods: ['token'], token: { id: unscoped.headers.get('x-subject-token') } },
          scope: project('beta'),
        },
      },
    });

    expect(answer.status).toBe(201);
    expect(answer.body.token).toMatchObject({
      methods: ['token', 'password'],
      project: { name: 'beta' },
      expires_at: unscoped.body.token.expires_at,
      audit_ids: [expect.any(String), unscoped.body.token.audit_ids[0]],
    });
  });
});

describe.each(['GET', 'HEAD'])('%s /v3/auth/tokens', (method) => {
  const path = '/v3/auth/tokens';

  it('shows the own token, those of the same user, and to administrators any', async () => {
    const second = await kiln.token('alice');

    for (const [token, subject] of [
      [alice, alice],
      [alice, second],
      [root, alice],
    ]) {
      const answer = await ask(kiln, method, path, { token, subject });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-subject-token')).toBe(subject);
      if (method === 'HEAD') expect(answer.text).toBe('');
      else expect(answer.body.token).toMatchObject({ user: { name: 'alice' }, catalog: expect.any(Array) });
    }
  });

  it("refuses somebody else's token to members", async () => {
    const answer = await ask(kiln, method, path, { token: bob, subject: alice });

    expect(answer.status).toBe(403);
  });

  it.each([
    ['unknown', 'x'.repeat(43)],
    ['malformed', 'no token at all'],
    ['missing', undefined],
  ])('does not find a token that is %s', async (_what, subject) => {
    const answer = await ask(kiln, method, path, { token: alice, subject });

    expect(answer.status).toBe(404);
    if (method === 'GET') expect(answer.body).toEqual(errorOf(404, 'Not Found', 'Could not find token.'));
  });

  it.each([
    ['no', undefined],
    ['a bad', 'x'.repeat(43)],
  ])('needs a caller with a good token: %s one', async (_what, token) => {
    const answer = await ask(kiln, method, path, { token, subject: alice });

    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${base}/v3"`);
  });

  it('takes the caller as a bearer too, and leaves the catalogue out when told to', async () => {
    const answer = await ask(kiln, method, `${path}?nocatalog=1`, {
      subject: alice,
      headers: { authorization: `Bearer ${alice}` },
    });

    expect(answer.status).toBe(200);
    if (method === 'GET') expect(answer.body.token).not.toHaveProperty('catalog');
  });
});

describe('DELETE /v3/auth/tokens', () => {
  it('ends a token at once', async () => {
    const token = await kiln.token('alice');

    expect((await ask(kiln, 'DELETE', '/v3/auth/tokens', { token, subject: token })).status).toBe(204);

    expect((await ask(kiln, 'GET', '/v3/auth/projects', { token })).status).toBe(401);
    const again = await ask(kiln, 'DELETE', '/v3/auth/tokens', { token: alice, subject: token });
    expect(again.status).toBe(404);
    const late = await ask(kiln, 'GET', '/v3/auth/tokens?allow_expired=1', { token: root, subject: token });
    expect(late.status).toBe(404);
  });

  it("lets administrators end anybody's token, and nobody else", async () => {
    const token = await kiln.token('alice');

    const byBob = await ask(kiln, 'DELETE', '/v3/auth/tokens', { token: bob, subject: token });
    expect(byBob.status).toBe(403);
    expect(byBob.body).toEqual(
      errorOf(403, 'Forbidden', 'You are not authorized to perform the requested action: identity:revoke_token.'),
    );
    expect((await ask(kiln, 'DELETE', '/v3/auth/tokens', { token: root, subject: token })).status).toBe(204);
  });

  it('needs a caller', async () => {
    expect((await ask(kiln, 'DELETE', '/v3/auth/tokens', { subject: alice })).status).toBe(401);
  });
});

describe('what a caller may have', () => {
  it('is its catalogue, in a project', async () => {
    const answer = await ask(kiln, 'GET', '/v3/auth/catalog', { token: alice });
    const unscoped = await ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword('alice', 'unscoped') });
    const refused = await ask(kiln, 'GET', '/v3/auth/catalog', {
      token: unscoped.headers.get('x-subject-token')!,
    });

    expect(answer.body).toMatchObject({
      catalog: [{ type: 'identity' }, { type: 'image' }, { type: 'compute' }],
      links: { self: `${base}/v3/auth/catalog` },
    });
    expect(refused.status).toBe(403);
  });

  it('is the projects where it has a role', async () => {
    const answer = await ask(kiln, 'GET', '/v3/auth/projects', { token: alice });

    expect(answer.body).toEqual({
      projects: [expect.objectContaining({ id: ALPHA, name: 'alpha' })],
      links: { self: `${base}/v3/auth/projects`, next: null, previous: null },
    });
  });

  it('is the domain and the system for administrators, and neither for others', async () => {
    const of = async (token: string) => [
      (await ask(kiln, 'GET', '/v3/auth/domains', { token })).body.domains.map(({ id }: { id: string }) => id),
      (await ask(kiln, 'GET', '/v3/auth/system', { token })).body.system,
    ];

    await expect(of(root)).resolves.toEqual([['default'], [{ all: true }]]);
    await expect(of(alice)).resolves.toEqual([[], []]);
  });

  it.each(['catalog', 'projects', 'domains', 'system'])('needs a token: %s', async (what) => {
    expect((await ask(kiln, 'GET', `/v3/auth/${what}`)).status).toBe(401);
  });
});
