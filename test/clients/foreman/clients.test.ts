// Foreman's own clients. Debian has the Ansible collection (package ansible); apypie and hammer come from their projects.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findProgram, findPythonWith } from '../../support/programs.js';
import { clients } from '../../contract/glance/wire.js';

const PATIENCE_MS = 300_000;
const run = promisify(execFile);

let kiln: RunningKiln;
let home: string;
/** Images of the registry to point at. */
let first: string;
let second: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  home = await mkdtemp(join(tmpdir(), 'kiln-foreman-'));
  const { alice } = await clients(kiln);
  first = (await alice.createWithData(Buffer.from('one'), { name: 'one' })).id;
  second = (await alice.createWithData(Buffer.from('two'), { name: 'two' })).id;
}, PATIENCE_MS);
afterAll(async () => {
  await kiln?.stop();
  if (home) await rm(home, { recursive: true, force: true });
});

const environment = () => ({ PATH: process.env.PATH ?? '', HOME: home, LANG: 'C.UTF-8' });

async function images(): Promise<{ id: number; name: string; username: string; uuid: string }[]> {
  const reply = await fetch(`${kiln.url}/foreman/api/compute_resources/Kiln/images`, {
    headers: { authorization: `Basic ${Buffer.from('alice:s3cret-alice').toString('base64')}` },
  });
  return ((await reply.json()) as { results: never[] }).results;
}

const python = findPythonWith('apypie');
const describeApypie = python === undefined ? describe.skip : describe;

describeApypie(python === undefined ? 'apypie [needs python3 with apypie]' : 'apypie', () => {
  it(
    'creates, finds, changes, lists and deletes an image',
    async () => {
      const script = `
import json, sys, apypie
url, first, second = sys.argv[1:]
api = apypie.Api(uri=url, username='alice', password='s3cret-alice', api_version=2)
one = lambda resource, search: api.call(resource, 'index', {'search': search})['results'][0]['id']
where = {'compute_resource_id': one('compute_resources', 'name="Kiln"')}
image = {'name': 'by apypie', 'username': 'root', 'uuid': first, 'operatingsystem_id': one('operatingsystems', 'title="Rocky 9"'), 'architecture_id': one('architectures', 'name="x86_64"')}
made = api.call('images', 'create', {**where, 'image': image})
shown = api.call('images', 'show', {**where, 'id': made['id']})
changed = api.call('images', 'update', {**where, 'id': made['id'], 'image': {'uuid': second}})
listed = api.call('images', 'index', {**where, 'search': 'name="by apypie"', 'per_page': 4294967296})
gone = api.call('images', 'destroy', {**where, 'id': made['id']})
print(json.dumps({'same': made == shown, 'uuid': changed['uuid'], 'found': listed['subtotal'], 'gone': gone['id'] == made['id']}))
`;

      const { stdout } = await run(python!, ['-c', script, kiln.url, first, second], { env: environment() });

      expect(JSON.parse(stdout)).toEqual({ same: true, uuid: second, found: 1, gone: true });
    },
    PATIENCE_MS,
  );
});

describeWith(['hammer'], 'hammer', () => {
  const hammer = async (...words: string[]) => {
    const options = { env: environment(), maxBuffer: 16 * 1024 * 1024 };
    const { stdout } = await run(findProgram('hammer')!, ['compute-resource', 'image', ...words], options);
    return stdout;
  };

  it(
    'creates, shows, changes, lists and deletes an image, and tells what is wrong',
    async () => {
      const folder = join(home, '.hammer', 'cli.modules.d');
      await mkdir(folder, { recursive: true });
      const settings = [
        ...[':foreman:', '  :enable_module: true', `  :host: '${kiln.url}/foreman'`, "  :username: 'alice'"],
        ...["  :password: 's3cret-alice'", '  :request_timeout: 120'],
      ];
      await writeFile(join(folder, 'foreman.yml'), `${settings.join('\n')}\n`);
      const place = ['--compute-resource', 'Kiln', '--name', 'by hammer'];
      const what = ['--operatingsystem', 'Rocky 9', '--architecture', 'x86_64', '--username', 'root'];

      expect(await hammer('create', ...place, ...what, '--uuid', first)).toContain('Image created');
      await expect(hammer('create', ...place, ...what, '--uuid', 'nothing')).rejects.toMatchObject({
        stderr: expect.stringContaining('Uuid could not be found in Kiln'),
      });
      expect(await hammer('available', '--compute-resource', 'Kiln')).toContain(second);
      expect(await hammer('update', ...place, '--username', 'admin')).toContain('Image updated');
      expect(await hammer('info', ...place)).toMatch(/Username:\s+admin/);
      expect(await hammer('list', '--compute-resource', 'Kiln', '--search', 'username = admin')).toContain('by hammer');
      expect(await hammer('delete', ...place)).toContain('Image deleted');

      expect((await images()).filter(({ name }) => name === 'by hammer')).toEqual([]);
    },
    PATIENCE_MS,
  );
});

const COLLECTION = 'ansible_collections/theforeman/foreman';
const COLLECTION_FOLDERS = [
  join(homedir(), '.ansible/collections'),
  '/usr/share/ansible/collections',
  '/usr/lib/python3/dist-packages',
];
const collections = COLLECTION_FOLDERS.find((folder) => existsSync(join(folder, COLLECTION)));
const canPlay = findProgram('ansible-playbook') !== undefined && collections !== undefined;
const describeAnsible = canPlay ? describe : describe.skip;

describeAnsible(
  canPlay ? 'the Ansible image module' : 'the Ansible image module [needs ansible, theforeman.foreman]',
  () => {
    it(
      'brings an image to what is declared, and changes nothing the second time',
      async () => {
        const declared = {
          server_url: `${kiln.url}/foreman`,
          username: 'alice',
          password: 's3cret-alice',
          name: 'by ansible',
          image_username: 'root',
          compute_resource: 'Kiln',
          architecture: 'x86_64',
          operatingsystem: 'Rocky 9',
          user_data: true,
        };
        const steps = [
          { ...declared, uuid: first, state: 'present' },
          { ...declared, uuid: first, state: 'present' },
          { ...declared, uuid: second, state: 'present' },
          { ...declared, uuid: second, state: 'absent' },
          { ...declared, uuid: second, state: 'absent' },
        ];
        const changed = steps.map((_, index) => `{{ step${index}.changed }}`).join(' ');
        const tasks = [
          ...steps.map((step, index) => ({ 'theforeman.foreman.image': step, register: `step${index}` })),
          { 'ansible.builtin.copy': { content: changed, dest: join(home, 'changed') } },
        ];
        const playbook = join(home, 'images.yml');
        await writeFile(playbook, stringify([{ hosts: 'localhost', connection: 'local', gather_facts: false, tasks }]));

        await run(findProgram('ansible-playbook')!, [playbook], {
          env: {
            ...environment(),
            ANSIBLE_COLLECTIONS_PATH: collections!,
            ANSIBLE_COLLECTIONS_PATHS: collections!,
            ANSIBLE_PYTHON_INTERPRETER: findPythonWith('requests') ?? 'auto',
          },
          maxBuffer: 16 * 1024 * 1024,
        });

        expect(await readFile(join(home, 'changed'), 'utf8')).toBe('True False True True False');
        expect((await images()).filter(({ name }) => name === 'by ansible')).toEqual([]);
      },
      PATIENCE_MS,
    );
  },
);
