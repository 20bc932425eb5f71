#!/usr/bin/env node
// `npm test`: everything the tests need is set up here, and gone afterwards.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeVersionProblem } from './lib/node-version.mjs';
import { ensureBuild, ensureDependencies, root, StepFailed } from './lib/project.mjs';
import { endProcessesBelow, removeRelocatedClusters } from './lib/leftovers.mjs';

/** More than these do not fail by chance. */
const AGAIN_AT_MOST = 3;

const USAGE = `Usage: npm test [-- [--unit] [jest options and patterns]]

  --unit    only the specs beside the sources; needs neither a build nor a database

When all tests run and up to ${AGAIN_AT_MOST} files fail, these run once more, by themselves: a test of timing or of somebody else's
server may fail on a busy machine. What passes then is named at the end; what fails again has failed.

KILN_TEST_DATABASE_URL names a PostgreSQL to use (its role must be allowed to create databases); without it an
embedded one runs for the time of the tests.
`;

const say = (message) => process.stdout.write(`${message}\n`);

/** Undone in reverse order, whatever happens. */
const cleanups = [];
let interruptedBy;
let interruptedAt;
let jest;

async function test(args) {
  const unit = args.includes('--unit');
  const jestArgs = args.filter((arg) => arg !== '--unit');
  const problem = nodeVersionProblem();
  if (problem) throw new StepFailed(problem);
  await ensureDependencies(say);

  const folder = await makeRunFolder();
  const summaryFile = join(folder, 'summary.json');
  const env = { ...process.env, KILN_TEST_SUMMARY: summaryFile, TMPDIR: join(folder, 'tmp') };
  // A setting of the person who tests must not change what is tested.
  for (const name of Object.keys(env)) if (name.startsWith('KILN_') && !name.startsWith('KILN_TEST_')) delete env[name];
  if (unit) {
    jestArgs.push(`--roots=${join(root, 'src')}`);
  } else {
    await ensureBuild(say);
    Object.assign(env, await prepareDatabase(folder));
  }
  if (!interruptedBy) await runJest(jestArgs, env);
  const left = interruptedBy ? [] : await endProcessesBelow(env.TMPDIR, { patienceMs: 5_000 });
  const summary = await readSummary(summaryFile);
  if (jestArgs.length === 0) left.push(...(await runFailedAgain(summary, summaryFile, env)));
  const counts = countsOf(summary);
  if (left.length > 0) {
    counts.failed += 1;
    say(`\nThe tests left processes running (now ended):\n${left.map((line) => `  ${line}`).join('\n')}`);
  }
  return counts;
}

