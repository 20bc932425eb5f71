import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { findProgram } from '../../support/programs.js';

const run = promisify(execFile);
const MIB = 1024 * 1024;

export const GIB = 1024 * MIB;

/**
 * Runs a client program and returns what it wrote; its home is a folder of the test's. It has no standard input: what
 * glanceclient finds there, even nothing, it uploads.
 */
export async function program(
  name: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  home: string,
): Promise<string> {
  const { stdout } = await run('/bin/sh', ['-c', 'exec "$@" <&-', 'sh', findProgram(name) ?? name, ...words], {
    env: { ...env, HOME: home },
    maxBuffer: 16 * MIB,
  });
  return stdout;
}

/** Writes a file of that many bytes which no two of its mebibytes share. */
export async function writeData(path: string, sizeBytes: number): Promise<void> {
  const block = randomBytes(MIB);
  const file = await open(path, 'w');
  try {
    for (let at = 0; at < sizeBytes; at += MIB) {
      block.writeUInt32LE(at / MIB);
      await file.write(block, 0, Math.min(MIB, sizeBytes - at));
    }
  } finally {
    await file.close();
  }
}

/** Digest of a file in hexadecimal. */
export async function digestOf(path: string, algorithm: 'md5' | 'sha512'): Promise<string> {
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
