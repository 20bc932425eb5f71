import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WorkFolder } from '../sandbox/work-folder.js';
import { watchDisk } from './watches.js';

describe('the watch over a disk', () => {
  const limits = { diskBytes: 2 ** 30, freeBytes: 0, everyMs: 10, what: 'The build' };
  let buildsDir: string;
  let folder: WorkFolder;
  beforeEach(async () => {
    buildsDir = await mkdtemp(join(tmpdir(), 'kiln-watch-'));
    folder = await WorkFolder.create(buildsDir, 'a-job', 1);
  });
  afterEach(async () => {
    await folder.remove();
    await rm(buildsDir, { recursive: true });
  });

  /** Why the build was ended. */
  async function fault(changes: Partial<typeof limits>): Promise<unknown> {
    const limit = new AbortController();
    const stop = watchDisk(folder, { ...limits, ...changes }, limit);
    await new Promise((resolve) => limit.signal.addEventListener('abort', resolve));
    stop();
    return limit.signal.reason;
  }

  it('ends a build that uses more than it may', async () => {
    expect(await fault({ diskBytes: 1 })).toMatchObject({
      code: 'build.out_of_disk',
      message: 'The build used more than the 1 bytes of disk allowed',
    });
  });

  it('ends a build when the disk is nearly full, whoever filled it and however', async () => {
    expect(await fault({ freeBytes: Number.MAX_SAFE_INTEGER })).toMatchObject({
      code: 'build.out_of_disk',
      message: 'The disk of the worker is full',
    });
  });

  it('ends a build whose files cannot be counted', async () => {
    await folder.remove();

    expect(await fault({})).toMatchObject({
      code: 'build.out_of_disk',
      message: 'The build left files on the disk that cannot be counted',
    });
  });
});
