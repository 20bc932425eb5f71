// The exchanges are those of the Identity API v3 reference (projects, users, role assignments, services and endpoints,
// unified limits) and of Keystone 22's default policies.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Answer, ask, byPassword, errorOf, project } from './wire.js';

let kiln: RunningKiln;
let base: string;
let root: string;
let alice: string;
let roles: Record<string, string>;
let users: Record<string, string>;
let imageService: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  base = `${kiln.url}/identity`;
  root = await kiln.token('root');
  alice = await kiln.token('alice');
  roles = await ids('roles');
  users = await ids('users');
  const { services } = (await as(root, 'GET', '/v3/services?type=image')).body as { services: { id: string }[] };
  imageService = services[0]!.id;
});

afterAll(() => kiln?.stop());

function as(token: string, method: string, path: string, json?: unknown): Promise<Answer> {
  return ask(kiln, method, path, { token, json });
}

async function ids(plural: string): Promise<Record<string, string>> {
  const { body } = await as(root, 'GET', `/v3/${plural}`);
  return Object.fromEntries((body[plural] as { name: string; id: string }[]).map(({ name, id }) => [name, id]));
}

async function makeProject(name: string, more: object = {}): Promise<string> {
  const { body } = await as(root, 'POST', '/v3/projects', { project: { name, ...more } });
  return body.project.id as string;
}

async function makeUser(name: string, more: object = {}): Promise<string> {
  const { body } = await as(root, 'POST', '/v3/users', { user: { name, password: `s3cret-${name}`, ...more } });
  return body.user.id as string;
}

function give(projectId: string, userId: string, role: string): Promise<Answer> {
  return as(root, 'PUT', `/v3/projects/${projectId}/users/${userId}/roles/${roles[role]}`);
}

function signIn(name: string, projectName: string, password?: string): Promise<Answer> {
  return ask(kiln, 'POST', '/v3/auth/tokens', { json: byPassword(name, project(projectName), password) });
}

function forbidden(action: string) {
  return errorOf(403, 'Forbidden', `You are not authorized to perform the requested action: ${action}.`);
}

