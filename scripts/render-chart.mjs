#!/usr/bin/env node
// Writes deploy/rendered/kiln.yaml: what the chart makes of its default values. Needs helm.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './lib/project.mjs';

if (process.argv.includes('--help')) {
  process.stdout.write(
    'Usage: npm run deploy:render\n\nWrites deploy/rendered/kiln.yaml from deploy/helm/kiln. Needs helm.\n',
  );
} else {
  const target = join(root, 'deploy', 'rendered', 'kiln.yaml');
  const args = ['template', 'kiln', join(root, 'deploy', 'helm', 'kiln'), '--namespace', 'kiln'];
  // As on a cluster of today; whatever helm is told by itself differs from release to release.
  args.push('--api-versions', 'policy/v1/PodDisruptionBudget');
  const { stdout } = await promisify(execFile)('helm', args, { maxBuffer: 2 ** 24 });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, stdout);
  process.stdout.write('deploy/rendered/kiln.yaml\n');
}
