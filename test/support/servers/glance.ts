import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from '../eventually.js';
import type { Keystone } from './keystone.js';
import { freePort } from '../ports.js';
import { findProgram } from '../programs.js';

const run = promisify(execFile);

/** What must be installed for `startGlance`; `npm run setup:debian` does. */
export const GLANCE_PROGRAMS = ['glance-api', 'glance-manage'] as const;

/** A running Glance of the system's packages, on loopback, whose tokens are a Keystone's. */
export interface Glance {
  readonly url: string;
  /** The end of its log. */
  output(): string;
  stop(): Promise<void>;
}

export interface GlanceOptions {
  readonly keystone: Keystone;
  /** File stores; the first is the default. */
  readonly stores: readonly string[];
  /** Ports that web-download may ask, beside 80 and 443. */
  readonly downloadPorts?: readonly number[];
}

const ANSWER_TIMEOUT_MS = 30_000;
const SHARE = '/usr/share/glance-common';

/** Everything that it can do is on: both access tables are the new ones, several stores, import, cache. */
export async function startGlance(options: GlanceOptions): Promise<Glance> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-glance-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const file = join(folder, 'glance-api.conf');
  for (const name of ['staging', 'tasks', 'cache', 'locks', 'policy.d', ...options.stores]) {
    await mkdir(join(folder, name));
  }
  await writeFile(file, configuration(folder, port, options));
  await writeFile(
    join(folder, 'glance-image-import.conf'),
    `[import_filtering_opts]\nallowed_ports = [${[80, 443, ...(options.downloadPorts ?? [])].join(',')}]\n`,
  );
  // It looks beside its configuration first, then in /etc, which is not a test's to read.
  await copyFile(join(SHARE, 'schema-image.json'), join(folder, 'schema-image.json'));
  const env = { PATH: process.env.PATH, HOME: folder };
  let server: ChildProcess | undefined;
  let output = '';
  const stop = async (): Promise<void> => {
    if (server && server.exitCode === null && server.signalCode === null) {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await run(findProgram('glance-manage')!, ['--config-file', file, 'db_sync'], { env, cwd: folder });
    const files = ['--config-file', file, '--config-file', join(folder, 'glance-image-import.conf')];
    server = spawn(findProgram('glance-api')!, files, { env, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    server.stderr!.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-100_000)));
    await eventually(async () => {
      if (server!.exitCode !== null || server!.signalCode !== null) throw new Error(`Glance ended: ${output}`);
      // Its own word first: at its port somebody else may answer.
      return output.includes(`starting up on ${url}`) && (await answers(`${url}/versions`));
    }, 60_000);
    return { url, output: () => output, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  return (await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })).ok;
}

function configuration(folder: string, port: number, { keystone, stores }: GlanceOptions): string {
  const store = (name: string): string => `[${name}]\nfilesystem_store_datadir = ${join(folder, name)}\n`;
  return `[DEFAULT]
bind_host = 127.0.0.1
bind_port = ${port}
# One process that does not fork.
workers = 0
use_stderr = true
enforce_secure_rbac = true
enabled_backends = ${stores.map((name) => `${name}:file`).join(', ')}
enabled_import_methods = [glance-direct,web-download,copy-image,glance-download]
image_cache_dir = ${join(folder, 'cache')}
worker_self_reference_url = http://127.0.0.1:${port}
[database]
connection = sqlite:///${join(folder, 'glance.db')}
[glance_store]
default_backend = ${stores[0]}
${stores.map(store).join('')}[os_glance_staging_store]
filesystem_store_datadir = ${join(folder, 'staging')}
[os_glance_tasks_store]
filesystem_store_datadir = ${join(folder, 'tasks')}
[oslo_policy]
enforce_scope = true
enforce_new_defaults = true
policy_file = ${join(folder, 'policy.yaml')}
policy_dirs = ${join(folder, 'policy.d')}
[oslo_concurrency]
lock_path = ${join(folder, 'locks')}
[paste_deploy]
flavor = keystone+cachemanagement
config_file = ${SHARE}/glance-api-paste.ini
[keystone_authtoken]
www_authenticate_uri = ${keystone.url}
auth_url = ${keystone.url}
auth_type = password
username = admin
password = s3cret-admin
project_name = admin
user_domain_name = Default
project_domain_name = Default
`;
}