describe('projects', () => {
  it('are made, changed and deleted', async () => {
    const made = await as(root, 'POST', '/v3/projects/', {
      project: { name: 'blue', description: 'Sky', domain_id: 'default', parent_id: 'default', tags: [], options: {} },
    });
    expect(made.status).toBe(201);
    const { id } = made.body.project;
    expect(made.body.project).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'blue',
      domain_id: 'default',
      description: 'Sky',
      enabled: true,
      parent_id: 'default',
      is_domain: false,
      tags: [],
      options: {},
      links: { self: `${base}/v3/projects/${id}` },
    });

    const changed = await as(root, 'PATCH', `/v3/projects/${id}`, { project: { name: 'azure', description: null } });
    expect(changed.status).toBe(200);
    expect(changed.body.project).toMatchObject({ id, name: 'azure', description: '', enabled: true });

    expect((await as(root, 'DELETE', `/v3/projects/${id}`)).status).toBe(204);
    expect((await as(root, 'GET', `/v3/projects/${id}`)).status).toBe(404);
    expect((await as(root, 'DELETE', `/v3/projects/${id}`)).status).toBe(404);
  });

  it('have one name each', async () => {
    const id = await makeProject('single');

    const twice = await as(root, 'POST', '/v3/projects', { project: { name: 'single' } });
    const renamed = await as(root, 'PATCH', `/v3/projects/${id}`, { project: { name: 'alpha' } });

    expect([twice.status, renamed.status]).toEqual([409, 409]);
    expect(twice.body).toEqual(errorOf(409, 'Conflict', expect.stringContaining('single')));
  });

  it.each([
    ['POST', '/v3/projects', { project: { name: 'x' } }, 'identity:create_project'],
    ['PATCH', `/v3/projects/${ALPHA}`, { project: { name: 'x' } }, 'identity:update_project'],
    ['DELETE', `/v3/projects/${BETA}`, undefined, 'identity:delete_project'],
    ['DELETE', '/v3/projects/unknown', undefined, 'identity:delete_project'],
  ])('are not for members to %s %s', async (method, path, json, action) => {
    const answer = await as(alice, method, path, json);

    expect(answer.status).toBe(403);
    expect(answer.body).toEqual(forbidden(action));
  });

  it.each([
    [undefined, 400],
    [{}, 400],
    [{ project: [] }, 400],
    [{ project: {} }, 400],
    [{ project: { name: ' ' } }, 400],
    [{ project: { name: 'x'.repeat(65) } }, 400],
    [{ project: { name: 'a\0b' } }, 400],
    [{ project: { name: 'x', enabled: 'yes' } }, 400],
    [{ project: { name: 'x', tags: ['t'] } }, 400],
    [{ project: { name: 'x', options: { immutable: true } } }, 400],
    [{ project: { name: 'x', is_domain: true } }, 400],
    [{ project: { name: 'x', parent_id: ALPHA } }, 400],
    [{ project: { name: 'x', domain_id: 'other' } }, 404],
  ])('are not made of %j', async (json, status) => {
    const before = await ids('projects');

    const answer = await as(root, 'POST', '/v3/projects', json);

    expect(answer.status).toBe(status);
    expect(await ids('projects')).toEqual(before);
  });

  it('cannot go while they have something, and what is left is said', async () => {
    const id = await makeProject('full');
    await give(id, users.alice!, 'member');
    const token = (await signIn('alice', 'full')).headers.get('x-subject-token')!;
    const image = await fetch(`${kiln.url}/image/v2/images`, {
      method: 'POST',
      headers: { 'x-auth-token': token, 'content-type': 'application/json' },
      body: '{"name":"kept"}',
    });
    const { id: imageId } = (await image.json()) as { id: string };

    const refused = await as(root, 'DELETE', `/v3/projects/${id}`);
    expect(refused.status).toBe(409);
    expect(refused.body.error.message).toContain('images: 1');
    expect((await as(root, 'GET', `/v3/projects/${id}`)).status).toBe(200);

    await fetch(`${kiln.url}/image/v2/images/${imageId}`, { method: 'DELETE', headers: { 'x-auth-token': token } });
    expect((await as(root, 'DELETE', `/v3/projects/${id}`)).status).toBe(204);
    expect((await as(token, 'GET', '/v3/auth/projects')).status).toBe(401);
  });

  it('end their tokens while they are disabled', async () => {
    const id = await makeProject('switched');
    await give(id, users.alice!, 'member');
    const token = (await signIn('alice', 'switched')).headers.get('x-subject-token')!;

    await as(root, 'PATCH', `/v3/projects/${id}`, { project: { enabled: false } });

    expect((await as(token, 'GET', '/v3/auth/projects')).status).toBe(401);
    expect((await signIn('alice', 'switched')).status).toBe(401);
    await as(root, 'PATCH', `/v3/projects/${id}`, { project: { enabled: true } });
    expect((await as(token, 'GET', '/v3/auth/projects')).status).toBe(200);
  });
});

