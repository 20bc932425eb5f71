import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findProgram } from '../../support/programs.js';

const run = promisify(execFile);

// The client alone takes seconds to start, and some of these are half a dozen commands.
jest.setTimeout(180_000);

type Env = Record<string, string>;

describeWith(['openstack'], 'the OpenStack CLI', () => {
  let kiln: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-cli-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  });

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs one command and returns what it wrote. */
  async function openstack(env: Env, ...words: string[]): Promise<string> {
    const { stdout } = await run(findProgram('openstack')!, words, { env: { ...env, HOME: folder } });
    return stdout;
  }

  async function json<T>(env: Env, ...words: string[]): Promise<T> {
    return JSON.parse(await openstack(env, ...words, '-f', 'json')) as T;
  }

  it('gets a token, by name and from the root of the service', async () => {
    const env = kiln.openstackEnv('alice');
    const token = await json<Record<string, string>>(env, 'token', 'issue');
    expect(token).toMatchObject({ project_id: ALPHA, id: expect.stringMatching(/^[\w-]{43}$/) });

    const fromRoot = await json(
      { ...env, OS_AUTH_URL: `${kiln.url}/identity`, OS_PROJECT_ID: ALPHA, OS_PROJECT_NAME: '' },
      'token',
      'issue',
    );
    expect(fromRoot).toMatchObject({ project_id: ALPHA, user_id: token.user_id });
  });

  it('signs in with a token, and not after it was revoked', async () => {
    const env = kiln.openstackEnv('alice');
    const token = await kiln.token('alice');
    const byToken: Env = {
      PATH: env.PATH!,
      OS_AUTH_TYPE: 'v3token',
      OS_AUTH_URL: env.OS_AUTH_URL!,
      OS_TOKEN: token,
      OS_PROJECT_NAME: 'alpha',
      OS_PROJECT_DOMAIN_NAME: 'Default',
    };
    await expect(json(byToken, 'token', 'issue')).resolves.toMatchObject({ project_id: ALPHA });

    await openstack(env, 'token', 'revoke', token);

    await expect(openstack(byToken, 'token', 'issue')).rejects.toMatchObject({
      stderr: expect.stringContaining('HTTP 401'),
    });
  });

  it('is told no more than that the sign-in failed', async () => {
    const env = { ...kiln.openstackEnv('alice'), OS_PASSWORD: 'wrong' };

    await expect(openstack(env, 'token', 'issue')).rejects.toMatchObject({
      stderr: expect.stringContaining('The request you have made requires authentication. (HTTP 401)'),
    });
  });

  it('shows the catalogue', async () => {
    const catalogue = await json<{ Type: string; Endpoints: { interface: string; url: string }[] }[]>(
      kiln.openstackEnv('rita'),
      'catalog',
      'list',
    );

    const image = catalogue.find(({ Type }) => Type === 'image');
    expect(image!.Endpoints.find((endpoint) => endpoint.interface === 'public')!.url).toBe(`${kiln.url}/image`);
  });

  it('finds projects, users, domains and roles by name for administrators', async () => {
    const root = kiln.openstackEnv('root');

    const projects = await json<{ Name: string }[]>(root, 'project', 'list');
    expect(projects.map(({ Name }) => Name)).toEqual(['alpha', 'beta']);
    await expect(json(root, 'project', 'show', 'beta')).resolves.toMatchObject({ id: BETA, enabled: true });
    await expect(openstack(root, 'project', 'show', 'nowhere')).rejects.toMatchObject({
      stderr: expect.stringContaining("No project with a name or ID of 'nowhere' exists"),
    });
    await expect(json(root, 'user', 'show', 'alice', '--domain', 'Default')).resolves.toMatchObject({
      default_project_id: ALPHA,
    });
    await expect(json(root, 'domain', 'show', 'Default')).resolves.toMatchObject({ id: 'default' });
    await expect(json(root, 'role', 'show', 'member')).resolves.toMatchObject({ name: 'member' });
    const assignments = await json<{ Role: string; User: string }[]>(
      root,
      ...['role', 'assignment', 'list', '--names', '--project', 'alpha', '--user', 'rita'],
    );
    expect(assignments).toMatchObject([{ Role: 'reader', User: 'rita@Default', Project: 'alpha@Default' }]);
  });

  it('shows members their own project, and takes other names for ids', async () => {
    const alice = kiln.openstackEnv('alice');

    await expect(json(alice, 'project', 'show', ALPHA)).resolves.toMatchObject({ name: 'alpha' });
    const own = await json<{ Name: string }[]>(alice, 'project', 'list', '--my-projects');
    expect(own.map(({ Name }) => Name)).toEqual(['alpha']);
    await expect(openstack(alice, 'project', 'list', '--long', '--domain', 'default')).rejects.toMatchObject({
      stderr: expect.stringContaining('identity:list_projects. (HTTP 403)'),
    });
  });

  it('makes an application credential, signs in with it, and removes it', async () => {
    const alice = kiln.openstackEnv('alice');
    const made = await json<{ id: string; secret: string; roles: string }>(
      alice,
      ...['application', 'credential', 'create', 'ci', '--role', 'reader', '--expiration', '2100-01-01T00:00:00'],
    );
    const env: Env = {
      PATH: alice.PATH!,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_AUTH_URL: alice.OS_AUTH_URL!,
      OS_APPLICATION_CREDENTIAL_ID: made.id,
      OS_APPLICATION_CREDENTIAL_SECRET: made.secret,
    };
    await expect(json(env, 'token', 'issue')).resolves.toMatchObject({ project_id: ALPHA });
    await expect(openstack(env, 'application', 'credential', 'create', 'child')).rejects.toMatchObject({
      stderr: expect.stringContaining('HTTP 403'),
    });
    await expect(json<{ Name: string }[]>(alice, 'application', 'credential', 'list')).resolves.toMatchObject([
      { Name: 'ci' },
    ]);

    await openstack(alice, 'application', 'credential', 'delete', 'ci');

    await expect(openstack(env, 'token', 'issue')).rejects.toMatchObject({
      stderr: expect.stringContaining('HTTP 401'),
    });
  });

  it('changes a password', async () => {
    const bob = kiln.openstackEnv('bob');

    await openstack(bob, 'user', 'password', 'set', '--original-password', 's3cret-bob', '--password', 'n3w');

    await expect(openstack(bob, 'token', 'issue')).rejects.toMatchObject({ stderr: expect.stringContaining('401') });
    await expect(json({ ...bob, OS_PASSWORD: 'n3w' }, 'token', 'issue')).resolves.toMatchObject({ project_id: BETA });
  });

  it('takes the clouds.yaml of the first start as it is', async () => {
    const first = await startKiln({ env: { KILN_ROLE: 'api', KILN_BOOTSTRAP_FILE: '' } });
    try {
      const env = { PATH: process.env.PATH ?? '', OS_CLIENT_CONFIG_FILE: join(first.dataDir, 'clouds.yaml') };

      const projects = await json<{ Name: string }[]>(env, '--os-cloud', 'kiln', 'project', 'list');
      await openstack(env, '--os-cloud', 'kiln', 'image', 'list');

      expect(projects.map(({ Name }) => Name)).toEqual(['default']);
    } finally {
      await first.stop();
    }
  });
});
