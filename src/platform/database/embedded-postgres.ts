import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import {
  EmbeddedPostgresError,
  exists,
  findBinaries,
  placeCluster,
  run,
  SERVER_ENVIRONMENT,
  writeDurably,
  type ClusterFiles,
} from './embedded-postgres-files.js';

export { EmbeddedPostgresError } from './embedded-postgres-files.js';

export interface EmbeddedPostgresOptions {
  /** Kiln's data folder; made if missing. The cluster lies below it, or where its `postgres/location.json` says. */
  readonly dataDir: string;
  /** Told what takes time, a short sentence each. */
  readonly log?: (message: string) => void;
  /** More server settings, such as `fsync: 'off'` for data nobody will miss. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running PostgreSQL that belongs to one data folder. */
export interface EmbeddedPostgres {
  /** `postgres://kiln:<password>@127.0.0.1:<port>/kiln`; the role is a superuser. */
  readonly url: string;
  /** The server was already running, left behind by a process that was killed. */
  readonly reused: boolean;
  /** Makes a database, as a copy of `template` if named (to which nobody may be connected), and returns its URL. */
  createDatabase(name: string, template?: string): Promise<string>;
  /**
   * Ends every session, writes everything out and resolves when the server is gone. Safe to call twice.
   * @param options.remove also removes the cluster, wherever it lies
   */
  stop(options?: { remove?: boolean }): Promise<void>;
}

const ROLE = 'kiln';
const DATABASE = 'kiln';
const READY_WITHIN_MS = 120_000;
const STOPPED_WITHIN_MS = 60_000;
/** A server that ends again and again is not started faster than this. */
const RESTART_PAUSE_MS = 1_000;
const LOG_ROTATES_AT_BYTES = 10 * 2 ** 20;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  // Short queries only: compiling them would take longer than running them.
  jit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // A client's conflict is an ERROR of its statement; it is answered there and need not fill the disk here.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/**
 * Starts the PostgreSQL that npm brought, on a free port of 127.0.0.1, or joins the one that a killed process left
 * running on the same data. As root the server runs under the account `nobody`.
 *
 * The caller makes sure that a data folder is used once at a time (`lockDataDir`). The server has a session of its own,
 * so Ctrl-C in a terminal does not reach it before Kiln has drained; it is told to end when this process exits. A server
 * that ends by itself (the kernel was short of memory) is started again at the same address; one that was joined is not.
 *
 * @throws EmbeddedPostgresError one sentence for the person who started Kiln
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  try {
    const files = await placeCluster(options.dataDir);
    const left = files.exists ? await findRunning(files) : undefined;
    if (left) {
      log(`joining the PostgreSQL that is still running (process ${left.pid})`);
      return await present(files, new Supervised(left, log), left.pid);
    }
    const native = await findBinaries(files.account);
    if (!files.exists) {
      log('creating the database (once)');
      await initialise(native, files);
    }
    await refuseOtherVersion(native, files);
    const settings = options.settings ?? {};
    const server = new Supervised(await launch(native, files, settings), log, (port) =>
      launch(native, files, settings, port),
    );
    return await present(files, server);
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error;
    throw new EmbeddedPostgresError(`the embedded PostgreSQL cannot start: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * The URL of the PostgreSQL that is running on this data folder now, for tools that work beside a running Kiln.
 * @returns undefined if none is running
 */
export async function findEmbeddedPostgres(dataDir: string): Promise<string | undefined> {
  if (!(await exists(join(dataDir, 'postgres')))) return undefined;
  const files = await placeCluster(dataDir);
  const running = files.exists ? await findRunning(files) : undefined;
  return running && (await urlOf(files, running.port));
}

interface Server {
  readonly pid: number;
  readonly port: number;
  /** Absent: adopted. */
  readonly child?: ChildProcess;
}

/** The server as it is now. */
class Supervised {
  readonly reused: boolean;
  readonly port: number;
  private restarting: Promise<void> | undefined;
  private stopping = false;

  /** @param relaunch absent for a server that was joined: nobody is told of its end */
  constructor(
    private server: Server,
    private readonly log: (message: string) => void,
    private readonly relaunch?: (port: number) => Promise<Server>,
  ) {
    this.reused = relaunch === undefined;
    this.port = server.port;
    this.watch();
  }

  /** The server, which from now on may end. */
  async release(): Promise<Server> {
    this.stopping = true;
    await this.restarting;
    return this.server;
  }

  private watch(): void {
    const ended = () => (this.restarting ??= this.restart().finally(() => (this.restarting = undefined)));
    const { child } = this.server;
    if (child?.exitCode === null && child.signalCode === null) child.once('exit', () => void ended());
    else if (child) void ended();
  }

  private async restart(): Promise<void> {
    while (!this.stopping) {
      this.log('the embedded PostgreSQL has ended by itself; starting it again');
      await delay(RESTART_PAUSE_MS);
      if (this.stopping) return;
      try {
        this.server = await this.relaunch!(this.port);
        setImmediate(() => this.watch());
        return;
      } catch (error) {
        this.log((error as Error).message);
      }
    }
  }
}

async function initialise(native: string, files: ClusterFiles): Promise<void> {
  // First the password, then the cluster: what a crash leaves between the two is made again.
  const password = randomBytes(24).toString('hex');
  await writeDurably(files.passwordFile, password);
  await rm(files.staging, { recursive: true, force: true });
  await mkdir(files.staging, { mode: 0o700 });
  const passwordForServer = `${files.staging}.password`;
  try {
    const file = await open(passwordForServer, 'w', 0o600);
    await file.writeFile(password);
    await file.close();
    if (files.account) {
      await chown(passwordForServer, files.account.uid, files.account.gid);
      await chown(files.staging, files.account.uid, files.account.gid);
    }
    const { code, output } = await run(
      join(native, 'bin', 'initdb'),
      [
        `--pgdata=${files.staging}`,
        `--username=${ROLE}`,
        `--pwfile=${passwordForServer}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // Sorts by code point on every machine; the C library's collations change between releases.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
      ],
      { account: files.account },
    );
    if (code !== 0) {
      const reason = output.split('\n').find((line) => line.includes('error:')) ?? output.split('\n').at(-1) ?? '';
      throw new EmbeddedPostgresError(`the embedded PostgreSQL cannot make its database: ${reason}`);
    }
  } finally {
    await rm(passwordForServer, { force: true });
  }
  await rename(files.staging, files.data);
  await files.markInitialised();
}

