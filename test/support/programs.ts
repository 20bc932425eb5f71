import { describe } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// Daemons live in sbin, which the PATH of an ordinary user may leave out.
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];

/** Where a system program is, or undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.filter(Boolean)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A Python that has a library: the first one on the path may be another than the system's. Undefined if none has. */
export function findPythonWith(library: string): string | undefined {
  return [findProgram('python3'), '/usr/bin/python3'].find((path) => {
    try {
      execFileSync(path ?? 'python3', ['-c', `import ${library}`], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * A `describe` whose tests need system programs. Where one is missing the tests are skipped, and their names say what
 * they need: `npm test` lists them with the command that installs it.
 */
export function describeWith(programs: readonly string[], name: string, tests: () => void): void {
  const missing = programs.filter((program) => findProgram(program) === undefined);
  if (missing.length === 0) describe(name, tests);
  else describe.skip(`${name} [needs ${missing.join(', ')}]`, tests);
}
