// What README.md says to type, typed on a Kiln as `npm start` makes it.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { qcow2 } from '../support/disks/disk-images.js';
import { eventually } from '../support/eventually.js';
import { type RunningKiln, startKiln } from '../support/kiln.js';
import { findProgram, findPythonWith } from '../support/programs.js';

const run = promisify(execFile);
const PATIENCE_MS = 300_000;
const PCLUSTER_CLIENT = process.env.KILN_TEST_PCLUSTER_CLIENT ?? '/opt/pcluster-client/released';
const README = readFileSync('README.md', 'utf8');
const BEGIN = /<!-- begin -->\n+```sh\n([^]*?)```/.exec(README)![1]!;

interface Block {
  readonly name: string;
  readonly needs: readonly string[];
  readonly language: 'sh' | 'python';
  readonly commands: string;
}

const BLOCKS = [...README.matchAll(/<!-- commands of (\w+), needs ([^>]+) -->\n+```(sh|python)\n([^]*?)```/g)].map(
  ([, name, needs, language, commands]) => ({ name, needs: needs!.split(', '), language, commands }) as Block,
);

let kiln: RunningKiln;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-readme-'));
  await writeFile(join(folder, 'debian.qcow2'), qcow2());
  kiln = await startKiln({ env: { KILN_BOOTSTRAP_FILE: '' } });
  await symlink(kiln.dataDir, join(folder, '.kiln'));
  await eventually(() => readFileSync(join(kiln.dataDir, 'clouds.yaml')).length > 0);
  await furnish();
}, 300_000);
afterAll(async () => {
  await kiln?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** What is there before the commands are: names in /etc/hosts, and programs that were set up. */
async function furnish(): Promise<void> {
  const names = `import socket
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: resolve('127.0.0.1' if str(host).endswith('.localhost') else host, *more, **named)
`;
  const modules = join(folder, '.hammer', 'cli.modules.d');
  for (const each of ['bin', 'python', modules]) await mkdir(resolve(folder, each), { recursive: true });
  await writeFile(join(folder, 'python', 'sitecustomize.py'), names);
  await symlink(pythonWith('boto3') ?? '/usr/bin/python3', join(folder, 'bin', 'python3'));
  await writeFile(join(modules, 'foreman.yml'), ':foreman:\n  :enable_module: true\n');
}

/** In the order of the page: later blocks go on with what earlier ones made. */
async function type({ language, commands }: Block): Promise<string> {
  const { host, port } = new URL(kiln.url);
  const here = (text: string): string => text.replaceAll('127.0.0.1:8080', host).replaceAll(':8080', `:${port}`);
  const python = findPythonWith('openstack') ?? 'python3';
  const last = language === 'python' ? `exec ${python} -c "$COMMANDS"` : here(commands);
  const { stdout } = await run('/bin/bash', ['-euo', 'pipefail', '-c', `${here(BEGIN)}\n${last}`], {
    cwd: folder,
    env: {
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
      HOME: folder,
      PYTHONPATH: `${join(folder, 'python')}:${PCLUSTER_CLIENT}`,
      COMMANDS: commands,
    },
    maxBuffer: 16 * 2 ** 20,
  });
  return stdout;
}

function missing({ needs }: Block): string[] {
  return needs.filter((need) => {
    const [program = '', library] = need.split(' with ');
    return library ? pythonWith(library) === undefined : findProgram(program) === undefined;
  });
}

/** The generated client of ParallelCluster is in no registry, and lies in a folder of its own. */
function pythonWith(library: string): string | undefined {
  if (library !== 'pcluster_client') return findPythonWith(library);
  return existsSync(join(PCLUSTER_CLIENT, library)) ? findPythonWith('boto3') : undefined;
}

describe('the commands of README.md', () => {
  it('are told for every API', () => {
    expect(BLOCKS.map(({ name }) => name)).toEqual([
      'Image',
      'Identity',
      'Compute',
      'IMS',
      'ParallelCluster',
      'Foreman',
    ]);
  });

  for (const block of BLOCKS) {
    const lacks = missing(block);
    const title = `do what they say: ${block.name}`;
    if (lacks.length > 0) it.skip(`${title} [needs ${lacks.join(', ')}]`, () => undefined);
    else it(title, async () => expect(await type(block)).toMatch(SHOWN[block.name]!), PATIENCE_MS);
  }
});

/** What is to be read at the end of it all. */
const SHOWN: Readonly<Record<string, RegExp>> = {
  Image: /debian/,
  Identity: /image.*\n[^]*builders[^]*ada/,
  Compute: /\('debian', 'ACTIVE'\)[^]*100[^]*None\s*$/,
  IMS: /"deleted":"[^]*tier='gold'/,
  ParallelCluster:
    /'images': \[\][^]*^412 [^]*DryRun[^]*BUILD_IN_PROGRESS[^]*BUILD_COMPLETE[^]*'ami_id'[^]*'images': \[\][^]*DELETE_IN_PROGRESS/m,
  Foreman:
    /Kiln[^]*Debian 12[^]*x86_64[^]*Location created[^]*first[^]*Image created[^]*base[^]*Image updated[^]*admin[^]*Image deleted/,
};