describe('users', () => {
  it('are made, changed and deleted', async () => {
    const made = await as(root, 'POST', '/v3/users', {
      user: {
        name: 'carl',
        password: 's3cret-carl',
        email: 'carl@example.org',
        default_project_id: ALPHA,
        options: {},
      },
    });
    expect(made.status).toBe(201);
    const { id } = made.body.user;
    expect(made.body.user).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'carl',
      domain_id: 'default',
      enabled: true,
      default_project_id: ALPHA,
      email: 'carl@example.org',
      password_expires_at: null,
      options: {},
      links: { self: `${base}/v3/users/${id}` },
    });
    await give(ALPHA, id, 'reader');
    expect((await signIn('carl', 'alpha')).status).toBe(201);

    const changed = await as(root, 'PATCH', `/v3/users/${id}`, {
      user: { name: 'karl', email: null, description: 'Sales', default_project_id: null },
    });
    expect(changed.status).toBe(200);
    expect(changed.body.user).toMatchObject({ id, name: 'karl', description: 'Sales' });
    expect(changed.body.user).not.toHaveProperty('email');
    expect(changed.body.user).not.toHaveProperty('default_project_id');

    expect((await as(root, 'DELETE', `/v3/users/${id}`)).status).toBe(204);
    expect((await as(root, 'GET', `/v3/users/${id}`)).status).toBe(404);
    expect((await signIn('karl', 'alpha', 's3cret-carl')).status).toBe(401);
  });

  it('lose their tokens with a new password, while they are disabled, and when they are deleted', async () => {
    const id = await makeUser('dora');
    await give(ALPHA, id, 'member');
    const token = async (password?: string) =>
      (await signIn('dora', 'alpha', password)).headers.get('x-subject-token') ?? '';
    const works = async (one: string) => (await as(one, 'GET', '/v3/auth/projects')).status === 200;

    const first = await token();
    await as(root, 'PATCH', `/v3/users/${id}`, { user: { password: 'another' } });
    expect(await works(first)).toBe(false);

    const second = await token('another');
    await as(root, 'PATCH', `/v3/users/${id}`, { user: { enabled: false } });
    expect(await works(second)).toBe(false);
    await as(root, 'PATCH', `/v3/users/${id}`, { user: { enabled: true } });
    expect(await works(second)).toBe(true);

    await as(root, 'DELETE', `/v3/users/${id}`);
    expect(await works(second)).toBe(false);
  });

  it('have one name each', async () => {
    const id = await makeUser('emma');

    const twice = await as(root, 'POST', '/v3/users', { user: { name: 'emma' } });
    const renamed = await as(root, 'PATCH', `/v3/users/${id}`, { user: { name: 'alice' } });

    expect([twice.status, renamed.status]).toEqual([409, 409]);
  });

  it('are not for members to make, change or delete', async () => {
    const own = users.alice!;
    const answers = [
      await as(alice, 'POST', '/v3/users', { user: { name: 'x' } }),
      await as(alice, 'PATCH', `/v3/users/${own}`, { user: { name: 'x' } }),
      await as(alice, 'DELETE', `/v3/users/${own}`),
      await as(alice, 'DELETE', '/v3/users/unknown'),
    ];

    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect(answers[0]!.body).toEqual(forbidden('identity:create_user'));
  });

  it.each([
    [{ user: {} }, 400],
    [{ user: { name: 'x', password: '' } }, 400],
    [{ user: { name: 'x', password: 5 } }, 400],
    [{ user: { name: 'x', password: 'p'.repeat(4_097) } }, 400],
    [{ user: { name: 'x'.repeat(256) } }, 400],
    [{ user: { name: 'x', enabled: 1 } }, 400],
    [{ user: { name: 'x', options: { ignore_lockout_failure_attempts: true } } }, 400],
    [{ user: { name: 'x', default_project_id: 'unknown' } }, 404],
    [{ user: { name: 'x', domain_id: 'other' } }, 404],
  ])('are not made of %j', async (json, status) => {
    expect((await as(root, 'POST', '/v3/users', json)).status).toBe(status);
    expect(await ids('users')).not.toHaveProperty('x');
  });

  it('are missing for administrators when they are', async () => {
    const changed = await as(root, 'PATCH', '/v3/users/unknown', { user: { name: 'x' } });

    expect(changed.status).toBe(404);
    expect(changed.body).toEqual(errorOf(404, 'Not Found', 'Could not find user: unknown.'));
    expect((await as(root, 'DELETE', '/v3/users/unknown')).status).toBe(404);
  });
});

