#!/usr/bin/env node
// Installs the dependencies when they are missing or stale, as `npm start` and `npm test` do before anything else.
import { nodeVersionProblem } from './lib/node-version.mjs';
import { ensureDependencies, StepFailed } from './lib/project.mjs';

if (process.argv.includes('--help')) {
  process.stdout.write(
    'Usage: node scripts/install.mjs\n\nRuns npm ci unless node_modules is what package-lock.json says.\n',
  );
} else {
  try {
    const problem = nodeVersionProblem();
    if (problem) throw new StepFailed(problem);
    await ensureDependencies(console.log);
  } catch (error) {
    process.stderr.write(`${error instanceof StepFailed ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}