async function refuseOtherVersion(native: string, files: ClusterFiles): Promise<void> {
  const made = (await readFile(join(files.data, 'PG_VERSION'), 'utf8')).trim();
  const { output } = await run(join(native, 'bin', 'postgres'), ['--version'], { account: files.account });
  const brought = /\) (\d+)/.exec(output)?.[1];
  if (brought !== undefined && brought !== made) {
    throw new EmbeddedPostgresError(
      `the database in ${files.data} was made by PostgreSQL ${made} and this Kiln brings ${brought}: ` +
        'dump it with the Kiln that made it and restore it here',
    );
  }
}

async function launch(
  native: string,
  files: ClusterFiles,
  settings: Readonly<Record<string, string>>,
  wantedPort?: number,
): Promise<Server> {
  // A process id is soon given out again, above all in containers. `findRunning` has shown that nothing runs here, and
  // PostgreSQL would believe the file.
  await rm(join(files.data, 'postmaster.pid'), { force: true });
  await rotateLog(files.logFile);
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const port = wantedPort ?? (await freePort());
    const logFile = await open(files.logFile, 'a', 0o600);
    const logStart = (await logFile.stat()).size;
    const all = { ...SETTINGS, ...settings, port: String(port) };
    const child = spawn(
      join(native, 'bin', 'postgres'),
      ['-D', files.data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      {
        ...files.account,
        cwd: '/',
        env: SERVER_ENVIRONMENT,
        detached: true,
        stdio: ['ignore', logFile.fd, logFile.fd],
      },
    );
    const ended = new Promise<Error | undefined>((resolve) => {
      child.once('error', resolve);
      child.once('exit', () => resolve(undefined));
    });
    let gone = false;
    void ended.then(() => (gone = true));
    // From the first moment on: whoever starts Kiln may change their mind before the server is ready.
    const forget = endWithThisProcess(child.pid);
    void ended.then(forget);
    await new Promise((resolve) => child.once('spawn', resolve).once('error', resolve));
    await logFile.close();
    while (!gone && Date.now() < deadline) {
      if ((await readPidFile(files))?.status === 'ready') {
        child.unref();
        return { pid: child.pid!, port, child };
      }
      await Promise.race([ended, delay(25)]);
    }
    if (!gone) {
      child.kill('SIGQUIT');
      await ended;
      throw new EmbeddedPostgresError(
        `the embedded PostgreSQL was not ready after ${READY_WITHIN_MS / 1000} s: see ${files.logFile}`,
      );
    }
    const failure = await ended;
    const told = (await readFile(files.logFile, 'utf8')).slice(logStart);
    // Another program took the port between the probe and the start, or the backends of a killed server are still going.
    const passes = /could not bind|could not create any TCP|shared memory block .* is still in use/.test(told);
    if (passes && Date.now() < deadline) {
      await delay(200);
      continue;
    }
    const reason = failure?.message ?? /(?:FATAL|PANIC): +(.*)/.exec(told)?.[1] ?? 'it ended at once';
    throw new EmbeddedPostgresError(`the embedded PostgreSQL cannot start (${reason}): see ${files.logFile}`);
  }
}

