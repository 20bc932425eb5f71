#!/usr/bin/env node
// `npm run crash`: many builds, in each of which something is killed.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib/project.mjs';

const USAGE = `Usage: npm run crash [-- [--runs N] [--kiwi N] [--seed N]]

Runs N short builds and customizations (default: 100). In each of them the builder program, the worker, the API or Redis is
killed when a phase begins; the job must end, its image must be whole, and no process, mount, folder, object or
reservation may be left. After these come N builds with the real kiwi-ng (default: 0; five meet every phase, twenty every
crash in each of them). The seed (default: 1) decides the order.

Needs packer, squashfs-tools, bubblewrap, openssh-server, openssh-client and redis-server, and with --kiwi what builds of
kiwi-ng need: npm run setup:debian.
`;

function readOptions() {
  const number = { type: 'string' };
  const { values } = parseArgs({ options: { runs: number, kiwi: number, seed: number, help: { type: 'boolean' } } });
  for (const name of ['runs', 'kiwi', 'seed']) {
    if (values[name] !== undefined && !/^\d{1,9}$/.test(values[name])) throw new Error(`--${name} must be a number`);
  }
  return { runs: '100', kiwi: '0', seed: '1', ...values };
}

let options;
try {
  options = readOptions();
} catch (error) {
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exit(2);
}
if (options.help) {
  process.stdout.write(USAGE);
} else {
  const tests = spawn(process.execPath, [join(root, 'scripts', 'test.mjs'), 'test/integration/crashes/killed-builds'], {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      KILN_TEST_CRASH_RUNS: options.runs,
      KILN_TEST_CRASH_KIWI_RUNS: options.kiwi,
      KILN_TEST_CRASH_SEED: options.seed,
    },
  });
  // The tests end what they started; this process only has to wait for that.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => tests.kill(signal));
  tests.on('exit', (code) => (process.exitCode = code ?? 1));
}