describe('role assignments', () => {
  it('are made once, seen and taken away', async () => {
    const projectId = await makeProject('crew');
    const path = `/v3/projects/${projectId}/users/${users.bob}/roles`;
    expect((await as(root, 'HEAD', `${path}/${roles.member}`)).status).toBe(404);

    expect((await give(projectId, users.bob!, 'member')).status).toBe(204);
    expect((await give(projectId, users.bob!, 'member')).status).toBe(204);
    expect((await as(root, 'HEAD', `${path}/${roles.member}`)).status).toBe(204);
    expect((await as(root, 'GET', `${path}/${roles.member}`)).status).toBe(204);
    expect((await as(root, 'GET', path)).body.roles).toMatchObject([{ id: roles.member, name: 'member' }]);
    const token = (await signIn('bob', 'crew')).headers.get('x-subject-token')!;

    expect((await as(root, 'DELETE', `${path}/${roles.member}`)).status).toBe(204);
    expect((await as(root, 'DELETE', `${path}/${roles.member}`)).status).toBe(404);
    expect((await as(root, 'GET', path)).body.roles).toEqual([]);
    expect((await as(token, 'GET', '/v3/auth/projects')).status).toBe(401);
  });

  it('are for administrators only', async () => {
    const path = `/v3/projects/${ALPHA}/users/${users.alice}/roles`;

    for (const [method, url, action] of [
      ['PUT', `${path}/${roles.admin}`, 'identity:create_grant'],
      ['DELETE', `${path}/${roles.member}`, 'identity:revoke_grant'],
      ['GET', `${path}/${roles.member}`, 'identity:check_grant'],
      ['GET', path, 'identity:list_grants'],
    ] as const) {
      const answer = await as(alice, method, url);
      expect(answer.status).toBe(403);
      expect(answer.body).toEqual(forbidden(action));
    }
  });

  it('need a project, a user and a role that exist', async () => {
    const { bob } = users;
    for (const path of [
      `/v3/projects/unknown/users/${bob}/roles/${roles.member}`,
      `/v3/projects/${ALPHA}/users/unknown/roles/${roles.member}`,
      `/v3/projects/${ALPHA}/users/${bob}/roles/unknown`,
    ]) {
      for (const method of ['PUT', 'GET', 'DELETE']) expect((await as(root, method, path)).status).toBe(404);
    }
  });
});

describe('the last administrator', () => {
  it('keeps the role, the account and the project', async () => {
    const path = `/v3/projects/${ALPHA}/users/${users.root}/roles/${roles.admin}`;

    const answers = [
      await as(root, 'DELETE', path),
      await as(root, 'DELETE', `/v3/users/${users.root}`),
      await as(root, 'PATCH', `/v3/users/${users.root}`, { user: { enabled: false } }),
      await as(root, 'PATCH', `/v3/projects/${ALPHA}`, { project: { enabled: false } }),
    ];

    expect(answers.map(({ status }) => status)).toEqual([409, 409, 409, 409]);
    expect((await as(root, 'HEAD', path)).status).toBe(204);
  });

  it('is one of two who remove each other at once', async () => {
    const projectId = await makeProject('admins');
    const [one, two] = [await makeUser('one'), await makeUser('two')];
    await give(projectId, one, 'admin');
    await give(projectId, two, 'admin');
    const [tokenOne, tokenTwo] = await Promise.all(
      ['one', 'two'].map(async (name) => (await signIn(name, 'admins')).headers.get('x-subject-token')!),
    );
    await as(tokenOne!, 'DELETE', `/v3/projects/${ALPHA}/users/${users.root}/roles/${roles.admin}`);

    const answers = await Promise.all([
      as(tokenOne!, 'DELETE', `/v3/users/${two}`),
      as(tokenTwo!, 'DELETE', `/v3/users/${one}`),
    ]);

    // Whoever is slower has no token any more, or is the last one.
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses[0]).toBe(204);
    expect([401, 403, 409]).toContain(statuses[1]);
    const winner = answers[0].status === 204 ? tokenOne! : tokenTwo!;
    await as(winner, 'PUT', `/v3/projects/${ALPHA}/users/${users.root}/roles/${roles.admin}`);
    expect((await as(root, 'GET', '/v3/users')).status).toBe(200);
  });
});

