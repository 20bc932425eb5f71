#!/usr/bin/env node
/** npm run bench: see bench/README.md. Bounded in count and time; stops everything it started. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import autocannon from 'autocannon';
import pg from 'pg';
import { stringify } from 'yaml';
import { freePort, memoryMiB, round, startServer, stopServer, totalCpuMs } from './lib.mjs';
import { seed, VIEWER } from './seed.mjs';

const options = readOptions(process.argv.slice(2));
const work = mkdtempSync(join(tmpdir(), 'kiln-bench-'));
const GIB = 2 ** 30;
const rows = [];
/** What else the machine had to do. */
const [loadBefore] = loadavg();

const undo = [];
try {
  await main();
} finally {
  for (const step of undo.reverse()) await Promise.resolve(step()).catch((error) => console.error(error.message));
  rmSync(work, { recursive: true, force: true });
}
report();

async function main() {
  const kiln = await startKiln();
  const token = await signIn(kiln, 'viewer');
  let seeded = 0;
  for (const count of options.images) {
    await seed(kiln.client, seeded, count);
    seeded = count;
    await kiln.client.query('CHECKPOINT');
    if (wanted('list')) await benchLists(kiln, token, count);
    if (wanted('show')) await benchShow(kiln, token, count);
    if (wanted('create')) await benchCreate(kiln, token, count);
  }
  if (wanted('upload') || wanted('download')) await benchData(kiln, token);
  if (wanted('memory')) await benchMemory(kiln, token);
}

function readOptions(args) {
  const value = (name, fallback) => (args.includes(name) ? args[args.indexOf(name) + 1] : fallback);
  return {
    images: value('--images', '1000,100000').split(',').map(Number),
    seconds: Number(value('--seconds', '5')),
    connections: Number(value('--connections', '8')),
    only: value('--only', 'list,show,create,upload,download,memory').split(','),
  };
}

function wanted(name) {
  return options.only.includes(name);
}

async function startKiln() {
  const { startEmbeddedPostgres } = await import('../dist/src/platform/database/embedded-postgres.js');
  const dataDir = join(work, 'data');
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { max_wal_size: '4GB' } });
  undo.push(() => postgres.stop({ remove: true }));
  const bootstrap = join(work, 'bootstrap.yaml');
  writeFileSync(
    bootstrap,
    stringify({
      projects: [{ name: 'viewer', id: VIEWER }],
      users: [{ name: 'viewer', password: 'viewer', roles: [{ project: 'viewer', role: 'member' }] }],
    }),
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    KILN_PORT: String(port),
    KILN_DATA_DIR: dataDir,
    KILN_DATABASE_URL: postgres.url,
    KILN_BOOTSTRAP_FILE: bootstrap,
    KILN_LOG_LEVEL: 'warn',
    KILN_ROLE: 'api',
  };
  const child = await startServer('dist/src/main.js', env, `${url}/healthz/live`);
  undo.push(() => stopServer(child));
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => undefined);
  await client.connect();
  undo.push(() => client.end());
  const { rows: found } = await client.query(`SELECT setting FROM pg_settings WHERE name = 'data_directory'`);
  const postmaster = Number(readFileSync(join(found[0].setting, 'postmaster.pid'), 'utf8').split('\n')[0]);
  return { url, child, client, postmaster, databaseUrl: postgres.url, dataDir };
}

async function signIn(kiln, user) {
  const domain = { name: 'Default' };
  const reply = await fetch(`${kiln.url}/identity/v3/auth/tokens`, {
    method: 'POST',
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: user, domain, password: user } } },
        scope: { project: { name: user, domain } },
      },
    }),
  });
  return reply.headers.get('x-subject-token');
}

async function benchLists(kiln, token, count) {
  const queries = {
    'list 25': 'limit=25',
    'list 25, second page': `limit=25&marker=${await markerOf(kiln, token)}`,
    'list 25 by tag': 'limit=25&tag=tag-7',
    'list 25 by property': 'limit=25&os_distro=debian',
    'list 25 by name': 'limit=25&sort=name:asc',
  };
  for (const [name, query] of Object.entries(queries)) {
    await measure(kiln, { name, count, path: `/image/v2/images?${query}`, token });
  }
}

async function markerOf(kiln, token) {
  const page = await (
    await fetch(`${kiln.url}/image/v2/images?limit=25`, { headers: { 'x-auth-token': token } })
  ).json();
  return page.images.at(-1).id;
}

async function benchShow(kiln, token, count) {
  const { rows: found } = await kiln.client.query('SELECT id FROM images WHERE project_id = $1 LIMIT 1', [VIEWER]);
  await measure(kiln, { name: 'show', count, path: `/image/v2/images/${found[0].id}`, token });
}

