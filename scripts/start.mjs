#!/usr/bin/env node
// `npm start`: from a fresh clone to a running Kiln with nothing but Node and npm. No dependencies here: there may be none yet.
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { nodeVersionProblem } from './lib/node-version.mjs';
import { ensureBuild, ensureDependencies, root, StepFailed } from './lib/project.mjs';

const USAGE = `Usage: npm start

Installs dependencies and builds when they are missing or stale, then runs Kiln in the foreground until Ctrl-C.
Settings are environment variables: docs/operations/configuration.md lists them.
`;

const say = (message) => process.stdout.write(`kiln: ${message}\n`);

async function start() {
  if (process.argv.includes('--help')) return process.stdout.write(USAGE);
  const problem = nodeVersionProblem();
  if (problem) throw new StepFailed(problem);
  await ensureDependencies(say);
  await ensureBuild(say);
  // Relative settings (KILN_DATA_DIR) mean the same wherever this script is called from.
  process.chdir(root);
  const main = join(root, 'dist', 'src', 'main.js');
  process.argv.splice(1, 1, main);
  // In this process, not in a child: signals and the exit status need no forwarding, and there is nothing to orphan.
  await import(pathToFileURL(main).href);
}

start().catch((error) => {
  process.stderr.write(`kiln: ${error instanceof StepFailed ? error.message : (error?.stack ?? error)}\n`);
  process.exitCode = 1;
});
