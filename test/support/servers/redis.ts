import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { eventually } from '../eventually.js';
import { freePort } from '../ports.js';
import { findProgram } from '../programs.js';

/** A Redis of a test file's own; keeps nothing on disk. */
export interface TestRedis {
  readonly url: string;
  /** Kills it, with all that it holds, and starts an empty one in its place. */
  restart(): Promise<TestRedis>;
  stop(): Promise<void>;
}

/** Needs `redis-server`; see `describeWith`. */
export async function startRedis(port?: number): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-redis-'));
  port ??= await freePort();
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const server = spawn(findProgram('redis-server')!, options, { stdio: 'ignore' });
  const exited = once(server, 'exit');
  const url = `redis://127.0.0.1:${port}`;
  const probe = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  probe.on('error', () => undefined);
  await eventually(async () => (await probe.ping()) === 'PONG');
  probe.disconnect();
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    server.kill(signal);
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  return {
    url,
    restart: async () => {
      await end('SIGKILL');
      return startRedis(port);
    },
    stop: () => end('SIGTERM'),
  };
}
