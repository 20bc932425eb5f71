import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../ports.js';
import { findProgram } from '../programs.js';

/** What must be installed for `startKeystone`; `npm run setup:debian` does. */
export const KEYSTONE_PROGRAMS = ['keystone-manage', 'keystone-wsgi-public'] as const;

export interface KeystoneOptions {
  /** Names; users with a role in another project need it here. */
  readonly projects?: readonly string[];
  /** Users beside `admin`; the password of `x` is `s3cret-x`, the first role's project is the default one. */
  readonly users?: readonly {
    readonly name: string;
    readonly roles: readonly { readonly project: string; readonly role: string }[];
  }[];
  /** Services of the catalogue beside Keystone itself, each with one address for every interface. */
  readonly services?: readonly { readonly type: string; readonly name: string; readonly url: string }[];
  readonly tokenTtlSeconds?: number;
}

/** A running OpenStack Keystone of Debian's packages. */
export interface Keystone {
  /** With `/v3`, as `OS_AUTH_URL` wants it. */
  readonly url: string;
  readonly region: string;
  /** Ids by name. */
  readonly projects: Readonly<Record<string, string>>;
  readonly users: Readonly<Record<string, string>>;
  readonly roles: Readonly<Record<string, string>>;
  /** A token of a user in a project, its first when absent. */
  token(user: string, project?: string): Promise<string>;
  /** A request as `admin`, or with another token. Answers that are no success throw. */
  call<T = unknown>(method: string, path: string, body?: object, token?: string): Promise<T>;
  addUser(name: string, project: string, role: string): Promise<void>;
  addService(type: string, name: string, url: string): Promise<void>;
  /** Environment for OpenStack programs. */
  openstackEnv(user: string, project?: string): Record<string, string>;
  /** Ends the server; everything it knows stays. */
  halt(): Promise<void>;
  /** Starts it again at the same address; the life of tokens holds for those to come. */
  resume(options?: { readonly tokenTtlSeconds?: number }): Promise<void>;
  /** Ends it and removes everything it had. */
  stop(): Promise<void>;
}

const run = promisify(execFile);
// Debian's own: Keystone is installed for no other.
const PYTHON = '/usr/bin/python3';
const DATABASE = 'keystone.sqlite';
const READY_WITHIN_MS = 90_000;
// Generous, for machines that are busy; but whatever hangs is named, long before the test's own time is over.
const COMMAND_TIMEOUT_MS = 180_000;
const ANSWER_TIMEOUT_MS = 30_000;
const REGION = 'RegionOne';
const ADMIN = { name: 'admin', password: 's3cret-admin', project: 'admin' };
const DEFAULT_TTL_SECONDS = 3_600;
const INTERFACES = ['public', 'internal', 'admin'] as const;

/**
 * Starts Keystone on a free port of 127.0.0.1, with SQLite, Fernet tokens and everything in one new folder. There is a
 * user `admin` with all rights in the project `admin`.
 */
