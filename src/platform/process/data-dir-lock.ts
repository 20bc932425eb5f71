import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Another process uses the data folder. */
export class DataDirLockedError extends Error {
  constructor(
    readonly dataDir: string,
    readonly pid: number,
  ) {
    super(`${dataDir} is in use by another Kiln (process ${pid}): stop that one, or set another KILN_DATA_DIR`);
    this.name = 'DataDirLockedError';
  }
}

/** A claim on a data folder. */
export interface DataDirLock {
  /** Lets the next one in. Safe to call twice. */
  release(): Promise<void>;
}

const PREFIX = 'kiln.lock.';
const ATTEMPTS = 3;

/**
 * Claims a data folder for this process, and makes it if missing. What a killed process left is taken over: a claim
 * names its process by id and start time, so an id that was given out again holds nothing. Processes in other
 * containers or machines are not seen.
 *
 * Every process makes a claim file of its own and then looks for those of others: whichever of two comes second sees
 * the first one's. Nobody ever removes the claim of a living process, so there is no take-over to race for.
 *
 * @throws DataDirLockedError if a living process holds it, this one included
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const folder = resolve(dataDir);
  await mkdir(folder, { recursive: true, mode: 0o711 });
  const mine = claimOf(process.pid, startTimeOf(process.pid) ?? 'unknown');
  for (let attempt = 1; ; attempt++) {
    await claim(folder, mine);
    const other = await findOther(folder, mine);
    if (other === undefined) return { release: () => rm(join(folder, mine), { force: true }) };
    await rm(join(folder, mine), { force: true });
    if (attempt === ATTEMPTS) throw new DataDirLockedError(folder, other);
    // Two that start at the same instant see each other and both step back; they rarely do so three times.
    await delay(50 + Math.random() * 200);
  }
}

async function claim(folder: string, name: string): Promise<void> {
  try {
    await (await open(join(folder, name), 'wx', 0o644)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new DataDirLockedError(folder, process.pid);
    throw error;
  }
}

/** @returns the process that holds the folder; claims of the dead are removed on the way */
async function findOther(folder: string, mine: string): Promise<number | undefined> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(PREFIX) || name === mine) continue;
    const [pid, startedAt] = name.slice(PREFIX.length).split('.', 2);
    if (isAlive(Number(pid), startedAt)) return Number(pid);
    await rm(join(folder, name), { force: true });
  }
  return undefined;
}

function claimOf(pid: number, startedAt: string): string {
  return `${PREFIX}${pid}.${startedAt}`;
}

function isAlive(pid: number, startedAt: string | undefined): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startTimeOf(pid);
  // Alive but hidden from us (/proc mounted with hidepid): better refuse than share a data folder.
  return now === undefined || now === startedAt;
}

/** Differs between two processes that have the same id one after the other, also across a reboot. */
function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') {
      const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
      return started.replace(/\W+/g, '') || undefined;
    }
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name, in parentheses, and may hold anything; field 22 is the start time.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || started === undefined) return 'ended';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8)}-${started}`;
  } catch {
    return undefined;
  }
}
