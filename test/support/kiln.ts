import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { testDatabase } from './database.js';
import { freePort } from './ports.js';

export const ALPHA = '5a7b0b0ea1d44c0f8a6a5a0a1c1d1e01';
export const BETA = '6b8c1c1fb2e55d1f9b7b6b1b2d2e2f02';

/** The bootstrap of every test: two projects and one user a role. Password of `x` is `s3cret-x`. */
export const STANDARD_BOOTSTRAP = {
  projects: [
    { name: 'alpha', id: ALPHA },
    { name: 'beta', id: BETA },
  ],
  users: [
    { name: 'root', password: 's3cret-root', roles: [{ project: 'alpha', role: 'admin' }] },
    {
      name: 'alice',
      password: 's3cret-alice',
      default_project: 'alpha',
      roles: [{ project: 'alpha', role: 'member' }],
    },
    { name: 'bob', password: 's3cret-bob', roles: [{ project: 'beta', role: 'member' }] },
    { name: 'rita', password: 's3cret-rita', roles: [{ project: 'alpha', role: 'reader' }] },
  ],
};

export interface KilnOptions {
  /** More settings; `KILN_ROLE` and so on. */
  readonly env?: Readonly<Record<string, string>>;
  /** Settings that name the port, which is chosen here. */
  readonly envAt?: (port: number) => Readonly<Record<string, string>>;
  readonly bootstrap?: object;
  /** Share the database, data folder and address of another one: a second process of the same Kiln. */
  readonly beside?: RunningKiln;
  /** Where the API listens; default: a free port. */
  readonly port?: number;
}

/** A Kiln of the compiled build, in a process of its own. */
export interface RunningKiln {
  readonly url: string;
  readonly databaseUrl: string;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Everything it wrote so far, both streams. */
  output(): string;
  /** A token of a user, in its project unless `project` names another. */
  token(user: string, project?: string): Promise<string>;
  /** Environment for OpenStack programs. */
  openstackEnv(user: string, project?: string): Record<string, string>;
  /** SIGKILL: no clean-up of its own. */
  kill(): Promise<void>;
  /** SIGTERM, then everything it had is removed. */
  stop(): Promise<void>;
}

const PROJECT_OF: Record<string, string> = { root: 'alpha', alice: 'alpha', bob: 'beta', rita: 'alpha' };
const STARTED_WITHIN_MS = 120_000;

/** Starts the compiled server on a fresh database and an empty data folder. Stop it in `afterAll`. */
export async function startKiln(options: KilnOptions = {}): Promise<RunningKiln> {
  try {
    return await startOn(options.port ?? (await freePort()), options);
  } catch (error) {
    // Somebody else was faster than the server at the port that was free.
    if (options.port !== undefined || !/port \d+ on \S+ is taken/.test((error as Error).message)) throw error;
    return startOn(await freePort(), options);
  }
}

async function startOn(port: number, options: KilnOptions): Promise<RunningKiln> {
  const database = options.beside ? null : await testDatabase();
  const databaseUrl = options.beside?.databaseUrl ?? database!.url;
  const dataDir = options.beside?.dataDir ?? (await mkdtemp(join(tmpdir(), 'kiln-test-')));
  const bootstrapFile = join(dataDir, 'bootstrap.yaml');
  if (!options.beside) await writeFile(bootstrapFile, stringify(options.bootstrap ?? STANDARD_BOOTSTRAP));
  const url = options.env?.KILN_ROLE === 'worker' ? (options.beside?.url ?? '') : `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [resolve('dist/src/main.js')], {
    env: {
      PATH: process.env.PATH,
      HOME: dataDir,
      KILN_PORT: String(port),
      KILN_DATA_DIR: dataDir,
      KILN_DATABASE_URL: databaseUrl,
      KILN_DATABASE_POOL_SIZE: '8',
      KILN_BOOTSTRAP_FILE: bootstrapFile,
      KILN_LOG_LEVEL: 'warn',
      ...options.env,
      ...options.envAt?.(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit');

  const running: RunningKiln = {
    url,
    databaseUrl,
    dataDir,
    process: child,
    output: () => output,
    token: (user, project) => signIn(url, user, project ?? PROJECT_OF[user]!),
    openstackEnv: (user, project) => ({
      PATH: process.env.PATH ?? '',
      HOME: dataDir,
      OS_AUTH_URL: `${url}/identity/v3`,
      OS_IDENTITY_API_VERSION: '3',
      OS_USERNAME: user,
      OS_PASSWORD: `s3cret-${user}`,
      OS_PROJECT_NAME: project ?? PROJECT_OF[user]!,
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
      OS_REGION_NAME: 'RegionOne',
    }),
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
      await database?.drop();
      if (!options.beside) await rm(dataDir, { recursive: true, force: true });
    },
  };
  try {
    await started(running, exited, options.env?.KILN_ROLE === 'worker');
  } catch (error) {
    await running.stop();
    throw error;
  }
  return running;
}

/** Until the process itself says so: at its port somebody else may answer, or nobody ever. */
async function started(kiln: RunningKiln, exited: Promise<unknown>, worker: boolean): Promise<void> {
  let gone = false;
  void exited.then(() => (gone = true));
  const word = worker ? 'worker started' : ' is up at ';
  for (const deadline = Date.now() + STARTED_WITHIN_MS; Date.now() < deadline;) {
    if (gone) throw new Error(`Kiln ended while it started:\n${kiln.output()}`);
    if (kiln.output().includes(word)) return;
    await new Promise((resolveSoon) => setTimeout(resolveSoon, 50));
  }
  kiln.process.kill('SIGKILL');
  throw new Error(`Kiln did not start within ${STARTED_WITHIN_MS / 1000} s:\n${kiln.output()}`);
}

/** A token of a standard user in that project. */
export async function signIn(url: string, user: string, project: string): Promise<string> {
  const domain = { name: 'Default' };
  const reply = await fetch(`${url}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: user, domain, password: `s3cret-${user}` } } },
        scope: { project: { name: project, domain } },
      },
    }),
  });
  const token = reply.headers.get('x-subject-token');
  if (!token) throw new Error(`${user} cannot sign in to ${project}: ${reply.status} ${await reply.text()}`);
  return token;
}
