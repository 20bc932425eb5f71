#!/usr/bin/env node
// Writes .env.example and docs/operations/configuration.md from the schema of settings.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuild, ensureDependencies, root } from './lib/project.mjs';

if (process.argv.includes('--help')) {
  process.stdout.write('Usage: npm run docs:config\n\nWrites .env.example and docs/operations/configuration.md.\n');
} else {
  await ensureDependencies(console.log);
  await ensureBuild(console.log);
  const docs = await import(pathToFileURL(join(root, 'dist', 'src', 'config', 'config-docs.js')).href);
  for (const [path, text] of [
    ['.env.example', docs.renderEnvExample()],
    ['docs/operations/configuration.md', docs.renderConfigurationPage()],
  ]) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    process.stdout.write(`${path}\n`);
  }
}
