import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { RunningKiln } from './kiln.js';

/** A folder may go between the look at its parent and the look into it; not as often as this in a row. */
const LOOKS = 20;

/** Keys of the objects in a Kiln's own store. What is not finished is none, and lies below `.tmp`. */
export async function storedObjects({ dataDir }: Pick<RunningKiln, 'dataDir'>): Promise<string[]> {
  const root = join(dataDir, 'objects');
  for (let looks = 1; ; looks += 1) {
    try {
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('.tmp'))
        .map((entry) => relative(root, join(entry.parentPath, entry.name)))
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || looks === LOOKS) throw error;
    }
  }
}