/** Also the tests' TMPDIR: what a test leaves there goes with it, and what still runs there is found by it. */
async function makeRunFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-test-'));
  // As root the database runs under an account that must pass through here.
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'tmp'));
  await chmod(join(folder, 'tmp'), 0o1777);
  cleanups.push(async () => {
    await endProcessesBelow(folder, { patienceMs: 0 });
    await removeRelocatedClusters(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  return folder;
}

async function prepareDatabase(folder) {
  const compiled = (path) => import(pathToFileURL(join(root, 'dist', 'src', 'platform', 'database', path)).href);
  const { startEmbeddedPostgres } = await compiled('embedded-postgres.js');
  const { migrate } = await compiled('migrate.js');
  let server = process.env.KILN_TEST_DATABASE_URL;
  if (!server) {
    const embedded = await startEmbeddedPostgres({
      dataDir: join(folder, 'database'),
      // Nobody will miss this data after a power failure.
      settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
    });
    cleanups.push(() => embedded.stop());
    server = embedded.url;
  }
  const template = `kiln_test_${randomBytes(4).toString('hex')}`;
  const url = new URL(server);
  url.pathname = `/${template}`;
  await withClient(server, (client) => client.query(`CREATE DATABASE ${template} TEMPLATE template0`));
  cleanups.push(() => withClient(server, (client) => dropDatabases(client, template)));
  await migrate(url.href);
  return { KILN_TEST_DATABASE_URL: server, KILN_TEST_TEMPLATE: template };
}

async function dropDatabases(client, prefix) {
  const { rows } = await client.query(`SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, [prefix]);
  for (const { datname } of rows) await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`);
}

async function withClient(url, use) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function runJest(args, env) {
  // As options, not as NODE_OPTIONS: the programs that tests start are not to inherit them.
  const options = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', '--max-old-space-size=2048'];
  jest = spawn(process.execPath, [...options, join(root, 'node_modules', 'jest', 'bin', 'jest.js'), ...args], {
    cwd: root,
    env,
    stdio: 'inherit',
    // A process group of its own, so that an interrupt ends the workers and what they started, once.
    detached: true,
  });
  await new Promise((resolve, reject) => jest.once('close', resolve).once('error', reject));
}

async function readSummary(path) {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  // Jest ended before it had anything to count: a mistake in an option or in its configuration.
  return text === undefined ? { files: {}, interrupted: false } : JSON.parse(text);
}

/**
 * Puts what a few failed files did in a second run in the place of what they did in the first.
 * @returns the processes that they left
 */
async function runFailedAgain(summary, summaryFile, env) {
  const failed = Object.keys(summary.files).filter((file) => summary.files[file].failed > 0);
  if (failed.length === 0 || failed.length > AGAIN_AT_MOST || interruptedBy || summary.interrupted) return [];
  say(`\nOnce more, by themselves:\n${failed.map((file) => `  ${file}`).join('\n')}\n`);
  await rm(summaryFile, { force: true });
  await runJest(['--runInBand', '--runTestsByPath', ...failed], env);
  const again = await readSummary(summaryFile);
  Object.assign(summary.files, again.files);
  summary.interrupted = again.interrupted;
  const passed = failed.filter((file) => again.files[file]?.failed === 0);
  if (passed.length > 0) {
    say(`\nFailed beside others, and passed by themselves:\n${passed.map((file) => `  ${file}`).join('\n')}`);
  }
  return interruptedBy ? [] : endProcessesBelow(env.TMPDIR, { patienceMs: 5_000 });
}

function countsOf({ files, interrupted }) {
  const total = (kind) => Object.values(files).reduce((sum, file) => sum + file[kind], 0);
  return { passed: total('passed'), failed: total('failed'), skipped: total('skipped'), interrupted };
}

/** In a terminal Ctrl-C reaches this process only, because Jest has its own group; whoever insists gets SIGKILL. */
function interrupt(signal) {
  // npm passes the terminal's signal on, so one Ctrl-C arrives here twice.
  if (interruptedAt !== undefined && Date.now() - interruptedAt < 1_000) return;
  const insist = interruptedBy !== undefined;
  interruptedBy ??= signal;
  interruptedAt ??= Date.now();
  if (!jest || jest.exitCode !== null || jest.signalCode !== null) return;
  const end = (how) => {
    try {
      process.kill(-jest.pid, how);
    } catch {
      // Gone already.
    }
  };
  end(insist ? 'SIGKILL' : signal);
  setTimeout(() => end('SIGKILL'), 10_000).unref();
}

async function cleanUp() {
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup().catch((error) => process.stderr.write(`while cleaning up: ${error.message}\n`));
  }
}

async function main() {
  const args = process.argv.slice(2);
  if (args.includes('--help')) return process.stdout.write(USAGE);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => interrupt(signal));
  let counts;
  try {
    counts = await test(args);
  } catch (error) {
    process.stderr.write(`${error instanceof StepFailed ? error.message : (error.stack ?? error)}\n`);
    counts = { passed: 0, failed: 1, skipped: 0 };
  }
  await cleanUp();
  // Pipes are written asynchronously; nothing may follow the last line.
  await delay(50);
  const ranNothing = counts.passed + counts.failed === 0;
  if (ranNothing && !interruptedBy) say('No test ran.');
  if (interruptedBy) say(`Interrupted by ${interruptedBy}.`);
  process.exitCode = interruptedBy ? 130 : counts.failed > 0 || counts.interrupted || ranNothing ? 1 : 0;
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
}

await main();
