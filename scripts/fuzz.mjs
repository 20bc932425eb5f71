#!/usr/bin/env node
// `npm run fuzz`: many bad requests to every route of every face.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib/project.mjs';

const USAGE = `Usage: npm run fuzz [-- [--requests N] [--seed N]]

Starts Kiln in a temporary folder and sends it N bad requests (default: 20000) to every route of every face. Fails if one
is answered with a failure of the server, or not at all, or if anything is not as it was afterwards. The same seed
(default: 1) makes the same requests.
`;

function readOptions() {
  const number = { type: 'string' };
  const { values } = parseArgs({ options: { requests: number, seed: number, help: { type: 'boolean' } } });
  for (const name of ['requests', 'seed']) {
    if (values[name] !== undefined && !/^\d{1,9}$/.test(values[name])) throw new Error(`--${name} must be a number`);
  }
  return { requests: '20000', seed: '1', ...values };
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
  const tests = spawn(process.execPath, [join(root, 'scripts', 'test.mjs'), 'test/fuzz'], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, KILN_TEST_FUZZ_REQUESTS: options.requests, KILN_TEST_SEED: options.seed },
  });
  // The tests end what they started; this process only has to wait for that.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => tests.kill(signal));
  tests.on('exit', (code) => (process.exitCode = code ?? 1));
}
