import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../../config/config.js';
import { Actor } from '../actor.js';
import { loadPolicy } from './policy-file.js';

const DEFAULTS = { see: '@', change: 'role:member', change_more: 'rule:change' };
const ann = Actor.user({ id: 'ann', name: 'ann', projectId: 'red', projectName: null, roles: ['reader'] });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-policy-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(text: string) {
  const path = join(folder, 'policy.yaml');
  await writeFile(path, text);
  return loadPolicy(DEFAULTS, path);
}

async function problemsOf(text: string): Promise<readonly string[]> {
  try {
    await load(text);
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map((problem) => problem.replace(`${folder}/`, ''));
  }
}

describe('a policy file', () => {
  it.each([
    ['YAML', '# for guests\n"change": "role:reader"\n'],
    ['JSON', '{"change": "role:reader"}'],
  ])('may be %s', async (_name, text) => {
    expect((await load(text)).allows('change_more', ann)).toBe(true);
  });

  it.each([
    ['empty', ''],
    ['only comments', '# "change": "!"\n'],
  ])('that is %s changes nothing', async (_name, text) => {
    expect((await load(text)).isChanged('change')).toBe(false);
  });

  it('is refused with every problem and its line', async () => {
    expect(await problemsOf('see: "role"\n\nchange: [a]\nchange_more: "rule:nothing"\nchangee: "!"\n7: "!"\n')).toEqual(
      [
        'policy.yaml: line 3: change: must be a check string; put it in quotes',
        'policy.yaml: line 6: the name of a rule must be a text',
        expect.stringContaining('policy.yaml: line 1: '),
        "policy.yaml: line 4: change_more: at character 1: there is no rule 'nothing'",
        'policy.yaml: line 5: changee: there is no such rule, and no other rule refers to it',
      ],
    );
  });

  it.each([
    ['a list', '- see', 'must be a map of rule names to check strings'],
    ['no YAML', 'see: "a', 'line 1: '],
    ['saying a thing twice', 'see: "@"\nsee: "!"', 'Map keys must be unique'],
  ])('is refused when it is %s', async (_name, text, problem) => {
    expect(await problemsOf(text)).toEqual([expect.stringContaining(problem)]);
  });

  it('must be there', () => {
    expect(() => loadPolicy(DEFAULTS, join(folder, 'nowhere'))).toThrow(ConfigError);
  });
});