/** @returns takes it back, once the process is gone */
function endWithThisProcess(pid: number | undefined): () => void {
  const interrupt = () => {
    try {
      if (pid !== undefined) process.kill(pid, 'SIGINT');
    } catch {
      // Gone already.
    }
  };
  process.once('exit', interrupt);
  return () => process.off('exit', interrupt);
}

async function rotateLog(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > LOG_ROTATES_AT_BYTES) await rename(path, `${path}.1`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** @see PostgreSQL, src/include/utils/pidfile.h: the meaning of each line */
async function readPidFile(files: ClusterFiles): Promise<{ pid: number; port: number; status: string } | undefined> {
  const text = await readFile(join(files.data, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n').map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, port: Number(lines[3]), status: lines[7] ?? '' };
}

async function findRunning(files: ClusterFiles): Promise<Server | undefined> {
  const recorded = await readPidFile(files);
  if (!recorded || !(await isServerOf(recorded.pid, files.data))) return undefined;
  // Still starting, or ending: wait until it is the one or the other.
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    const now = await readPidFile(files);
    if (!now || !(await isServerOf(now.pid, files.data))) return undefined;
    if (now.status === 'ready' && (await answers(files, now.port))) return { pid: now.pid, port: now.port };
    await delay(50);
  }
  throw new EmbeddedPostgresError(
    `a PostgreSQL is running on ${files.data} (process ${recorded.pid}) but does not answer: end it, then start again`,
  );
}

/** Whether the process is a PostgreSQL server that works in `data`; its id alone says nothing. */
async function isServerOf(pid: number, data: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  if (process.platform === 'linux') {
    // A server's working directory is its data directory. A zombie has none, a foreign process may not be asked.
    return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === data;
  }
  const { output } = await run('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => ({ output: '' }));
  return output.includes('postgres') && output.includes(data);
}

async function answers(files: ClusterFiles, port: number): Promise<boolean> {
  try {
    return await withClient(await urlOf(files, port, 'postgres'), async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory');
      return rows[0]?.data_directory === files.data;
    });
  } catch {
    return false;
  }
}

async function urlOf(files: ClusterFiles, port: number, database = DATABASE): Promise<string> {
  let password: string;
  try {
    password = (await readFile(files.passwordFile, 'utf8')).trim();
  } catch (error) {
    throw new EmbeddedPostgresError(
      `cannot read the password of the embedded PostgreSQL: ${(error as Error).message}`,
      { cause: error },
    );
  }
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  // The server may go while nobody is asking anything of it.
  client.on('error', () => {});
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function createDatabase(admin: string, name: string, template?: string): Promise<void> {
  await withClient(admin, (client) => {
    const from = template === undefined ? '' : ` TEMPLATE ${client.escapeIdentifier(template)}`;
    return client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}${from}`);
  });
}

async function present(files: ClusterFiles, server: Supervised, joinedPid?: number): Promise<EmbeddedPostgres> {
  const forget = joinedPid === undefined ? () => {} : endWithThisProcess(joinedPid);
  let stopping: Promise<void> | undefined;
  const stop = () =>
    (stopping ??= server
      .release()
      .then((last) => endServer(files, last))
      .finally(forget));

  try {
    const admin = await urlOf(files, server.port, 'postgres');
    const found = await withClient(admin, (client) =>
      client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]),
    );
    if (found.rowCount === 0) await createDatabase(admin, DATABASE);
    return {
      url: await urlOf(files, server.port),
      reused: server.reused,
      createDatabase: async (name, template) => {
        await createDatabase(admin, name, template);
        return urlOf(files, server.port, name);
      },
      stop: async ({ remove = false } = {}) => {
        await stop();
        if (remove) {
          await rm(files.data, { recursive: true, force: true });
          await rm(files.staging, { recursive: true, force: true });
          await rm(join(files.passwordFile, '..'), { recursive: true, force: true });
        }
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** SIGINT is PostgreSQL's "fast" shutdown, SIGQUIT the "immediate" one, from which the next start recovers. */
async function endServer(files: ClusterFiles, { pid, child }: Server): Promise<void> {
  const isGone = child
    ? () => Promise.resolve(child.exitCode !== null || child.signalCode !== null)
    : async () => !(await isServerOf(pid, files.data));
  for (const [signal, patienceMs] of [
    ['SIGINT', STOPPED_WITHIN_MS],
    ['SIGQUIT', 10_000],
  ] as const) {
    if (await isGone()) return;
    process.kill(pid, signal);
    const deadline = Date.now() + patienceMs;
    while (!(await isGone()) && Date.now() < deadline) await delay(20);
  }
  if (!(await isGone())) throw new EmbeddedPostgresError(`PostgreSQL (process ${pid}) does not end`);
}
