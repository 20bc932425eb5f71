import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts', '**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '^.+\\.ts$': '@swc/jest' },
  // Ends what hangs; on a busy machine a process takes its time to start.
  testTimeout: 180_000,
  reporters: ['default', '<rootDir>/test/support/reporter.mjs'],
  // Module graphs of ES modules stay in a worker until it ends.
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB',
  // A worker with many module graphs takes a while to end on a busy machine; one that has left something open never does.
  workerGracefulExitTimeout: 15_000,
  cacheDirectory: cacheDirectory(),
};

/** Kept between runs, each of which has a temporary directory of its own. */
function cacheDirectory() {
  const modules = join(import.meta.dirname, 'node_modules');
  try {
    accessSync(modules, constants.W_OK);
    return join(modules, '.cache', 'jest');
  } catch {
    return join(tmpdir(), 'kiln-jest');
  }
}
