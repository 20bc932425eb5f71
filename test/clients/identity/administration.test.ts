import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findProgram } from '../../support/programs.js';

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 120_000;

jest.setTimeout(300_000);

type Env = Record<string, string>;

interface Spoken {
  /** What was shown, one document for every command with `-f json`. */
  readonly shown: any[];
  readonly errors: string;
}

describeWith(['openstack'], 'administration with the OpenStack CLI', () => {
  let kiln: RunningKiln;
  let folder: string;
  let root: Env;
  let alice: Env;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-cli-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
    root = kiln.openstackEnv('root');
    alice = kiln.openstackEnv('alice');
  });

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /**
   * Runs commands one after the other in one process, whatever becomes of each: the client takes seconds to start. Their
   * words have no spaces.
   */
  async function openstack(env: Env, ...commands: string[]): Promise<Spoken> {
    const child = spawn(findProgram('openstack')!, { env: { ...env, HOME: folder }, timeout: COMMAND_TIMEOUT_MS });
    child.stdin.end(`${commands.join('\n')}\n`);
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    // Only the first line of a document begins with a bracket that opens.
    const shown = output.split(/^(?=[[{])/m).filter((part) => part.trim() !== '');
    return { shown: shown.map((document) => JSON.parse(document) as unknown), errors };
  }

  /** One command whose words no parser is to touch. */
  async function words(env: Env, ...command: string[]): Promise<any> {
    const options = { env: { ...env, HOME: folder }, timeout: COMMAND_TIMEOUT_MS };
    return JSON.parse((await run(findProgram('openstack')!, [...command, '-f', 'json'], options)).stdout);
  }

  const names = (list: { Name: string }[]) => list.map(({ Name }) => Name).sort();

  it('makes, changes, shows and deletes projects', async () => {
    const { shown, errors } = await openstack(
      root,
      'project create gamma --description Third -f json',
      'project set gamma --description Renamed --disable',
      'project show gamma -f json',
      'project list -f json',
      'project create gamma -f json',
      'project delete gamma',
      'project list -f json',
    );

    expect(shown).toHaveLength(4);
    const [made, changed, before, after] = shown;
    expect(made).toMatchObject({ name: 'gamma', description: 'Third', enabled: true, domain_id: 'default' });
    expect(changed).toMatchObject({ id: made.id, description: 'Renamed', enabled: false });
    expect(names(before)).toEqual(['alpha', 'beta', 'gamma']);
    expect(names(after)).toEqual(['alpha', 'beta']);
    expect(errors).toMatch(/^[^\n]*\(HTTP 409\)[^\n]*\n$/);
  });

  it('makes users who sign in with their roles, and no longer without', async () => {
    const made = await openstack(
      root,
      'user create carol --project alpha --password first --email carol@example.org -f json',
      'role add --user carol --project alpha member',
      'role add --user carol --project beta reader',
      'role assignment list --user carol --names -f json',
      'user set carol --password second --description Newcomer',
      'user show carol -f json',
      'user list -f json',
    );
    expect(made.errors).toBe('');
    const [carol, assignments, shown, users] = made.shown;
    expect(carol).toMatchObject({ name: 'carol', default_project_id: ALPHA, enabled: true });
    expect(assignments.map((one: Record<string, string>) => `${one.Role} ${one.Project}`).sort()).toEqual([
      'member alpha@Default',
      'reader beta@Default',
    ]);
    expect(shown).toMatchObject({ id: carol.id, description: 'Newcomer', email: 'carol@example.org' });
    expect(names(users)).toEqual(['alice', 'bob', 'carol', 'rita', 'root']);

    const env = { ...alice, OS_USERNAME: 'carol' };
    await expect(words({ ...env, OS_PASSWORD: 'second' }, 'token', 'issue')).resolves.toMatchObject({
      project_id: ALPHA,
      user_id: carol.id,
    });
    expect((await openstack({ ...env, OS_PASSWORD: 'first' }, 'token issue')).errors).toContain('(HTTP 401)');

    const removed = await openstack(
      root,
      'role remove --user carol --project alpha member',
      'role assignment list --user carol --names -f json',
    );
    expect(removed.errors).toBe('');
    expect(removed.shown).toMatchObject([[{ Role: 'reader', Project: 'beta@Default' }]]);
    expect((await openstack({ ...env, OS_PASSWORD: 'second' }, 'token issue')).errors).toContain('(HTTP 401)');

    const deleted = await openstack(root, 'user delete carol', 'user list -f json');
    expect(deleted.errors).toBe('');
    expect(names(deleted.shown[0])).toEqual(['alice', 'bob', 'rita', 'root']);
  });

  it('makes application credentials that do what their access rules say', async () => {
    const rules = [{ service: 'image', method: 'GET', path: '/v2/images' }];
    const bound = await words(
      alice,
      ...['application', 'credential', 'create', 'bound', '--access-rules', JSON.stringify(rules)],
    );
    const { shown, errors } = await openstack(
      alice,
      'application credential create free --description Anything -f json',
      'application credential show bound -f json',
      'application credential list -f json',
      'access rule list -f json',
    );
    expect(errors).toBe('');
    const [free, seen, all, known] = shown;
    expect(free).toMatchObject({ name: 'free', description: 'Anything', secret: expect.any(String) });
    expect(seen).toMatchObject({ id: bound.id, project_id: ALPHA });
    expect(seen).not.toHaveProperty('secret');
    expect(names(all)).toEqual(['bound', 'free']);
    expect(known).toMatchObject([{ ID: expect.any(String), Service: 'image', Method: 'GET', Path: '/v2/images' }]);

    const env = {
      PATH: alice.PATH!,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_AUTH_URL: alice.OS_AUTH_URL!,
      OS_APPLICATION_CREDENTIAL_ID: bound.id,
      OS_APPLICATION_CREDENTIAL_SECRET: bound.secret,
    };
    const used = await openstack(env, 'image list -f json', 'image create refused');
    expect(used.shown).toEqual([[]]);
    expect(used.errors).toMatch(/401/);

    const gone = await openstack(
      alice,
      'application credential delete bound free',
      `access rule show ${known[0].ID} -f json`,
      `access rule delete ${known[0].ID}`,
      'application credential list -f json',
      'access rule list -f json',
    );
    expect(gone).toMatchObject({ shown: [{ path: '/v2/images' }, [], []], errors: '' });
    expect((await openstack(env, 'token issue')).errors).toContain('(HTTP 401)');
  });

  it('makes, lists, shows and deletes EC2 credentials', async () => {
    const made = await openstack(alice, 'ec2 credentials create -f json', 'ec2 credentials list -f json');
    expect(made.errors).toBe('');
    const [{ access, secret }, list] = made.shown;
    expect(list).toMatchObject([{ Access: access, Secret: secret, 'Project ID': ALPHA }]);

    const { shown, errors } = await openstack(
      alice,
      `ec2 credentials show ${access} -f json`,
      `ec2 credentials delete ${access}`,
      'ec2 credentials list -f json',
      `ec2 credentials show ${access} -f json`,
    );
    expect(shown).toMatchObject([{ access, secret, project_id: ALPHA }, []]);
    expect(errors).toContain('(HTTP 404)');
  });

  it('shows the catalogue and sets limits', async () => {
    const made = await openstack(
      root,
      'service list -f json',
      'endpoint list --service image --interface public -f json',
      'region list -f json',
      'registered limit list --service image -f json',
      'limit create --project beta --service image --resource-limit 10 image_count_total -f json',
      'limit list --project beta -f json',
    );
    expect(made.errors).toBe('');
    const [services, endpoints, regions, registered, limit, list] = made.shown;
    expect(services.map((one: { Type: string }) => one.Type)).toEqual(expect.arrayContaining(['identity', 'image']));
    expect(endpoints).toMatchObject([{ 'Service Type': 'image', URL: `${kiln.url}/image`, Region: 'RegionOne' }]);
    expect(regions).toMatchObject([{ Region: 'RegionOne' }]);
    expect(registered).toContainEqual(
      expect.objectContaining({ 'Resource Name': 'image_count_total', 'Default Limit': -1 }),
    );
    expect(limit).toMatchObject({ project_id: BETA, resource_name: 'image_count_total', resource_limit: 10 });
    expect(list).toMatchObject([{ ID: limit.id, 'Resource Limit': 10 }]);

    const { shown, errors } = await openstack(
      root,
      `limit set ${limit.id} --resource-limit 20 -f json`,
      `limit show ${limit.id} -f json`,
      `limit delete ${limit.id}`,
      'limit list --project beta -f json',
    );
    expect({ shown, errors }).toMatchObject({
      shown: [{ resource_limit: 20 }, { id: limit.id, resource_limit: 20 }, []],
      errors: '',
    });
  });

  it('is refused to members, and changes nothing then', async () => {
    const made = 'limit create --project beta --service image --resource-limit 5 keys -f json';
    const everything = [
      'project list -f json',
      'user list -f json',
      'role assignment list -f json',
      'limit list -f json',
    ];
    const before = (await openstack(root, made, ...everything)).shown;
    const limit = before.shift();
    const bob = before[1].find((one: { Name: string }) => one.Name === 'bob').ID;

    const commands = [
      'project create delta',
      `project set ${ALPHA} --description mine`,
      `project delete ${BETA}`,
      'user create dora',
      `user set ${bob} --password mine`,
      `user delete ${bob}`,
      `role add --user ${bob} --project ${ALPHA} admin`,
      `role remove --user ${bob} --project ${BETA} member`,
      'role assignment list',
      'user list',
      'service list',
      'endpoint list',
      `limit create --project ${ALPHA} --service image --resource-limit 5 keys`,
      `limit set ${limit.id} --resource-limit 6`,
      `limit delete ${limit.id}`,
    ];
    const { shown, errors } = await openstack(alice, ...commands);

    expect(shown).toEqual([]);
    expect(errors.match(/\(HTTP 403\)/g)).toHaveLength(commands.length);
    expect((await openstack(root, ...everything)).shown).toEqual(before);
  });
});
