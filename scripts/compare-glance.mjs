#!/usr/bin/env node
// `npm run compare:glance`: the same generated requests to a real Glance and to Kiln.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib/project.mjs';

const USAGE = `Usage: npm run compare:glance [-- [--requests N] [--seed N]]

Starts Glance, Keystone and Kiln on this machine, in temporary folders, sends N generated requests (default: 2000) to
both, and tells what they answered differently. Fails for a difference that test/compare/glance/known-differences.ts
does not list. The same seed (default: 1) makes the same requests.

Needs glance-api and keystone: npm run setup:debian.
`;

function readOptions() {
  const number = { type: 'string' };
  const { values } = parseArgs({ options: { requests: number, seed: number, help: { type: 'boolean' } } });
  for (const name of ['requests', 'seed']) {
    if (values[name] !== undefined && !/^\d{1,9}$/.test(values[name])) throw new Error(`--${name} must be a number`);
  }
  return { requests: '2000', seed: '1', ...values };
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
  const tests = spawn(process.execPath, [join(root, 'scripts', 'test.mjs'), 'test/compare/glance'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, KILN_TEST_COMPARE_REQUESTS: options.requests, KILN_TEST_COMPARE_SEED: options.seed },
  });
  // The tests end what they started; this process only has to wait for that.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => tests.kill(signal));
  tests.on('exit', (code) => (process.exitCode = code ?? 1));
}
