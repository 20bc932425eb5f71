import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { StoreConfig } from '../../src/config/config.schema.js';

type Options<T> = T extends unknown ? Omit<T, 'id'> : never;

/** Kills a process with SIGKILL while it puts a large object: after the store has taken this many bytes. */
export async function killDuringPut(store: Options<StoreConfig>, key: string, afterBytes: number): Promise<void> {
  const child = spawn(process.execPath, [resolve('test/support/endless-put.mjs'), JSON.stringify(store), key], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (Number(line) >= afterBytes) break;
    }
  } finally {
    child.kill('SIGKILL');
  }
  const [, signal] = (await exited) as [number | null, NodeJS.Signals | null];
  if (signal !== 'SIGKILL') throw new Error(`the process ended before it was killed:\n${complaint}`);
}
