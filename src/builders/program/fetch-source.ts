import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BuildFailedError, type BuildOrder } from '../../modules/jobs/builder.js';

/**
 * Writes what is built from to a file that the sandbox can read, instead of one that is there.
 * @throws BuildFailedError another attempt would end the same way
 * @throws Error it broke off, or is not what it was when it was stored
 */
export async function fetchSource(
  body: Readable,
  path: string,
  order: Pick<BuildOrder, 'sourceSizeBytes' | 'sourceMd5'>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await rm(path, { force: true });
    await pipeline(body, checked(order), createWriteStream(path, { flags: 'wx' }), { signal });
    // The sandbox's root, another user of the host, reads it, whatever the umask.
    await chmod(path, 0o644);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new BuildFailedError('build.out_of_disk', 'The disk of the worker is full', { cause: error });
  }
}

function checked({ sourceSizeBytes, sourceMd5 }: Pick<BuildOrder, 'sourceSizeBytes' | 'sourceMd5'>): Transform {
  const md5 = createHash('md5');
  let left = sourceSizeBytes;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      md5.update(chunk);
      if (left >= 0) return done(null, chunk);
      const registered = `the ${sourceSizeBytes} bytes it is registered with`;
      done(new BuildFailedError('recipe.invalid', `What is to be built is larger than ${registered}`));
    },
    flush(done) {
      if (left > 0) return done(new Error(`it ended ${left} bytes too early`));
      const found = md5.digest('hex');
      done(found === sourceMd5 ? null : new Error(`its md5 is ${found} and should be ${sourceMd5}`));
    },
  });
}
