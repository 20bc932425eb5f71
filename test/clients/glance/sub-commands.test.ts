import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describeWith } from '../../support/programs.js';

const run = promisify(execFile);

/** Sub-commands that no test drives, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  help: 'asks no server',
  'bash-completion': 'asks no server',
};

/** What the tests beside this one say, as one text of words: `'image', 'add', 'project'` is `image add project`. */
async function drivenWords(): Promise<string> {
  const folder = import.meta.dirname;
  const files = (await readdir(folder)).filter((name) => name.endsWith('.test.ts') && name !== 'sub-commands.test.ts');
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  return texts
    .join('\n')
    .replaceAll(/',\s*'/g, ' ')
    .replaceAll(/['"`]/g, ' | ');
}

const missingFrom = (driven: string, commands: readonly string[]): string[] =>
  commands.filter((command) => !(command in EXCEPTIONS) && !new RegExp(`\\b${command}(?![-\\w])`).test(driven));

describeWith(['glance', 'openstack'], 'the sub-commands of the clients', () => {
  it('are all driven by a test: glance', async () => {
    const { stdout } = await run('glance', ['help']);
    const commands = [...stdout.matchAll(/^ {4}([a-z][a-z-]+)/gm)].map(([, command]) => command!);

    expect(commands.length).toBeGreaterThan(40);
    expect(missingFrom(await drivenWords(), commands)).toEqual([]);
  }, 300_000);

  it('are all driven by a test: openstack image', async () => {
    const { stdout } = await run('openstack', ['help', 'image']).catch((failure) => failure as { stdout: string });
    const commands = [...stdout.matchAll(/^ {2}(image [a-z ]+)$/gm)].map(([, command]) => command!.trim());

    expect(commands.length).toBeGreaterThan(8);
    expect(missingFrom(await drivenWords(), [...new Set(commands)])).toEqual([]);
  }, 300_000);
});
