// The exchanges are those of the Identity API v3 reference (OS-EC2, credentials, access rules), and of Keystone 22's
// default policies.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ALPHA, BETA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { type Answer, ask } from './wire.js';

const DECLARED = { project: 'alpha', access: 'AKDECLARED', secret: 'declared-secret' };

let kiln: RunningKiln;
let root: string;
let alice: string;
let bob: string;
let aliceId: string;
let bobId: string;

beforeAll(async () => {
  const users = STANDARD_BOOTSTRAP.users.map((user) =>
    user.name === 'alice' ? { ...user, access_keys: [DECLARED] } : user,
  );
  kiln = await startKiln({ env: { KILN_ROLE: 'api' }, bootstrap: { ...STANDARD_BOOTSTRAP, users } });
  root = await kiln.token('root');
  alice = await kiln.token('alice');
  bob = await kiln.token('bob');
  const { users: found } = (await as(root, 'GET', '/v3/users')).body as { users: { id: string; name: string }[] };
  aliceId = found.find(({ name }) => name === 'alice')!.id;
  bobId = found.find(({ name }) => name === 'bob')!.id;
});

afterAll(() => kiln?.stop());

function as(token: string, method: string, path: string, json?: unknown): Promise<Answer> {
  return ask(kiln, method, path, { token, json });
}

function createKey(token: string, userId: string, projectId: unknown): Promise<Answer> {
  return as(token, 'POST', `/v3/users/${userId}/credentials/OS-EC2`, { tenant_id: projectId });
}

async function tokenOfCredential(credential: object): Promise<string> {
  const made = await as(alice, 'POST', `/v3/users/${aliceId}/application_credentials`, {
    application_credential: credential,
  });
  const { id, secret } = made.body.application_credential;
  const identity = { methods: ['application_credential'], application_credential: { id, secret } };
  const reply = await ask(kiln, 'POST', '/v3/auth/tokens', { json: { auth: { identity } } });
  return reply.headers.get('x-subject-token')!;
}