describe('the service catalogue', () => {
  it('is shown in single pieces', async () => {
    const { body } = await as(root, 'GET', '/v3/services');
    expect(body.services.map(({ type }: { type: string }) => type)).toEqual(
      expect.arrayContaining(['identity', 'image']),
    );
    const service = await as(root, 'GET', `/v3/services/${imageService}`);
    expect(service.body.service).toEqual({
      id: imageService,
      type: 'image',
      name: 'kiln',
      enabled: true,
      links: { self: `${base}/v3/services/${imageService}` },
    });

    const { endpoints } = (await as(root, 'GET', `/v3/endpoints?service_id=${imageService}&interface=public`)).body;
    expect(endpoints).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        interface: 'public',
        region: 'RegionOne',
        region_id: 'RegionOne',
        service_id: imageService,
        url: `${kiln.url}/image`,
        enabled: true,
        links: { self: `${base}/v3/endpoints/${endpoints[0].id}` },
      },
    ]);
    expect((await as(root, 'GET', `/v3/endpoints/${endpoints[0].id}`)).body.endpoint).toEqual(endpoints[0]);
    expect((await as(alice, 'GET', '/v3/regions')).body.regions).toMatchObject([{ id: 'RegionOne' }]);
    expect((await as(alice, 'GET', '/v3/regions/RegionOne')).status).toBe(200);
  });

  it('is for administrators, and has nothing else', async () => {
    for (const path of ['services', `services/${imageService}`, 'endpoints', 'endpoints/unknown']) {
      expect((await as(alice, 'GET', `/v3/${path}`)).status).toBe(403);
    }
    for (const path of ['services/unknown', 'endpoints/unknown', 'regions/unknown']) {
      expect((await as(root, 'GET', `/v3/${path}`)).status).toBe(404);
    }
  });
});

