// Clients that send all of a body before they look for an answer (glanceclient, anything on Python's http.client) must
// see why they were refused, and not a broken pipe.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { Client, clients } from './wire.js';

const CHUNK = Buffer.alloc(512 * 1024);
const CHUNKS = 80;
const ROOM = 2 * 1024 * 1024;
const FORMATS = { disk_format: 'raw', container_format: 'bare' };
const OCTETS = 'Content-Type: application/octet-stream';

let kiln: RunningKiln;
let alice: Client;
let tim: Client;

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api' },
    bootstrap: {
      projects: [...STANDARD_BOOTSTRAP.projects, { name: 'tiny', limits: { storage_bytes: ROOM } }],
      users: [
        ...STANDARD_BOOTSTRAP.users,
        { name: 'tim', password: 's3cret-tim', roles: [{ project: 'tiny', role: 'member' }] },
      ],
    },
  });
  ({ alice } = await clients(kiln));
  tim = new Client(kiln, await kiln.token('tim', 'tiny'));
});

afterAll(() => kiln?.stop());

/** Sends 40 MiB, and reads only then. */
async function send(method: string, path: string, headers: string[], chunked: boolean) {
  const socket = connect({ port: Number(new URL(kiln.url).port), host: '127.0.0.1' }).pause();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const failures: Error[] = [];
  socket.on('error', (error) => failures.push(error));
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${CHUNKS * CHUNK.length}`;
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: kiln', 'Accept: application/json', framing, ...headers];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const piece = chunked
    ? Buffer.concat([Buffer.from(`${CHUNK.length.toString(16)}\r\n`), CHUNK, Buffer.from('\r\n')])
    : CHUNK;
  for (let sent = 0; sent < CHUNKS && !socket.destroyed; sent += 1) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), closed]).catch(() => undefined);
  }
  if (chunked) socket.write('0\r\n\r\n');
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += data.toString())).resume();
  await closed;
  return { failures, status: Number(answer.split(' ')[1]), answer };
}

describe.each([
  ['of a known length', false],
  ['in chunks', true],
])('a body %s that is refused', (_name, chunked) => {
  it.each<[string, number, string, () => Promise<[method: string, path: string, ...headers: string[]]>]>([
    [
      'without a token',
      401,
      'authentication',
      async () => ['PUT', `/image/v2/images/${(await alice.create(FORMATS)).id}/file`, OCTETS],
    ],
    [
      'for an image that is not there',
      404,
      'No image found',
      async () => ['PUT', `/image/v2/images/${randomUUID()}/file`, OCTETS, `X-Auth-Token: ${alice.token}`],
    ],
    [
      'for an image that has its data',
      409,
      'queued',
      async () => {
        const { id } = await alice.createWithData(CHUNK);
        return ['PUT', `/image/v2/images/${id}/file`, OCTETS, `X-Auth-Token: ${alice.token}`];
      },
    ],
    [
      'of another media type',
      415,
      'application/octet-stream',
      async () => [
        'PUT',
        `/image/v2/images/${(await alice.create(FORMATS)).id}/file`,
        'Content-Type: text/plain',
        `X-Auth-Token: ${alice.token}`,
      ],
    ],
    [
      'for want of room',
      413,
      'storage_bytes',
      async () => [
        'PUT',
        `/image/v2/images/${(await tim.create(FORMATS)).id}/file`,
        OCTETS,
        `X-Auth-Token: ${tim.token}`,
      ],
    ],
    ['that is no upload', 413, 'at most', async () => ['POST', '/image/v2/images', `X-Auth-Token: ${alice.token}`]],
    [
      'where none is taken',
      400,
      'not expected',
      async () => ['GET', `/image/v2/images/${randomUUID()}`, `X-Auth-Token: ${alice.token}`],
    ],
    ['as an artifact, without a token', 401, 'authentication', async () => ['PUT', '/artifacts/ims/a', OCTETS]],
    [
      'as an artifact, for want of room',
      413,
      'storage_bytes',
      async () => ['PUT', '/artifacts/ims/a', OCTETS, `X-Auth-Token: ${tim.token}`],
    ],
  ])('%s is answered %d, and read to its end', async (_case, status, words, request) => {
    const [method, path, ...headers] = await request();

    const found = await send(method, path, headers, chunked);

    expect(found.failures).toEqual([]);
    expect(found.status).toBe(status);
    expect(found.answer).toContain(words);
  });
});
