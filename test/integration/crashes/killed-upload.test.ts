import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { storedObjects } from '../../support/stored-objects.js';
import { usageOf } from '../../support/usage.js';

const MIB = 1024 * 1024;
const PIECE = randomBytes(MIB);

let database: pg.Client;
let running: RunningKiln;
const started: RunningKiln[] = [];

beforeAll(async () => {
  running = await startKiln();
  started.push(running);
  database = new pg.Client({ connectionString: running.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database?.end();
  // Last the one whose database and folder the others share.
  for (const kiln of started.reverse()) await kiln.stop();
});

async function image(token: string, method: string, path: string, body?: Uint8Array | object) {
  const bytes = body instanceof Uint8Array;
  const reply = await fetch(`${running.url}/image/v2/images${path}`, {
    method,
    headers: { 'x-auth-token': token, 'content-type': bytes ? 'application/octet-stream' : 'application/json' },
    body: (bytes ? body : body && JSON.stringify(body)) as NonNullable<Parameters<typeof fetch>[1]>['body'],
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`);
  return text === '' ? null : (JSON.parse(text) as { id: string; status: string; size: number | null });
}

const create = async (token: string, name: string): Promise<string> =>
  (await image(token, 'POST', '', { name, disk_format: 'raw', container_format: 'bare' }))!.id;

/** Sends three MiB of a body that is longer. */
function beginUpload(token: string, id: string, framing: string): void {
  const socket = connect(Number(new URL(running.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  const head = [
    `PUT /image/v2/images/${id}/file HTTP/1.1`,
    'Host: kiln',
    'Content-Type: application/octet-stream',
    `X-Auth-Token: ${token}`,
    framing,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const chunked = framing.startsWith('Transfer-Encoding');
  for (let sent = 0; sent < 3; sent += 1) {
    if (chunked) socket.write(`${PIECE.length.toString(16)}\r\n`);
    socket.write(PIECE);
    if (chunked) socket.write('\r\n');
  }
}

const usage = () => usageOf(database, ALPHA, 'storage_bytes', 'uploads');

/** What the rows say is stored, or on its way. */
async function objectKeys(): Promise<string[]> {
  const { rows } = await database.query<{ object_key: string }>('SELECT object_key FROM stored_files');
  return rows.map((row) => row.object_key).sort();
}

it('goes back to queued, costs nothing, and can be tried again', async () => {
  const token = await running.token('alice');
  const kept = await create(token, 'kept');
  await image(token, 'PUT', `/${kept}/file`, PIECE);
  // The manifest of an active image is written behind its back, its row first.
  const keys = await eventually(async () => {
    const known = await objectKeys();
    expect(known).toHaveLength(2);
    expect(await storedObjects(running)).toEqual(known);
    return known;
  });
  const before = { usage: await usage(), keys };
  expect(before.usage).toEqual({ storage_bytes: MIB, uploads: 0 });
  const cutOff = [await create(token, 'announced'), await create(token, 'in chunks')];
  beginUpload(token, cutOff[0]!, `Content-Length: ${5 * MIB}`);
  beginUpload(token, cutOff[1]!, 'Transfer-Encoding: chunked');
  await eventually(async () => {
    for (const id of cutOff) expect((await image(token, 'GET', `/${id}`))!.status).toBe('saving');
    const during = await usage();
    expect(during.uploads).toBe(2);
    expect(during.storage_bytes).toBeGreaterThanOrEqual((1 + 5 + 3) * MIB);
  });

  await running.kill();
  running = await startKiln({ beside: running });
  started.push(running);

  // A lease of 20 s, and a sweep every 10 s; on a busy machine both come late.
  await eventually(async () => {
    for (const id of cutOff) {
      expect(await image(token, 'GET', `/${id}`)).toMatchObject({ status: 'queued', size: null, checksum: null });
    }
    expect(await usage()).toEqual(before.usage);
    expect(await objectKeys()).toEqual(before.keys);
    expect(await storedObjects(running)).toEqual(before.keys);
  }, 60_000);

  for (const id of cutOff) {
    await image(token, 'PUT', `/${id}/file`, PIECE);
    expect(await image(token, 'GET', `/${id}`)).toMatchObject({ status: 'active', size: MIB });
  }
  expect(await usage()).toEqual({ storage_bytes: 3 * MIB, uploads: 0 });
}, 300_000);