describe('limits', () => {
  const wanted = (projectId: string, resource: string, limit: unknown) => ({
    limits: [{ project_id: projectId, service_id: imageService, resource_name: resource, resource_limit: limit }],
  });

  it('of a project are made, hold, are changed and taken away', async () => {
    const projectId = await makeProject('bounded');
    await give(projectId, users.alice!, 'member');
    const token = (await signIn('alice', 'bounded')).headers.get('x-subject-token')!;
    const makeImage = async () =>
      (
        await fetch(`${kiln.url}/image/v2/images`, {
          method: 'POST',
          headers: { 'x-auth-token': token, 'content-type': 'application/json' },
          body: '{}',
        })
      ).status;

    const made = await as(root, 'POST', '/v3/limits', wanted(projectId, 'image_count_total', 1));
    expect(made.status).toBe(201);
    const { id } = made.body.limits[0];
    expect(made.body.limits[0]).toMatchObject({ project_id: projectId, resource_name: 'image_count_total' });
    expect([await makeImage(), await makeImage()]).toEqual([201, 413]);

    const changed = await as(root, 'PATCH', `/v3/limits/${id}`, { limit: { resource_limit: 2 } });
    expect(changed.body.limit).toMatchObject({ id, resource_limit: 2 });
    expect([await makeImage(), await makeImage()]).toEqual([201, 413]);
    expect((await as(token, 'GET', '/v3/limits')).body.limits).toEqual([changed.body.limit]);

    expect((await as(root, 'DELETE', `/v3/limits/${id}`)).status).toBe(204);
    expect(await makeImage()).toBe(201);
    expect((await as(root, 'GET', `/v3/limits/${id}`)).status).toBe(404);
  });

  it('are counted in mebibytes where they are sizes', async () => {
    const projectId = await makeProject('sized');
    await as(root, 'POST', '/v3/limits', wanted(projectId, 'image_size_total', 3));

    const { body } = await as(root, 'GET', `/v3/limits?project_id=${projectId}`);

    expect(body.limits).toMatchObject([{ resource_name: 'image_size_total', resource_limit: 3 }]);
  });

  it('hold by default for projects without their own, old and new', async () => {
    const older = await makeProject('older');
    const { registered_limits: all } = (await as(alice, 'GET', '/v3/registered_limits')).body;
    const recipes = all.find((one: { resource_name: string }) => one.resource_name === 'recipes');
    expect(recipes).toMatchObject({ default_limit: -1, service_id: imageService });
    const newDefault = { service_id: imageService, resource_name: 'recipes', default_limit: 0 };

    const made = await as(root, 'POST', '/v3/registered_limits', { registered_limits: [newDefault] });
    expect(made.status).toBe(201);
    expect((await as(root, 'POST', '/v3/registered_limits', { registered_limits: [newDefault] })).status).toBe(409);
    const newer = await makeProject('newer');
    for (const projectId of [older, newer]) {
      await give(projectId, users.alice!, 'member');
      const token = (await signIn('alice', projectId === older ? 'older' : 'newer')).headers.get('x-subject-token')!;
      const recipe = await fetch(`${kiln.url}/apis/ims/v3/recipes`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'debian12' }),
      });
      expect(recipe.status).toBe(422);
    }

    await as(root, 'PATCH', `/v3/registered_limits/${recipes.id}`, { registered_limit: { default_limit: 7 } });
    expect((await as(root, 'GET', `/v3/registered_limits/${recipes.id}`)).body.registered_limit.default_limit).toBe(7);
    expect((await as(root, 'DELETE', `/v3/registered_limits/${recipes.id}`)).status).toBe(204);
    expect((await as(root, 'GET', `/v3/registered_limits/${recipes.id}`)).body.registered_limit.default_limit).toBe(-1);
  });

  it('exist once for a project', async () => {
    const projectId = await makeProject('once');
    await as(root, 'POST', '/v3/limits', wanted(projectId, 'keys', 1));

    const second = await as(root, 'POST', '/v3/limits', {
      limits: [...wanted(projectId, 'recipes', 1).limits, ...wanted(projectId, 'keys', 2).limits],
    });

    expect(second.status).toBe(409);
    expect((await as(root, 'GET', `/v3/limits?project_id=${projectId}`)).body.limits).toHaveLength(1);
  });

  it('are set by administrators, and seen by members for their own project', async () => {
    const projectId = await makeProject('others');
    const made = await as(root, 'POST', '/v3/limits', wanted(projectId, 'keys', 5));
    const { id } = made.body.limits[0];

    for (const [method, path, json] of [
      ['POST', '/v3/limits', wanted(ALPHA, 'keys', 5)],
      ['PATCH', `/v3/limits/${id}`, { limit: { resource_limit: 6 } }],
      ['DELETE', `/v3/limits/${id}`, undefined],
      ['GET', `/v3/limits/${id}`, undefined],
      [
        'DELETE',
        `/v3/registered_limits/${(await as(root, 'GET', '/v3/registered_limits')).body.registered_limits[0].id}`,
      ],
    ] as const) {
      expect((await as(alice, method, path, json)).status).toBe(403);
    }
    expect((await as(alice, 'GET', `/v3/limits?project_id=${projectId}`)).body.limits).toEqual([]);
  });

  it.each([
    ['an unknown resource', { resource_name: 'snapshots' }, 400],
    ['an unknown service', { service_id: 'unknown' }, 400],
    ['another region', { region_id: 'Mars' }, 400],
    ['a limit below none', { resource_limit: -2 }, 400],
    ['a broken limit', { resource_limit: 1.5 }, 400],
    ['a limit that is text', { resource_limit: '5' }, 400],
    ['no project', { project_id: undefined, domain_id: 'default' }, 400],
    ['an unknown project', { project_id: 'unknown' }, 404],
  ])('are not made with %s', async (_what, wrong, status) => {
    const limit = { ...wanted(BETA, 'keys', 1).limits[0], ...wrong };

    expect((await as(root, 'POST', '/v3/limits', { limits: [limit] })).status).toBe(status);
    expect((await as(root, 'GET', `/v3/limits?project_id=${BETA}`)).body.limits).toEqual([]);
  });
});
