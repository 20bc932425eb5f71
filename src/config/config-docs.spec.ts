import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renderConfigurationPage, renderEnvExample } from './config-docs.js';
import { SETTINGS } from './config.schema.js';

const root = join(import.meta.dirname, '..', '..');

describe('the documentation of settings (written by npm run docs:config)', () => {
  it.each([
    ['.env.example', renderEnvExample],
    ['docs/operations/configuration.md', renderConfigurationPage],
  ])('%s is what the schema says', async (path, render) => {
    expect(await readFile(join(root, path), 'utf8')).toBe(render());
  });

  it('names every setting and shows no secret default', () => {
    const page = renderConfigurationPage();

    for (const setting of Object.values(SETTINGS)) {
      expect(page).toContain(`| \`${setting.name}\` |`);
      if (setting.secret) expect(setting.default).toBeUndefined();
    }
  });
});