describe('EC2 credentials', () => {
  it('are made, and their secrets seen again by their owner', async () => {
    const made = await createKey(alice, aliceId, ALPHA);
    expect(made.status).toBe(201);
    const { credential } = made.body;
    const self = `${kiln.url}/identity/v3/users/${aliceId}/credentials/OS-EC2/${credential.access}`;
    expect(credential).toEqual({
      access: expect.stringMatching(/^[0-9a-f]{32}$/),
      secret: expect.stringMatching(/^[0-9a-f]{32}$/),
      user_id: aliceId,
      tenant_id: ALPHA,
      trust_id: null,
      links: { self },
    });

    const path = `/v3/users/${aliceId}/credentials/OS-EC2`;
    expect((await as(alice, 'GET', `${path}/${credential.access}`)).body).toEqual({ credential });
    expect((await as(alice, 'GET', path)).body.credentials).toContainEqual(credential);

    expect((await as(alice, 'DELETE', `${path}/${credential.access}`)).status).toBe(204);
    expect((await as(alice, 'GET', `${path}/${credential.access}`)).status).toBe(404);
    expect((await as(alice, 'DELETE', `${path}/${credential.access}`)).status).toBe(404);
  });

  it('are not readable in the database', async () => {
    const { credential } = (await createKey(alice, aliceId, ALPHA)).body;
    const client = new pg.Client({ connectionString: kiln.databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ all: string; sealed: Buffer }>(
      'SELECT access_keys::text AS all, sealed_secret AS sealed FROM access_keys WHERE access = $1',
      [credential.access],
    );
    await client.end();

    expect(rows[0]!.all).not.toContain(credential.secret);
    expect(rows[0]!.sealed.toString('latin1')).not.toContain(credential.secret);
  });

  it('are listed but for those whose secret nobody can read any more', async () => {
    const [lost, kept] = [await createKey(bob, bobId, BETA), await createKey(bob, bobId, BETA)];
    const database = new pg.Client({ connectionString: kiln.databaseUrl });
    await database.connect();
    await database.query(`UPDATE access_keys SET sealed_secret = '\\x00' || sealed_secret WHERE access = $1`, [
      lost.body.credential.access,
    ]);
    await database.end();
    const path = `/v3/users/${bobId}/credentials/OS-EC2`;

    const listed = await as(bob, 'GET', path);

    expect([listed.status, listed.body.credentials]).toEqual([200, [kept.body.credential]]);
    expect((await as(bob, 'GET', `${path}/${lost.body.credential.access}`)).status).toBe(503);
    expect((await as(bob, 'DELETE', `${path}/${lost.body.credential.access}`)).status).toBe(204);
    expect((await as(bob, 'DELETE', `${path}/${kept.body.credential.access}`)).status).toBe(204);
  });

  it('come from the bootstrap file as well', async () => {
    const { credentials } = (await as(alice, 'GET', `/v3/users/${aliceId}/credentials/OS-EC2`)).body;

    expect(credentials).toContainEqual(
      expect.objectContaining({ access: DECLARED.access, secret: DECLARED.secret, tenant_id: ALPHA }),
    );
  });

  it('are their own business, and that of administrators', async () => {
    const path = `/v3/users/${aliceId}/credentials/OS-EC2`;

    for (const [method, url] of [
      ['GET', path],
      ['GET', `${path}/${DECLARED.access}`],
      ['GET', `${path}/unknown`],
      ['DELETE', `${path}/${DECLARED.access}`],
    ] as const) {
      expect((await as(bob, method, url)).status).toBe(403);
    }
    expect((await createKey(bob, aliceId, ALPHA)).status).toBe(403);
    expect((await as(bob, 'GET', `/v3/users/${bobId}/credentials/OS-EC2/${DECLARED.access}`)).status).toBe(404);
    expect((await as(root, 'GET', `${path}/${DECLARED.access}`)).status).toBe(200);
  });

  it('are for projects of their user', async () => {
    expect((await createKey(alice, aliceId, BETA)).status).toBe(403);
    expect((await createKey(alice, aliceId, 'unknown')).status).toBe(403);
    expect((await createKey(root, aliceId, 'unknown')).status).toBe(404);
    expect((await createKey(alice, aliceId, 5)).status).toBe(400);
    expect((await createKey(alice, aliceId, undefined)).status).toBe(400);
  });

  it('are neither made nor read by application credentials, which may have fewer roles', async () => {
    const token = await tokenOfCredential({ name: 'reads', roles: [{ name: 'reader' }], unrestricted: true });

    expect((await createKey(token, aliceId, ALPHA)).status).toBe(403);
    expect((await as(token, 'GET', `/v3/users/${aliceId}/credentials/OS-EC2`)).status).toBe(403);
    expect((await as(token, 'GET', '/v3/credentials')).status).toBe(403);
  });
});

describe('credentials', () => {
  const wanted = (access: string, more: object = {}) => ({
    credential: { type: 'ec2', project_id: ALPHA, blob: JSON.stringify({ access, secret: 'chosen' }), ...more },
  });

  it('are the same keys by the hash of their name', async () => {
    const made = await as(alice, 'POST', '/v3/credentials', wanted('AKCHOSEN'));
    expect(made.status).toBe(201);
    const id = createHash('sha256').update('AKCHOSEN').digest('hex');
    expect(made.body.credential).toEqual({
      id,
      type: 'ec2',
      user_id: aliceId,
      project_id: ALPHA,
      blob: '{"access":"AKCHOSEN","secret":"chosen"}',
      links: { self: `${kiln.url}/identity/v3/credentials/${id}` },
    });

    expect((await as(alice, 'GET', `/v3/credentials/${id}`)).body).toEqual(made.body);
    expect((await as(alice, 'GET', '/v3/credentials?type=ec2')).body.credentials).toContainEqual(made.body.credential);
    expect((await as(alice, 'GET', '/v3/credentials?type=totp')).body.credentials).toEqual([]);
    expect((await as(bob, 'GET', '/v3/credentials')).body.credentials).toEqual([]);
    expect((await as(bob, 'GET', `/v3/credentials/${id}`)).status).toBe(403);
    expect((await as(bob, 'DELETE', `/v3/credentials/${id}`)).status).toBe(403);
    expect((await as(alice, 'POST', '/v3/credentials', wanted('AKCHOSEN'))).status).toBe(409);
    expect((await as(alice, 'DELETE', `/v3/credentials/${id}`)).status).toBe(204);
    expect((await as(root, 'GET', `/v3/credentials/${id}`)).status).toBe(404);
  });

  it.each([
    ['another type', { type: 'cert' }],
    ['no project', { project_id: undefined }],
    ['a blob that is no JSON', { blob: 'x' }],
    ['a blob without a secret', { blob: '{"access":"a"}' }],
    ['a key that cannot be signed with', { blob: '{"access":"a/b","secret":"s"}' }],
    ['a secret with blanks', { blob: '{"access":"a","secret":"a b"}' }],
  ])('are not made with %s', async (_what, wrong) => {
    expect((await as(alice, 'POST', '/v3/credentials', wanted('AKWRONG', wrong))).status).toBe(400);
  });
});

describe('access rules', () => {
  const LIST_IMAGES = { service: 'image', method: 'GET', path: '/v2/images' };

  function images(token: string, method: string, path: string): Promise<number> {
    return fetch(`${kiln.url}${path}`, {
      method,
      headers: { 'x-auth-token': token, 'content-type': 'application/json' },
      body: method === 'POST' ? '{}' : undefined,
    }).then((reply) => reply.status);
  }

  it('bound a credential to calls, at every face', async () => {
    const token = await tokenOfCredential({
      name: 'bounded',
      access_rules: [LIST_IMAGES, { service: 'ims', method: 'GET', path: '/v3/**' }],
    });

    expect(await images(token, 'GET', '/image/v2/images')).toBe(200);
    expect(await images(token, 'GET', '/image/v2/images?limit=1')).toBe(200);
    expect(await images(token, 'POST', '/image/v2/images')).toBe(401);
    expect(await images(token, 'GET', '/image/v2/schemas/image')).toBe(401);
    expect(await images(token, 'GET', '/image/v2.1/images')).toBe(401);
    expect(await images(token, 'GET', '/apis/ims/v3/recipes')).toBe(200);
    expect(await images(token, 'DELETE', '/apis/ims/v3/recipes')).toBe(401);
    expect(await images(token, 'GET', '/artifacts/ims/x')).toBe(401);
    expect((await as(token, 'GET', '/v3/auth/projects')).status).toBe(401);
    expect((await as(token, 'GET', `/v3/users/${aliceId}/application_credentials`)).status).toBe(401);

    const own = await ask(kiln, 'GET', '/v3/auth/tokens', { token, subject: token });
    expect(own.status).toBe(200);
    expect(own.body.token.application_credential.access_rules).toMatchObject(
      expect.arrayContaining([expect.objectContaining(LIST_IMAGES)]),
    );
    expect((await ask(kiln, 'HEAD', '/v3/auth/tokens', { token, subject: token })).status).toBe(200);
    expect((await ask(kiln, 'DELETE', '/v3/auth/tokens', { token, subject: token })).status).toBe(204);
    expect(await images(token, 'GET', '/image/v2/images')).toBe(401);
  });

  it("are kept as the user's, and used again by id", async () => {
    const path = `/v3/users/${aliceId}`;
    const rule = { service: 'image', method: 'PUT', path: '/v2/images/{image_id}/file' };
    const create = (name: string, rules: object[]) =>
      as(alice, 'POST', `${path}/application_credentials`, {
        application_credential: { name, access_rules: rules },
      });
    const first = (await create('first', [rule, rule])).body.application_credential;
    expect(first.access_rules).toEqual([{ id: expect.any(String), ...rule }]);
    const { id } = first.access_rules[0];

    const second = (await create('second', [{ id }])).body.application_credential;
    expect(second.access_rules).toEqual(first.access_rules);
    expect(
      (await as(alice, 'GET', `${path}/application_credentials/${second.id}`)).body.application_credential,
    ).toEqual(expect.objectContaining({ access_rules: first.access_rules }));
    const listed = await as(alice, 'GET', `${path}/access_rules?method=PUT`);
    expect(listed.body.access_rules).toMatchObject([{ id, ...rule }]);
    expect((await as(alice, 'GET', `${path}/access_rules/${id}`)).body.access_rule).toMatchObject({ id, ...rule });
    expect((await as(bob, 'GET', `${path}/access_rules`)).status).toBe(403);

    expect((await as(alice, 'DELETE', `${path}/access_rules/${id}`)).status).toBe(403);
    for (const one of [first, second]) await as(alice, 'DELETE', `${path}/application_credentials/${one.id}`);
    expect((await as(alice, 'DELETE', `${path}/access_rules/${id}`)).status).toBe(204);
    expect((await as(alice, 'GET', `${path}/access_rules/${id}`)).status).toBe(404);
    expect((await create('third', [{ id }])).status).toBe(404);
  });

  it('do not hold back who deletes the user', async () => {
    const made = await as(root, 'POST', '/v3/users', { user: { name: 'gone', password: 'p' } });
    const { id } = made.body.user;
    const { roles } = (await as(root, 'GET', '/v3/roles?name=member')).body;
    await as(root, 'PUT', `/v3/projects/${ALPHA}/users/${id}/roles/${roles[0].id}`);
    const user = { name: 'gone', domain: { id: 'default' }, password: 'p' };
    const auth = { identity: { methods: ['password'], password: { user } }, scope: { project: { id: ALPHA } } };
    const token = (await ask(kiln, 'POST', '/v3/auth/tokens', { json: { auth } })).headers.get('x-subject-token')!;
    const created = await as(token, 'POST', `/v3/users/${id}/application_credentials`, {
      application_credential: { name: 'x', access_rules: [LIST_IMAGES] },
    });
    expect(created.status).toBe(201);

    expect((await as(root, 'DELETE', `/v3/users/${id}`)).status).toBe(204);
  });

  it.each([
    ['without a service', { method: 'GET', path: '/v2' }],
    ['with a method that is none', { service: 'image', method: 'LOOK', path: '/v2' }],
    ['with a path that begins nowhere', { service: 'image', method: 'GET', path: 'v2' }],
    ['with a path that is too long', { service: 'image', method: 'GET', path: `/${'x'.repeat(225)}` }],
  ])('are not made %s', async (_what, rule) => {
    const answer = await as(alice, 'POST', `/v3/users/${aliceId}/application_credentials`, {
      application_credential: { name: 'wrong', access_rules: [rule] },
    });

    expect(answer.status).toBe(400);
  });
});
