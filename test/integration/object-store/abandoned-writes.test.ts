import { describe, it, expect, beforeEach, afterEach } from '@jest/globals';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { startKiln, type RunningKiln } from '../../support/kiln.js';

describe('abandoned writes', () => {
  let path: string;
  let kiln: RunningKiln | undefined;

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'kiln-objects-'));
  });
  afterEach(async () => {
    await kiln?.stop();
    await rm(path, { recursive: true, force: true });
  });

  it('are swept by a worker once they are old, even if another store is down', async () => {
    const temporary = join(path, '.tmp');
    await mkdir(temporary);
    await writeFile(join(temporary, 'old'), 'half');
    await writeFile(join(temporary, 'young'), 'half');
    const hours = (count: number): Date => new Date(Date.now() - count * 3_600_000);
    await utimes(join(temporary, 'old'), hours(7), hours(7));
    await utimes(join(temporary, 'young'), hours(5), hours(5));
    const nobody = { endpoint: 'http://127.0.0.1:1', bucket: 'b', accessKeyId: 'a', secretAccessKey: 'b' };
    const stores = [
      { id: 'down', type: 's3', ...nobody },
      { id: 'files', type: 'file', path },
    ];

    kiln = await startKiln({ env: { KILN_STORES: JSON.stringify(stores) } });

    await eventually(async () => expect(await readdir(temporary)).toEqual(['young']));
    expect(kiln.output()).toMatch(/abandoned writes of a store could not be removed.*"down"|"down".*abandoned writes/);
  });
});
