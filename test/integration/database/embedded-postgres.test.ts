import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import {
  findEmbeddedPostgres,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../../src/platform/database/embedded-postgres.js';
import { eventually } from '../../support/eventually.js';

const COMPILED = join(import.meta.dirname, '../../../dist/src/platform/database/embedded-postgres.js');

const isRoot = process.geteuid?.() === 0;
const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
const nobody = /^nobody:[^:]*:(\d+):(\d+)/m.exec(passwd);
const account = nobody && { uid: Number(nobody[1]), gid: Number(nobody[2]) };

const asRoot = (name: string, test: () => Promise<void>): void =>
  isRoot ? it(name, test) : it.skip(`${name} [runs as root only]`, test);

/** Somebody else than root must be able to run the compiled sources: not so in a checkout below root's home. */
const readableByOthers =
  isRoot &&
  account !== null &&
  spawnSync(process.execPath, ['-e', 'fs.readFileSync(process.argv[1])', COMPILED], { ...account, cwd: '/' }).status ===
    0;

const asRootForOthers = (name: string, test: () => Promise<void>): void =>
  readableByOthers ? it(name, test) : it.skip(`${name} [runs as root only, in a checkout that others can read]`, test);

/** Starts the server of a data folder, prints what it got and stays. */
const STARTER = `
  const { startEmbeddedPostgres } = await import(process.argv[1]);
  const server = await startEmbeddedPostgres({ dataDir: process.argv[2] });
  process.on('SIGTERM', () => process.exit(0));
  process.stdout.write(JSON.stringify({ url: server.url, reused: server.reused }) + '\\n');
  setInterval(() => {}, 1000);
`;

describe('the embedded PostgreSQL', () => {
  let folder: string;
  const servers: EmbeddedPostgres[] = [];
  const starters: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln data-'));
  });

  afterEach(async () => {
    for (const starter of starters.splice(0)) starter.kill('SIGKILL');
    // The newest first: it may be the one that runs on what an older one would remove.
    for (const server of servers.splice(0).reverse()) await server.stop({ remove: true });
    await rm(folder, { recursive: true, force: true });
  });

  async function start(dataDir = folder): Promise<EmbeddedPostgres> {
    const server = await startEmbeddedPostgres({ dataDir });
    servers.push(server);
    return server;
  }

  async function startInAnotherProcess(
    dataDir: string,
    as: { uid?: number; gid?: number } = {},
  ): Promise<{ child: ChildProcess; url: string; reused: boolean }> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', STARTER, COMPILED, dataDir], {
      ...as,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    starters.push(child);
    let told = '';
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    const line = await Promise.race([
      once(child.stdout, 'data').then(([chunk]) => String(chunk)),
      once(child, 'exit').then(() => Promise.reject(new Error(`the starter ended: ${told}`))),
    ]);
    return { child, ...(JSON.parse(line) as { url: string; reused: boolean }) };
  }

  async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  it('keeps its data over a restart', async () => {
    const first = await start();
    await query(first.url, `CREATE TABLE kept AS SELECT 'here' AS word`);
    await first.stop();

    const second = await start();

    expect(second.reused).toBe(false);
    expect(await query(second.url, 'SELECT word FROM kept')).toEqual([{ word: 'here' }]);
  });

  it('listens on the loopback address only, wants the password, and is durable', async () => {
    const { url } = await start();
    const wrong = new URL(url);
    wrong.password = 'wrong';

    await expect(query(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });

    const settings = await query(
      url,
      `SELECT name, setting FROM pg_settings
       WHERE name IN ('listen_addresses', 'unix_socket_directories', 'fsync', 'jit') ORDER BY name`,
    );
    expect(settings).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'jit', setting: 'off' },
      { name: 'listen_addresses', setting: '127.0.0.1' },
      { name: 'unix_socket_directories', setting: '' },
    ]);
    expect((await stat(join(folder, 'postgres', 'password'))).mode & 0o777).toBe(0o600);
  });

  it('clones a database from a template', async () => {
    const server = await start();
    const template = await server.createDatabase('a "template"');
    await query(template, 'CREATE TABLE things (id int)');

    const clone = await server.createDatabase('clone', 'a "template"');

    expect(await query(clone, 'SELECT * FROM things')).toEqual([]);
  });

  it('is joined by the next start when its starter was killed, and then ends with that one', async () => {
    const killed = await startInAnotherProcess(folder);
    await query(killed.url, `CREATE TABLE kept AS SELECT 'here' AS word`);
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');

    const next = await start();

    expect(next).toMatchObject({ reused: true, url: killed.url });
    expect(await query(next.url, 'SELECT word FROM kept')).toEqual([{ word: 'here' }]);
    await next.stop();
    await expect(query(next.url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await findEmbeddedPostgres(folder)).toBeUndefined();
  });

  it('recovers when the server was killed too, and does not trust what its pid file says', async () => {
    const first = await startInAnotherProcess(folder);
    await query(first.url, `CREATE TABLE kept AS SELECT 'here' AS word`);
    const data = await dataOf(folder);
    // Its starter too, which would start it again.
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n');
    const serverPid = Number(lines[0]);
    process.kill(serverPid, 'SIGKILL');
    // The id of a living process, as after a reboot that gave it out again.
    await writeFile(join(data, 'postmaster.pid'), [String(process.pid), ...lines.slice(1)].join('\n'));

    const second = await start();

    expect(second.reused).toBe(false);
    expect(await query(second.url, 'SELECT word FROM kept')).toEqual([{ word: 'here' }]);
  });

  it('is started again at the same address when it ends by itself, until it is told to stop', async () => {
    const said: string[] = [];
    const server = await startEmbeddedPostgres({ dataDir: folder, log: (message) => said.push(message) });
    servers.push(server);
    await query(server.url, 'CREATE TABLE kept AS SELECT 7 AS n');
    const pidOf = async () => {
      const [row] = await query(server.url, 'SHOW data_directory');
      return Number((await readFile(join(String(row!.data_directory), 'postmaster.pid'), 'utf8')).split('\n')[0]);
    };
    const first = await pidOf();

    process.kill(first, 'SIGKILL');

    await eventually(async () => expect(await query(server.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]));
    const second = await pidOf();
    expect(second).not.toBe(first);
    expect(said.filter((line) => line.includes('ended by itself'))).toHaveLength(1);

    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await expect(query(server.url, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('ends when its starter ends by itself', async () => {
    const { child, url } = await startInAnotherProcess(folder);

    child.kill('SIGTERM');
    await once(child, 'exit');

    // The server was told to end and takes a moment to.
    await expect(untilRefused(() => query(url, 'SELECT 1'))).resolves.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is found by tools that work beside it', async () => {
    const { url } = await start();

    expect(await findEmbeddedPostgres(folder)).toBe(url);
  });

  it('makes its database again when it was killed while doing so', async () => {
    await mkdir(join(folder, 'postgres', 'data.new', 'base'), { recursive: true });
    await writeFile(join(folder, 'postgres', 'password'), 'of the one that was killed');

    const { url } = await start();

    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('says in one sentence that a database is of another version', async () => {
    const first = await start();
    await first.stop();
    await writeFile(join(await dataOf(folder), 'PG_VERSION'), '9\n');

    await expect(startEmbeddedPostgres({ dataDir: folder })).rejects.toThrow(
      /was made by PostgreSQL 9 and this Kiln brings \d+: dump it/,
    );
  });

  asRoot('works below a folder that only root may enter, and finds its data again', async () => {
    const closed = join(folder, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const dataDir = join(closed, 'data');
    const first = await start(dataDir);
    await query(first.url, `CREATE TABLE kept AS SELECT 'here' AS word`);
    await first.stop();

    const second = await start(dataDir);

    expect(await query(second.url, 'SELECT word FROM kept')).toEqual([{ word: 'here' }]);
    expect(await readdir(join(dataDir, 'postgres'))).toContain('location.json');
    expect((await stat(closed)).mode & 0o777).toBe(0o700);
    const moved = await dataOf(dataDir);
    await second.stop({ remove: true });
    await expect(stat(moved)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  asRoot('does not begin anew when a database that was moved out is gone', async () => {
    const closed = join(folder, 'closed');
    await mkdir(closed, { mode: 0o700 });
    const first = await start(join(closed, 'data'));
    await first.stop();
    await rm(await dataOf(join(closed, 'data')), { recursive: true });

    await expect(startEmbeddedPostgres({ dataDir: join(closed, 'data') })).rejects.toThrow(/which is gone: restore it/);
  });

  asRootForOthers('works for an ordinary user, and root can start what that user made', async () => {
    const { uid, gid } = account!;
    await chmod(folder, 0o700);
    await chown(folder, uid, gid);
    const theirs = await startInAnotherProcess(folder, { uid, gid });
    await query(theirs.url, `CREATE TABLE kept AS SELECT 'here' AS word`);
    expect((await stat(join(folder, 'postgres', 'password'))).uid).toBe(uid);
    theirs.child.kill('SIGKILL');
    await once(theirs.child, 'exit');

    const again = await startInAnotherProcess(folder, { uid, gid });
    expect(again).toMatchObject({ reused: true, url: theirs.url });
    again.child.kill('SIGTERM');
    await once(again.child, 'exit');
    await untilRefused(() => query(again.url, 'SELECT 1'));

    const roots = await start();
    expect(await query(roots.url, 'SELECT word FROM kept')).toEqual([{ word: 'here' }]);
  });

  async function dataOf(dataDir: string): Promise<string> {
    const pointer = await readFile(join(dataDir, 'postgres', 'location.json'), 'utf8').catch(() => undefined);
    if (pointer === undefined) return join(dataDir, 'postgres', 'data');
    return (JSON.parse(pointer) as { location: string }).location;
  }

  async function untilRefused(attempt: () => Promise<unknown>): Promise<unknown> {
    const deadline = Date.now() + 20_000;
    for (;;) {
      try {
        await attempt();
      } catch (error) {
        if ((error as { code?: string }).code === 'ECONNREFUSED' || Date.now() > deadline) return error;
      }
      if (Date.now() > deadline) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});
