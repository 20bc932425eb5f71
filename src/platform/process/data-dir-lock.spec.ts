import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataDir } from './data-dir-lock.js';

describe('lockDataDir', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln lock-'));
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    await rm(folder, { recursive: true, force: true });
  });

  /** A process that could hold a lock, and the claim it would have made. */
  async function otherHolder(): Promise<{ child: ChildProcess; claim: string }> {
    const child = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1000)']);
    children.push(child);
    await once(child.stdout, 'data');
    const probe = await mkdtemp(join(tmpdir(), 'kiln-lock-probe-'));
    const lock = await lockDataDir(probe);
    const [own] = await readdir(probe);
    await lock.release();
    await rm(probe, { recursive: true });
    // The child's start time is read the way its own lockDataDir would read it: through a claim named after it.
    const boot = own!.split('.').at(-1)!.split('-')[0];
    const stat = await readFile(`/proc/${child.pid}/stat`, 'latin1');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return { child, claim: `kiln.lock.${child.pid}.${boot}-${started}` };
  }

  it('makes the folder and leaves nothing behind when released', async () => {
    const inner = join(folder, 'a', 'b');

    const lock = await lockDataDir(inner);
    await lock.release();
    await lock.release();

    expect(await readdir(inner)).toEqual([]);
  });

  it('refuses a folder that is held and names the process', async () => {
    const { child, claim } = await otherHolder();
    await writeFile(join(folder, claim), '');

    await expect(lockDataDir(folder)).rejects.toThrow(
      `${folder} is in use by another Kiln (process ${child.pid}): stop that one, or set another KILN_DATA_DIR`,
    );

    expect(await readdir(folder)).toEqual([claim]);
  });

  it('refuses a second lock of the same process', async () => {
    const lock = await lockDataDir(folder);

    await expect(lockDataDir(folder)).rejects.toMatchObject({ name: 'DataDirLockedError', pid: process.pid });

    await lock.release();
  });

  it('takes over from a process that was killed', async () => {
    const { child, claim } = await otherHolder();
    await writeFile(join(folder, claim), '');
    child.kill('SIGKILL');
    await once(child, 'exit');

    const lock = await lockDataDir(folder);

    expect(await readdir(folder)).not.toContain(claim);
    await lock.release();
  });

  it('does not trust a process id that was given out again', async () => {
    const { child } = await otherHolder();
    await writeFile(join(folder, `kiln.lock.${child.pid}.00000000-1`), '');

    const lock = await lockDataDir(folder);

    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });
});
