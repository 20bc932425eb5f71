import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { BuildFailedError } from '../../modules/jobs/builder.js';

/** Opens a file that a sandbox wrote, so it may be anything: only a regular one is opened, and never through a link. */
export async function openRegularFile(path: string, what: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new BuildFailedError('build.failed', `${what} is not a regular file`);
}
