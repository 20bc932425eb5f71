import { readdir, readFile, readlink, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Ends every process that was started with a TMPDIR in `folder` or works in a folder below it (an embedded PostgreSQL).
 * Where there is no /proc nothing is found.
 *
 * @param {{ patienceMs: number }} options how long they may take to end by themselves first
 * @returns {Promise<string[]>} one line for each process that did not
 */
export async function endProcessesBelow(folder, { patienceMs }) {
  const deadline = Date.now() + patienceMs;
  let left = await processesBelow(folder);
  while (left.length > 0 && Date.now() < deadline) {
    await delay(100);
    left = await processesBelow(folder);
  }
  for (const signal of ['SIGINT', 'SIGKILL']) {
    for (const { pid } of await processesBelow(folder)) {
      try {
        process.kill(pid, signal);
      } catch {
        // Gone already.
      }
    }
    const soon = Date.now() + 5_000;
    while (Date.now() < soon && (await processesBelow(folder)).length > 0) await delay(100);
  }
  return left.map(({ pid, command }) => `${pid} ${command}`);
}

async function processesBelow(folder) {
  const entries = await readdir('/proc').catch(() => []);
  const found = await Promise.all(
    entries
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .map(async (name) => {
        const at = join('/proc', name);
        const workingFolder = await readlink(join(at, 'cwd')).catch(() => '');
        const environment = await readFile(join(at, 'environ'), 'latin1').catch(() => '');
        const belongs =
          workingFolder === folder ||
          workingFolder.startsWith(`${folder}/`) ||
          environment
            .split('\0')
            .some((entry) => entry === `TMPDIR=${folder}` || entry.startsWith(`TMPDIR=${folder}/`));
        if (!belongs) return undefined;
        const command = (await readFile(join(at, 'cmdline'), 'latin1').catch(() => '')).replaceAll('\0', ' ').trim();
        return { pid: Number(name), command };
      }),
  );
  return found.filter(Boolean);
}

/** A PostgreSQL whose account could not enter its data folder lies elsewhere, and the data folder says where. */
export async function removeRelocatedClusters(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory()) continue;
    const path = join(folder, entry.name);
    if (entry.name === 'postgres') {
      const pointer = await readFile(join(path, 'location.json'), 'utf8').catch(() => undefined);
      if (pointer === undefined) continue;
      const { location } = JSON.parse(pointer);
      if (!/\/kiln\/postgres-[0-9a-f]{16}$/.test(location)) continue;
      await rm(location, { recursive: true, force: true });
      await rm(`${location}.new`, { recursive: true, force: true });
    } else {
      await removeRelocatedClusters(path);
    }
  }
}
