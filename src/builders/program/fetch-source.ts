import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BuildFailedError } from '../../modules/jobs/builder.js';

/** Writes what is built from to a file that the sandbox can read. @throws BuildFailedError */
export async function fetchSource(body: Readable, path: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  let left = sizeBytes;
  const cap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left >= 0) return done(null, chunk);
      done(
        new BuildFailedError(
          'recipe.invalid',
          `What is to be built is larger than the ${sizeBytes} bytes it is registered with`,
        ),
      );
    },
  });
  try {
    await pipeline(body, cap, createWriteStream(path, { flags: 'wx' }), { signal });
    // The sandbox's root, another user of the host, reads it, whatever the umask.
    await chmod(path, 0o644);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof BuildFailedError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new BuildFailedError('build.out_of_disk', 'The disk of the worker is full', { cause: error });
    }
    throw new BuildFailedError('build.failed', `What is to be built could not be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
