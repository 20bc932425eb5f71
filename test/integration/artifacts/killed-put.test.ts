import { readdir, utimes } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';

let api: RunningKiln;
let database: pg.Client;

beforeAll(async () => {
  api = await startKiln({ env: { KILN_ROLE: 'api' } });
  database = new pg.Client({ connectionString: api.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database?.end();
  await api?.stop();
});

/** Begins to upload, and says no more after these bytes. */
async function beginPut(key: string, headers: readonly string[], bytes: Buffer): Promise<void> {
  const token = await api.token('alice');
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  const head = [`PUT /artifacts/scratch/${key} HTTP/1.1`, 'Host: kiln', `X-Auth-Token: ${token}`, ...headers];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(bytes);
}

async function state() {
  const { rows } = await database.query<{ writing: string; charged: string; used: string }>(
    `SELECT count(*) AS writing, coalesce(sum(charged_bytes), 0) AS charged,
       (SELECT used FROM project_usage WHERE project_id = $1 AND quantity = 'storage_bytes') AS used
     FROM stored_files`,
    [ALPHA],
  );
  const { writing, charged, used } = rows[0]!;
  return { writing: Number(writing), charged: Number(charged), used: Number(used) };
}

async function filesInStore(): Promise<string[]> {
  const entries = await readdir(join(api.dataDir, 'objects'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

it('leaves nothing of uploads whose process was killed', async () => {
  const chunk = Buffer.alloc(1024 * 1024, 7);
  await beginPut('announced', ['Content-Length: 9000000'], chunk);
  const piece = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]);
  await beginPut('streamed', ['Transfer-Encoding: chunked'], piece);
  const during = await eventually(async () => {
    const found = await state();
    expect(found.writing).toBe(2);
    expect(found.charged).toBeGreaterThan(9_000_000);
    expect(await filesInStore()).toHaveLength(2);
    return found;
  });
  // What the ledger holds is what the rows say, in the middle of it too.
  expect(during.used).toBe(during.charged);

  await api.kill();
  expect((await state()).used).toBe(during.used);
  // As if an hour had passed.
  await database.query('UPDATE stored_files SET lease_expires_at = now()');
  const past = new Date(Date.now() - 3_600_000);
  for (const path of await filesInStore()) await utimes(path, past, past);
  const worker = await startKiln({ beside: api, env: { KILN_ROLE: 'worker' } });
  try {
    await eventually(async () => (await state()).writing === 0, 50_000);
    expect(await state()).toEqual({ writing: 0, charged: 0, used: 0 });
    await eventually(async () => (await filesInStore()).length === 0);
  } finally {
    await worker.stop();
  }
}, 300_000);