export async function startKeystone(options: KeystoneOptions = {}): Promise<Keystone> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-keystone-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/v3`;
  const server = new Server(folder, port);
  try {
    await prepare(folder, url, options.tokenTtlSeconds);
    await server.start();
    const keystone = new RunningKeystone(folder, url, server);
    await keystone.fill(options);
    return keystone;
  } catch (error) {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

class RunningKeystone implements Keystone {
  readonly region = REGION;
  readonly projects: Record<string, string> = {};
  readonly users: Record<string, string> = {};
  readonly roles: Record<string, string> = {};
  private readonly projectOf = new Map<string, string>([[ADMIN.name, ADMIN.project]]);
  private adminToken: string | null = null;

  constructor(
    private readonly folder: string,
    readonly url: string,
    private readonly server: Server,
  ) {}

  async fill({ projects = [], users = [], services = [] }: KeystoneOptions): Promise<void> {
    await this.learn('projects', this.projects);
    await this.learn('users', this.users);
    await this.learn('roles', this.roles);
    for (const name of projects) {
      const made = await this.call<{ project: { id: string } }>('POST', '/projects', { project: { name } });
      this.projects[name] = made.project.id;
    }
    for (const { name, roles } of users) {
      for (const { project, role } of roles) await this.addUser(name, project, role);
    }
    for (const { type, name, url } of services) await this.addService(type, name, url);
  }

  async token(user: string, project = this.projectOf.get(user)): Promise<string> {
    const domain = { id: 'default' };
    const reply = await fetch(`${this.url}/auth/tokens`, {
      method: 'POST',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: {
          identity: { methods: ['password'], password: { user: { name: user, domain, password: `s3cret-${user}` } } },
          ...(project === undefined ? {} : { scope: { project: { name: project, domain } } }),
        },
      }),
    });
    const token = reply.headers.get('x-subject-token');
    if (!token) throw new Error(`${user} cannot sign in to Keystone: ${reply.status} ${await reply.text()}`);
    return token;
  }

  async call<T>(method: string, path: string, body?: object, token?: string): Promise<T> {
    const reply = await fetch(`${this.url}${path}`, {
      method,
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      headers: {
        'x-auth-token': token ?? (this.adminToken ??= await this.token(ADMIN.name)),
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body && JSON.stringify(body),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** Makes the user and the role if needed. */
  async addUser(name: string, project: string, role: string): Promise<void> {
    if (!this.users[name]) {
      const made = await this.call<{ user: { id: string } }>('POST', '/users', {
        user: { name, password: `s3cret-${name}`, default_project_id: this.projects[project] },
      });
      this.users[name] = made.user.id;
      this.projectOf.set(name, project);
    }
    if (!this.roles[role]) {
      this.roles[role] = (
        await this.call<{ role: { id: string } }>('POST', '/roles', { role: { name: role } })
      ).role.id;
    }
    await this.call('PUT', `/projects/${this.projects[project]}/users/${this.users[name]}/roles/${this.roles[role]}`);
  }

  async addService(type: string, name: string, url: string): Promise<void> {
    const { service } = await this.call<{ service: { id: string } }>('POST', '/services', { service: { type, name } });
    for (const one of INTERFACES) {
      await this.call('POST', '/endpoints', {
        endpoint: { service_id: service.id, interface: one, region_id: REGION, url },
      });
    }
  }

  openstackEnv(user: string, project = this.projectOf.get(user) ?? ''): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.folder,
      OS_AUTH_URL: this.url,
      OS_IDENTITY_API_VERSION: '3',
      OS_USERNAME: user,
      OS_PASSWORD: `s3cret-${user}`,
      OS_PROJECT_NAME: project,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_REGION_NAME: REGION,
    };
  }

  halt(): Promise<void> {
    return this.server.stop();
  }

  async resume({ tokenTtlSeconds }: { tokenTtlSeconds?: number } = {}): Promise<void> {
    await this.server.stop();
    await writeConfiguration(this.folder, tokenTtlSeconds);
    await this.server.start();
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async learn(plural: 'projects' | 'users' | 'roles', ids: Record<string, string>): Promise<void> {
    const found = await this.call<Record<string, { id: string; name: string }[]>>('GET', `/${plural}`);
    for (const { id, name } of found[plural]!) ids[name] = id;
  }
}

/** The process of the server, which can be ended and started again. */
class Server {
  private child: ChildProcess | null = null;

  constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  async start(): Promise<void> {
    const child = spawn(findProgram('keystone-wsgi-public')!, ['--host', '127.0.0.1', '--port', String(this.port)], {
      cwd: this.folder,
      env: { ...process.env, OS_KEYSTONE_CONFIG_DIR: this.folder, OS_KEYSTONE_CONFIG_FILES: 'keystone.conf' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const log = join(this.folder, 'keystone.log');
    child.stderr.pipe(createWriteStream(log, { flags: 'a' }));
    this.child = child;
    for (const deadline = Date.now() + READY_WITHIN_MS; ; await delay(100)) {
      if (await answers(`http://127.0.0.1:${this.port}/v3`)) return;
      if (hasEnded(child) || Date.now() > deadline) {
        throw new Error(`Keystone does not start: ${await readFile(log, 'utf8')}`);
      }
    }
  }

  async stop(): Promise<void> {
    if (!this.child || hasEnded(this.child)) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}

async function prepare(folder: string, url: string, tokenTtlSeconds?: number): Promise<void> {
  await writeConfiguration(folder, tokenTtlSeconds);
  // What `keystone-manage fernet_setup` makes, without the seconds that it takes to start: a key to come and one in use.
  for (const name of ['fernet-keys', 'credential-keys']) {
    await mkdir(join(folder, name), { mode: 0o700 });
    for (const index of ['0', '1']) {
      const key = randomBytes(32).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
      await writeFile(join(folder, name, index), key, { mode: 0o600 });
    }
  }
  const manage = (...words: string[]) =>
    run(findProgram('keystone-manage')!, ['--config-file', join(folder, 'keystone.conf'), ...words], {
      cwd: folder,
      timeout: COMMAND_TIMEOUT_MS,
    });
  await manage('db_sync');
  // Keystone leaves reads open, and without this nothing could be written beside them.
  const walMode = 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute("PRAGMA journal_mode = wal")';
  await run(PYTHON, ['-c', walMode, join(folder, DATABASE)]);
  const words = { username: ADMIN.name, 'project-name': ADMIN.project, password: ADMIN.password, 'region-id': REGION };
  await manage(
    'bootstrap',
    ...Object.entries(words).flatMap(([name, value]) => [`--bootstrap-${name}`, value]),
    ...INTERFACES.flatMap((name) => [`--bootstrap-${name}-url`, url]),
  );
}

function writeConfiguration(folder: string, tokenTtlSeconds = DEFAULT_TTL_SECONDS): Promise<void> {
  const text = `[DEFAULT]
use_stderr = true

[database]
connection = sqlite:///${join(folder, DATABASE)}

[token]
provider = fernet
expiration = ${tokenTtlSeconds}

[fernet_tokens]
key_repository = ${join(folder, 'fernet-keys')}

[credential]
key_repository = ${join(folder, 'credential-keys')}

# What was revoked is dead at once.
[cache]
enabled = false

[identity]
password_hash_rounds = 4
`;
  return writeFile(join(folder, 'keystone.conf'), text);
}

async function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }).then(
    (reply) => reply.ok,
    () => false,
  );
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
