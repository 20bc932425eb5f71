import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, readFile, readdir, readlink, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRoot, ROOTS_FIRST_ID } from './host.js';

/** Of what a command says, at most. */
const MAX_TEXT = 4_096;

/** How often a living execution says so, and after which silence one of another host or container counts as dead. */
const HEARTBEAT_MS = 30_000;
const SILENCE_MS = 10 * HEARTBEAT_MS;

/** Folders of executions which this process still runs. */
const active = new Set<string>();

/** Who owns a work folder; kept in it so that another process can tell whether the owner still lives. */
interface Ownership {
  readonly jobId: string;
  readonly attempt: number;
  /** Stands in the command line of every process of the execution. */
  readonly token: string;
  readonly bootId: string;
  /** Process ids mean something only within their PID namespace. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Clock ticks after boot; tells a process from a later one with the same id. */
  readonly startTime: string;
}

/**
 * The files of one execution. The folder itself belongs to Kiln; `work` (bound as /job), `out` and the two for
 * temporary files belong to the sandbox's root, so what runs in there can never replace what the host opens by name.
 */
export class WorkFolder {
  private constructor(
    readonly path: string,
    readonly token: string,
    private readonly heartbeat: NodeJS.Timeout,
  ) {}

  readonly archive = () => join(this.path, 'recipe.tar');
  readonly etc = () => join(this.path, 'etc');
  readonly programs = () => join(this.path, 'programs');
  readonly work = () => join(this.path, 'work');
  readonly out = () => join(this.path, 'out');
  readonly tmp = () => join(this.path, 'tmp');
  readonly varTmp = () => join(this.path, 'var-tmp');

  static async create(buildsDir: string, jobId: string, attempt: number): Promise<WorkFolder> {
    const path = join(buildsDir, `${jobId}-${attempt}`);
    await mkdir(buildsDir, { recursive: true, mode: 0o700 });
    // Somebody else's folder of the same name is an error: executions never meet each other's files.
    await mkdir(path, { mode: 0o700 });
    active.add(path);
    const token = randomUUID();
    const owner: Ownership = { jobId, attempt, token, ...(await thisProcess()) };
    const record = join(path, 'owner.json');
    await writeFile(record, JSON.stringify(owner));
    const heartbeat = setInterval(() => {
      const now = new Date();
      utimes(record, now, now).catch(() => undefined);
    }, HEARTBEAT_MS).unref();
    const folder = new WorkFolder(path, token, heartbeat);
    for (const below of [folder.etc(), folder.programs()]) await makeOpenFolder(below);
    for (const below of [folder.work(), folder.out(), folder.tmp(), folder.varTmp()]) {
      await makeOpenFolder(below);
      if (isRoot()) await chown(below, ROOTS_FIRST_ID, ROOTS_FIRST_ID);
    }
    return folder;
  }

  /** Ends whatever still runs and removes everything. Safe to call twice. */
  async remove(): Promise<void> {
    clearInterval(this.heartbeat);
    try {
      await removeExecution(this.path, this.token);
    } finally {
      active.delete(this.path);
    }
  }

  /** Bytes on disk, files of the namespace's other users included; null: they could not be counted. */
  async usedBytes(): Promise<number | null> {
    // du complains (and ends with 1) about files that vanish under it, which is what a build does all the time.
    const counted = await runInNamespace('du', '-sx', '--block-size=1', this.path).catch(() => null);
    const bytes = Number.parseInt(counted?.stdout ?? '', 10);
    return Number.isNaN(bytes) ? null : bytes;
  }
}

/** The folder above is closed to others; the sandbox's root, another user of the host, must get in, whatever the umask. */
export async function makeOpenFolder(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, 0o755);
}

/**
 * Removes what executions of dead processes left in `buildsDir`. One that cannot be removed keeps none of the others.
 *
 * @returns the names of the folders removed
 * @throws the first failure, after the last folder
 */
export async function sweepWorkFolders(buildsDir: string): Promise<string[]> {
  const names = await readdir(buildsDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const removed: string[] = [];
  const failures: unknown[] = [];
  for (const name of names) {
    const path = join(buildsDir, name);
    try {
      const owner = await readOwner(path);
      if (await isAlive(path, owner)) continue;
      await removeExecution(path, owner?.token);
      removed.push(name);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return removed;
}

/** Removes the folder of one execution whose process has ended, if there is one. */
export async function removeWorkFolder(buildsDir: string, jobId: string, attempt: number): Promise<void> {
  const path = join(buildsDir, `${jobId}-${attempt}`);
  const owner = await readOwner(path);
  if (owner && !(await isAlive(path, owner))) await removeExecution(path, owner.token);
}

async function readOwner(path: string): Promise<Ownership | undefined> {
  try {
    return JSON.parse(await readFile(join(path, 'owner.json'), 'utf8')) as Ownership;
  } catch {
    return undefined;
  }
}

async function isAlive(path: string, owner: Ownership | undefined): Promise<boolean> {
  if (active.has(path)) return true;
  const self = await thisProcess();
  if (owner && owner.bootId === self.bootId && owner.pidNamespace === self.pidNamespace) {
    return owner.pid !== self.pid && (await startTimeOf(owner.pid)) === owner.startTime;
  }
  // Another host on the same disk, another container, or no record yet: only silence proves that its owner is gone.
  const seen = await stat(owner ? join(path, 'owner.json') : path).catch(() => undefined);
  return seen !== undefined && Date.now() - seen.mtimeMs < SILENCE_MS;
}

async function thisProcess(): Promise<Pick<Ownership, 'bootId' | 'pidNamespace' | 'pid' | 'startTime'>> {
  return {
    bootId: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    pidNamespace: await readlink('/proc/self/ns/pid'),
    pid: process.pid,
    startTime: (await startTimeOf(process.pid)) ?? '',
  };
}

/** Field 22 of /proc/PID/stat; undefined when there is no such process, or it is only waiting to be reaped. */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may itself hold anything.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Mounts live in the namespaces of the processes, so they go with them. */
async function removeExecution(path: string, token: string | undefined): Promise<void> {
  for (let round = 0; token !== undefined && round < 100; round++) {
    const left = await processesWith(token);
    if (left.length === 0) break;
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Ended by itself meanwhile.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // Not by Node: it has a full path for each file, so the depth of folders would be limited and each file cost memory.
  const { status, stderr } = await runInNamespace('rm', '-rf', '--one-file-system', '--', path);
  if (status !== 0) throw new Error(`${path} could not be removed: ${stderr.trim().split('\n').at(-1)}`);
}

async function processesWith(token: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    // Zombies have an empty command line, so they do not count.
    const commandLine = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes(token)) found.push(Number(name));
  }
  return found;
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command with rights over the files of a build: root's own, or those of the ordinary user's namespace, which may
 * neither remove files of the other ids nor look into their folders by itself. A command may say however much.
 */
function runInNamespace(...command: string[]): Promise<Ended> {
  const enter = isRoot() ? [] : ['unshare', '--user', '--map-root-user', '--map-auto', '--'];
  const [program, ...args] = [...enter, ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (said.stdout = (said.stdout + String(chunk)).slice(0, MAX_TEXT)));
    child.stderr.on('data', (chunk: Buffer) => (said.stderr = (said.stderr + String(chunk)).slice(-MAX_TEXT)));
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, ...said }));
  });
}
