import { it, expect, beforeEach, afterEach } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { startKiln, type RunningKiln } from '../../support/kiln.js';

let path: string;
const running: RunningKiln[] = [];

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'kiln-objects-'));
});
afterEach(async () => {
  for (const kiln of running.splice(0).reverse()) await kiln.stop();
  await rm(path, { recursive: true, force: true });
});

const minutesAgo = (minutes: number): Date => new Date(Date.now() - minutes * 60_000);

/** Something that a write has left, or works on. */
async function unfinished(name: string, writtenAt: Date): Promise<void> {
  await mkdir(join(path, '.tmp'), { recursive: true });
  await writeFile(join(path, '.tmp', name), 'half');
  await utimes(join(path, '.tmp', name), writtenAt, writtenAt);
}

/** What a process that is alive notes before it writes, as if it had done so a while ago. */
async function writeUnderWay(databaseUrl: string, beganAt: Date): Promise<void> {
  const database = new pg.Client({ connectionString: databaseUrl });
  await database.connect();
  try {
    await database.query(
      `INSERT INTO stored_files (id, store_id, object_key, state, created_at, lease_expires_at)
       VALUES ($1, 'files', $2, 'writing', $3, now() + interval '1 day')`,
      [randomUUID(), 'a/key', beganAt],
    );
  } finally {
    await database.end();
  }
}

it('what writes left behind goes once it is older than every write under way, even if another store is down', async () => {
  const nobody = { endpoint: 'http://127.0.0.1:1', bucket: 'b', accessKeyId: 'a', secretAccessKey: 'b' };
  const stores = [
    { id: 'down', type: 's3', ...nobody },
    { id: 'files', type: 'file', path },
  ];
  const env = { KILN_STORES: JSON.stringify(stores) };
  const api = await startKiln({ env: { ...env, KILN_ROLE: 'api' } });
  running.push(api);
  await writeUnderWay(api.databaseUrl, minutesAgo(120));
  await unfinished('left behind', minutesAgo(180));
  await unfinished('silent since it began', minutesAgo(120));

  const worker = await startKiln({ beside: api, env: { ...env, KILN_ROLE: 'worker' } });
  running.push(worker);

  await eventually(async () => expect(await readdir(join(path, '.tmp'))).toEqual(['silent since it began']));
  await eventually(() =>
    expect(worker.output()).toMatch(/unfinished writes could not be removed from a store.*"down"|"down".*unfinished/),
  );
});
