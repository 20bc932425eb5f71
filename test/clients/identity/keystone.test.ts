import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Keystone, KEYSTONE_PROGRAMS, startKeystone } from '../../support/servers/keystone.js';
import { describeWith, findProgram } from '../../support/programs.js';

const run = promisify(execFile);

// Keystone alone takes half a minute of a processor to be made and started.
const SETUP_TIMEOUT_MS = 600_000;
const COMMAND_TIMEOUT_MS = 120_000;

jest.setTimeout(240_000);

describeWith([...KEYSTONE_PROGRAMS, 'openstack'], 'Kiln with the tokens of a real Keystone', () => {
  let keystone: Keystone;
  /** Remembers tokens for five minutes, and never. */
  let kiln: RunningKiln;
  let forgetful: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-cli-'));
    keystone = await startKeystone({
      projects: ['alpha', 'beta', 'service'],
      users: [
        { name: 'alice', roles: [{ project: 'alpha', role: 'member' }] },
        { name: 'bob', roles: [{ project: 'beta', role: 'member' }] },
        { name: 'kiln', roles: [{ project: 'service', role: 'service' }] },
        { name: 'nova', roles: [{ project: 'service', role: 'service' }] },
      ],
    });
    const env = {
      KILN_ROLE: 'api',
      KILN_KEYSTONE_URL: keystone.url,
      KILN_KEYSTONE_USERNAME: 'kiln',
      KILN_KEYSTONE_PASSWORD: 's3cret-kiln',
      KILN_KEYSTONE_PROJECT: 'service',
    };
    const bootstrap = { projects: [{ name: 'beta', id: keystone.projects.beta, limits: { images: 1 } }] };
    kiln = await startKiln({ env, bootstrap });
    forgetful = await startKiln({ env: { ...env, KILN_KEYSTONE_CACHE_SECONDS: '0' }, bootstrap, beside: kiln });
    await keystone.addService('image', 'glance', `${kiln.url}/image`);
  }, SETUP_TIMEOUT_MS);

  afterAll(async () => {
    await forgetful?.stop();
    await kiln?.stop();
    await keystone?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function openstack(user: string, ...words: string[]): Promise<string> {
    const env = { ...keystone.openstackEnv(user), HOME: folder };
    return (await run(findProgram('openstack')!, words, { env, timeout: COMMAND_TIMEOUT_MS })).stdout;
  }

  function list(at: RunningKiln, token: string, headers: Record<string, string> = {}, path = '/image/v2/images') {
    return fetch(`${at.url}${path}`, { headers: { 'x-auth-token': token, ...headers } });
  }

  /** A token of an application credential of alice's. */
  async function credentialToken(rules: object[]): Promise<string> {
    const { application_credential: made } = await keystone.call<{ application_credential: Record<string, string> }>(
      'POST',
      `/users/${keystone.users.alice}/application_credentials`,
      { application_credential: { name: `rules-${Math.random()}`, access_rules: rules } },
      await keystone.token('alice'),
    );
    const reply = await fetch(`${keystone.url}/auth/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: {
            methods: ['application_credential'],
            application_credential: { id: made.id, secret: made.secret },
          },
        },
      }),
    });
    return reply.headers.get('x-subject-token')!;
  }

  it('serves the OpenStack CLI: signed in there, images here', async () => {
    const file = join(folder, 'disk.raw');
    await writeFile(file, Buffer.alloc(4_096, 7));

    const created = JSON.parse(
      await openstack('alice', 'image', 'create', 'disk', '--disk-format', 'raw', '--file', file, '-f', 'json'),
    ) as { id: string; owner: string };
    expect(created.owner).toBe(keystone.projects.alpha);

    const listed = JSON.parse(await openstack('alice', 'image', 'list', '-f', 'json')) as unknown[];
    expect(listed).toContainEqual({ ID: created.id, Name: 'disk', Status: 'active' });
    await expect(openstack('bob', 'image', 'show', created.id)).rejects.toMatchObject({ code: 1 });
  });

  it('has no identity service of its own, and points to the other one', async () => {
    const refused = await list(kiln, 'nonsense');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe(`Keystone uri="${keystone.url}"`);
    expect((await fetch(`${kiln.url}/identity/v3`)).status).toBe(404);
  });

  it('makes no personal access tokens, and does not say that it would', async () => {
    const headers = { 'x-auth-token': await keystone.token('alice'), 'content-type': 'application/json' };
    const tokens = `${kiln.url}/foreman/api/users/alice/personal_access_tokens`;
    const ask = (method: string, path = '', body?: string) => fetch(`${tokens}${path}`, { method, headers, body });
    const { docs } = (await (await fetch(`${kiln.url}/apidoc/v2.json`)).json()) as any;

    const answers = [await ask('POST', '', '{"name":"ci"}'), await ask('GET'), await ask('GET', '/1')];

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(Object.keys(docs.resources)).toEqual(expect.arrayContaining(['images', 'organizations']));
    expect(docs.resources).not.toHaveProperty('personal_access_tokens');
  });

  it('believes no header that says who somebody is', async () => {
    const forged = {
      'x-user-id': keystone.users.alice!,
      'x-project-id': keystone.projects.alpha!,
      'x-roles': 'admin',
      'x-identity-status': 'Confirmed',
    };
    expect((await fetch(`${kiln.url}/image/v2/images`, { headers: forged })).status).toBe(401);
    expect((await list(kiln, await keystone.token('bob'), forged)).status).toBe(200);
  });

  it('keeps the limits that were declared for a project', async () => {
    const token = await keystone.token('bob');
    const create = () =>
      fetch(`${kiln.url}/image/v2/images`, {
        method: 'POST',
        headers: { 'x-auth-token': token, 'content-type': 'application/json' },
        body: '{}',
      });

    expect([(await create()).status, (await create()).status]).toEqual([201, 413]);
  });

  it('takes a revoked token no longer than it remembers it', async () => {
    const token = await keystone.token('alice');
    expect([(await list(kiln, token)).status, (await list(forgetful, token)).status]).toEqual([200, 200]);

    await fetch(`${keystone.url}/auth/tokens`, {
      method: 'DELETE',
      headers: { 'x-auth-token': token, 'x-subject-token': token },
    });

    expect([(await list(kiln, token)).status, (await list(forgetful, token)).status]).toEqual([200, 401]);
  });

  it('holds an application credential to its access rules', async () => {
    const token = await credentialToken([{ service: 'image', method: 'GET', path: '/v2/images' }]);

    expect((await list(kiln, token)).status).toBe(200);
    expect((await list(kiln, token, {}, '/image/v2/schemas/image')).status).toBe(401);
    expect((await list(kiln, token, {}, '/apis/ims/v3/images')).status).toBe(401);
  });

  it('signs in anew when its own token is no longer good', async () => {
    const token = await keystone.token('alice');
    await keystone.call('PATCH', `/users/${keystone.users.kiln}`, { user: { password: 'other' } });
    await keystone.call('PATCH', `/users/${keystone.users.kiln}`, { user: { password: 's3cret-kiln' } });

    // At once: what Keystone gives in this second, it takes for revoked too.
    expect((await list(forgetful, token)).status).toBe(200);
  });

  it('knows remembered tokens while Keystone is down, and says what it cannot know', async () => {
    const known = await keystone.token('alice');
    expect((await list(kiln, known)).status).toBe(200);
    const unknown = await keystone.token('alice');

    await keystone.halt();

    expect((await list(kiln, known)).status).toBe(200);
    expect((await list(forgetful, unknown)).status).toBe(401);
    expect((await list(forgetful, unknown, {}, '/apis/ims/v3/images')).status).toBe(503);
    await keystone.resume();
    expect((await list(forgetful, unknown)).status).toBe(200);
  });

  // The last one: tokens are short-lived from here on.
  it('lets a service go on with a token that has expired', async () => {
    const [service, user, good] = [
      await keystone.token('nova'),
      await keystone.token('bob'),
      await keystone.token('alice'),
    ];
    await keystone.resume({ tokenTtlSeconds: 6 });
    // On a busy machine one may end on the way.
    let token = '';
    await eventually(async () => {
      token = await keystone.token('alice');
      return (await list(kiln, token)).status === 200;
    }, 60_000);
    await eventually(async () => (await list(kiln, token)).status === 401);

    expect((await list(kiln, token, { 'x-service-token': service })).status).toBe(200);
    expect((await list(kiln, token, { 'x-service-token': user })).status).toBe(401);
    // The Image API judges by the user's token alone; others refuse the whole request.
    expect((await list(kiln, good, { 'x-service-token': 'nonsense' })).status).toBe(200);
    expect((await list(kiln, good, { 'x-service-token': 'nonsense' }, '/apis/ims/v3/images')).status).toBe(401);
  });
});