async function benchCreate(kiln, token, count) {
  const body = JSON.stringify({
    name: 'made',
    disk_format: 'raw',
    container_format: 'bare',
    tags: ['a'],
    os_distro: 'debian',
  });
  await measure(kiln, { name: 'create', count, path: '/image/v2/images', token, method: 'POST', body });
  await kiln.client.query(`DELETE FROM images WHERE name = 'made'`);
}

/** One figure and its floors: the same bytes from bare Fastify, and the same statements from pgbench. */
async function measure(kiln, { name, count, path, token, method = 'GET', body }) {
  const headers = { 'x-auth-token': token, ...(body ? { 'content-type': 'application/json' } : {}) };
  const { answer, statements } = await captureStatements(kiln, () =>
    fetch(`${kiln.url}${path}`, { method, headers, body }),
  );
  await load({ url: `${kiln.url}${path}`, method, headers, body, seconds: 1 });
  const real = await withCpu([kiln.child.pid, kiln.postmaster], () =>
    load({ url: `${kiln.url}${path}`, method, headers, body }),
  );
  const http = await httpFloor(answer, method, body);
  const sql = await sqlFloor(kiln, statements);
  const floorCpu = http.cpuMs + sql.cpuMs;
  rows.push({
    what: name,
    images: count,
    'req/s': Math.round(real.rate),
    'p50 ms': real.p50,
    'p99 ms': real.p99,
    cpu_ms: round(real.cpuMs),
    'floor cpu_ms': round(floorCpu),
    'cpu ratio': round(real.cpuMs / floorCpu),
    'floor req/s (http / sql)': `${Math.round(http.rate)} / ${Math.round(sql.rate)}`,
  });
  console.log(JSON.stringify(rows.at(-1)));
}

async function load({ url, method, headers, body, seconds = options.seconds }) {
  const result = await autocannon({ url, method, headers, body, duration: seconds, connections: options.connections });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refusals, ${result.errors} errors`);
  return {
    rate: result.requests.total / result.duration,
    total: result.requests.total,
    p50: result.latency.p50,
    p99: result.latency.p99,
  };
}

async function withCpu(roots, work_) {
  const before = totalCpuMs(...roots);
  const result = await work_();
  return { ...result, cpuMs: (totalCpuMs(...roots) - before) / result.total };
}

async function httpFloor(answer, method, body) {
  const file = join(work, 'floor-body');
  writeFileSync(file, answer);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const child = await startServer('bench/floor-server.mjs', { FLOOR_BODY: file, FLOOR_PORT: String(port) }, url);
  try {
    const headers = body ? { 'content-type': 'application/json' } : {};
    await load({ url, method, headers, body, seconds: 1 });
    return await withCpu([child.pid], () => load({ url, method, headers, body }));
  } finally {
    await stopServer(child);
  }
}

/** The statements that one request sends, with their values filled in, read from the server's own log. */
async function captureStatements(kiln, send) {
  const mark = `bench-${randomBytes(6).toString('hex')}`;
  await kiln.client.query(`ALTER SYSTEM SET log_min_duration_statement = 0`);
  await kiln.client.query('SELECT pg_reload_conf()');
  await new Promise((later) => setTimeout(later, 500));
  // The token is looked up once and then kept, so its statement is not what a request costs.
  await (await send()).arrayBuffer();
  await kiln.client.query(`SELECT '${mark}-begin'`);
  const reply = await send();
  const answer = Buffer.from(await reply.arrayBuffer());
  if (!reply.ok) throw new Error(`${reply.status}: ${answer}`);
  await kiln.client.query(`SELECT '${mark}-end'`);
  await kiln.client.query('ALTER SYSTEM RESET log_min_duration_statement');
  await kiln.client.query('SELECT pg_reload_conf()');
  await new Promise((later) => setTimeout(later, 500));
  return { answer, statements: statementsBetween(readServerLog(kiln), mark) };
}

function readServerLog(kiln) {
  const { stdout } = spawnSync('find', [kiln.dataDir, '-name', '*.log'], { encoding: 'utf8' });
  return stdout
    .trim()
    .split('\n')
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

function statementsBetween(log, mark) {
  const part = log.slice(log.lastIndexOf(`'${mark}-begin'`), log.lastIndexOf(`'${mark}-end'`));
  const entries = part.split(/^\d{4}-\d\d-\d\d [^\n]*?\b(?=(?:LOG|DETAIL|STATEMENT): )/m);
  const statements = [];
  let executed = null;
  for (const entry of entries) {
    const logged = /^LOG: {2}duration: [\d.]+ ms {2}(execute [^:]+|statement|parse [^:]+|bind [^:]+): ([\s\S]+)$/.exec(
      entry,
    );
    if (logged) {
      // Parse and bind have lines of their own; only what is executed counts.
      executed = /^(execute|statement)/.test(logged[1]) ? { sql: logged[2].trim(), values: {} } : null;
      if (executed) statements.push(executed);
    }
    const detail = /^DETAIL: {2}[Pp]arameters: ([\s\S]+)$/.exec(entry);
    if (detail && executed) {
      for (const [, number, value] of detail[1].matchAll(/\$(\d+) = (NULL|'(?:[^']|'')*')/g)) {
        executed.values[number] = value;
      }
    }
  }
  return statements
    .map(({ sql, values }) => sql.replace(/\$(\d+)/g, (_all, number) => values[number] ?? 'NULL').replace(/\s+/g, ' '))
    .filter((sql) => sql !== 'SELECT' && !sql.includes("'bench-"));
}

async function sqlFloor(kiln, statements) {
  if (statements.length === 0) return { rate: Infinity, cpuMs: 0 };
  const pgbench = findPgbench();
  // Inserting the same id twice would fail; what creates takes a fresh one each time.
  const script = statements.map((sql) => `${freshIds(sql)};`).join('\n');
  if (!pgbench) return sqlFloorWithoutPgbench(kiln, script);
  const file = join(work, 'floor.sql');
  writeFileSync(file, script);
  const before = totalCpuMs(kiln.postmaster);
  const { stdout, stderr, status } = spawnSync(
    pgbench,
    ['-n', '-f', file, '-T', String(options.seconds), '-c', '4', '-M', 'prepared', kiln.databaseUrl],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`pgbench failed: ${stderr}\n${script}`);
  const total = Number(/actually processed: (\d+)/.exec(stdout)[1]);
  return { rate: Number(/tps = ([\d.]+)/.exec(stdout)[1]), cpuMs: (totalCpuMs(kiln.postmaster) - before) / total };
}

async function sqlFloorWithoutPgbench(kiln, script) {
  const client = new pg.Client({ connectionString: kiln.databaseUrl });
  await client.connect();
  const before = totalCpuMs(kiln.postmaster);
  let total = 0;
  for (const end = Date.now() + options.seconds * 1000; Date.now() < end; total += 1) await client.query(script);
  await client.end();
  return { rate: total / options.seconds, cpuMs: (totalCpuMs(kiln.postmaster) - before) / total };
}

function freshIds(sql) {
  return /^INSERT INTO images\b/i.test(sql)
    ? sql.replace(/'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'/, 'gen_random_uuid()')
    : sql;
}

function findPgbench() {
  const root = '/usr/lib/postgresql';
  const found = existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin/pgbench')) : [];
  return found.find((path) => existsSync(path));
}

async function benchData(kiln, token) {
  const source = join(work, 'gibibyte');
  await writeRandomFile(source, GIB);
  const id = await createImage(kiln, token, 'gibibyte');
  const floor = timeChild('bench/copy-file.mjs', [source, join(work, 'copy')]);
  rmSync(join(work, 'copy'));
  const up = await timed(kiln, () => put(kiln, token, id, source));
  if (wanted('upload')) addDataRow('upload 1 GiB', up, floor);
  if (wanted('download')) {
    const readFloor = await timeRead(source);
    addDataRow('download 1 GiB', await timed(kiln, () => get(kiln, token, id)), readFloor);
  }
  await fetch(`${kiln.url}/image/v2/images/${id}`, { method: 'DELETE', headers: { 'x-auth-token': token } });
}

function addDataRow(what, real, floor) {
  rows.push({
    what,
    'MiB/s': Math.round(real.rate),
    'cpu s/GiB': round(real.cpuSeconds),
    'floor MiB/s': Math.round(floor.rate),
    'floor cpu s/GiB': round(floor.cpuSeconds),
    'cpu ratio': round(real.cpuSeconds / floor.cpuSeconds),
    'speed ratio': round(floor.rate / real.rate),
  });
  console.log(JSON.stringify(rows.at(-1)));
}

async function writeRandomFile(path, sizeBytes) {
  const block = randomBytes(2 ** 20);
  const stream = createWriteStream(path);
  for (let written = 0; written < sizeBytes; written += block.length) {
    block.writeUInt32LE(written / block.length, 0);
    if (!stream.write(Buffer.from(block))) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'close');
}

async function createImage(kiln, token, name) {
  const reply = await fetch(`${kiln.url}/image/v2/images`, {
    method: 'POST',
    headers: { 'x-auth-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({ name, disk_format: 'raw', container_format: 'bare' }),
  });
  return (await reply.json()).id;
}

function put(kiln, token, id, source) {
  return new Promise((resolve, reject) => {
    const sending = request(
      `${kiln.url}/image/v2/images/${id}/file`,
      {
        method: 'PUT',
        headers: {
          'x-auth-token': token,
          'content-type': 'application/octet-stream',
          'content-length': statSync(source).size,
        },
      },
      (reply) => {
        reply.resume();
        reply.on('end', () =>
          reply.statusCode === 204 ? resolve() : reject(new Error(`upload: ${reply.statusCode}`)),
        );
      },
    );
    sending.on('error', reject);
    createReadStream(source, { highWaterMark: 2 ** 20 }).pipe(sending);
  });
}

function get(kiln, token, id) {
  return new Promise((resolve, reject) => {
    request(`${kiln.url}/image/v2/images/${id}/file`, { headers: { 'x-auth-token': token } }, (reply) => {
      let sizeBytes = 0;
      reply.on('data', (chunk) => (sizeBytes += chunk.length));
      reply.on('end', () => (sizeBytes === GIB ? resolve() : reject(new Error(`download: ${sizeBytes} bytes`))));
    })
      .on('error', reject)
      .end();
  });
}

async function timed(kiln, work_) {
  const cpuBefore = totalCpuMs(kiln.child.pid, kiln.postmaster);
  const started = performance.now();
  await work_();
  return {
    rate: 1024 / ((performance.now() - started) / 1000),
    cpuSeconds: (totalCpuMs(kiln.child.pid, kiln.postmaster) - cpuBefore) / 1000,
  };
}

function timeChild(script, args) {
  const started = performance.now();
  const { stderr } = spawnSync(
    'bash',
    ['-c', `TIMEFORMAT='%U %S'; time "$0" "$@" >/dev/null`, process.execPath, script, ...args],
    {
      encoding: 'utf8',
    },
  );
  const seconds = (performance.now() - started) / 1000;
  const [user, system] = stderr.trim().split('\n').at(-1).split(' ').map(Number);
  return { rate: 1024 / seconds, cpuSeconds: user + system };
}

async function timeRead(source) {
  const started = performance.now();
  const before = process.cpuUsage();
  for await (const chunk of createReadStream(source, { highWaterMark: 2 ** 20 })) void chunk.length;
  const { user, system } = process.cpuUsage(before);
  return { rate: 1024 / ((performance.now() - started) / 1000), cpuSeconds: (user + system) / 1e6 };
}

/** Resident memory of the API while eight uploads of 1 GiB run. */
async function benchMemory(kiln, token) {
  const source = join(work, 'gibibyte');
  if (!existsSync(source)) await writeRandomFile(source, GIB);
  const ids = await Promise.all(Array.from({ length: 8 }, (_unused, n) => createImage(kiln, token, `memory-${n}`)));
  let highest = 0;
  const sampler = setInterval(() => (highest = Math.max(highest, memoryMiB(kiln.child.pid).now)), 200);
  try {
    await Promise.all(ids.map((id) => put(kiln, token, id, source)));
  } finally {
    clearInterval(sampler);
  }
  rows.push({
    what: 'resident memory, 8 uploads of 1 GiB',
    'MiB now': Math.round(highest),
    'MiB peak': Math.round(memoryMiB(kiln.child.pid).peak),
  });
  console.log(JSON.stringify(rows.at(-1)));
}

function report() {
  const lines = [
    `# Benchmark results`,
    '',
    `Node ${process.version}, ${cpus().length} cores, ${options.seconds} s a figure, ${options.connections} connections; load of the machine`,
    `before: ${round(loadBefore)}.`,
  ];
  for (const group of groupByShape(rows)) {
    const columns = Object.keys(group[0]);
    lines.push('', `| ${columns.join(' | ')} |`, `|${columns.map(() => '---').join('|')}|`);
    group.forEach((row) => lines.push(`| ${columns.map((column) => row[column]).join(' | ')} |`));
  }
  const text = `${lines.join('\n')}\n`;
  writeFileSync(new URL('results.md', import.meta.url), text);
  console.log(`\n${text}`);
}

function groupByShape(all) {
  const groups = new Map();
  for (const row of all) {
    const shape = Object.keys(row).join();
    groups.set(shape, [...(groups.get(shape) ?? []), row]);
  }
  return [...groups.values()];
}
