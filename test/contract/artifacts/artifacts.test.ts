import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ALPHA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';
import { eventually } from '../../support/eventually.js';

const MEBIBYTE = 1024 * 1024;

let kiln: RunningKiln;
let alice: string;
let bob: string;
let rita: string;

beforeAll(async () => {
  const projects = STANDARD_BOOTSTRAP.projects.map((project) =>
    project.name === 'beta' ? { ...project, limits: { storage_bytes: 3 * MEBIBYTE } } : project,
  );
  kiln = await startKiln({ bootstrap: { ...STANDARD_BOOTSTRAP, projects } });
  [alice, bob, rita] = await Promise.all([kiln.token('alice'), kiln.token('bob'), kiln.token('rita')]);
});
afterAll(() => kiln?.stop());

async function call(method: string, path: string, token: string | null, init: RequestInit = {}): Promise<Response> {
  const reply = await fetch(`${kiln.url}/artifacts/${path}`, {
    method,
    ...init,
    headers: { ...(token ? { 'x-auth-token': token } : {}), ...(init.headers as Record<string, string>) },
  });
  const { status, headers } = reply;
  // Bytes are left to who asked for them.
  const text = status < 300 ? '' : await reply.clone().text();
  await checkDocumented(kiln, { method, path: `/artifacts/${path}`, status, headers, text });
  return reply;
}

async function put(path: string, body: Buffer | string, token = alice): Promise<Response> {
  return call('PUT', path, token, { body: typeof body === 'string' ? body : new Uint8Array(body) });
}

async function query<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new pg.Client({ connectionString: kiln.databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(text, values)).rows;
  } finally {
    await client.end();
  }
}

async function storedBytes(projectId: string): Promise<number> {
  const [row] = await query<{ used: string }>(
    `SELECT used FROM project_usage WHERE project_id = $1 AND quantity = 'storage_bytes'`,
    [projectId],
  );
  return Number(row!.used);
}

/** Every object and every unfinished write in the store's folder. */
async function filesInStore(): Promise<string[]> {
  const entries = await readdir(join(kiln.dataDir, 'objects'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe('PUT /artifacts/{bucket}/{key}', () => {
  it('stores bytes that GET and HEAD give back', async () => {
    const bytes = randomBytes(3 * MEBIBYTE + 17);
    const md5 = createHash('md5').update(bytes).digest('hex');

    const reply = await call('PUT', 'ims/recipes/a.tar.gz', alice, {
      body: new Uint8Array(bytes),
      headers: { 'content-type': 'application/gzip' },
    });
    expect(reply.status).toBe(201);
    expect(reply.headers.get('etag')).toBe(`"${md5}"`);
    expect(reply.headers.get('x-request-id')).toBeTruthy();

    const got = await call('GET', 'ims/recipes/a.tar.gz', rita);
    expect(got.status).toBe(200);
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
    const head = await call('HEAD', 'ims/recipes/a.tar.gz', rita);
    expect(head.status).toBe(200);
    expect(Object.fromEntries(head.headers)).toMatchObject({
      etag: `"${md5}"`,
      'content-length': String(bytes.length),
      'content-type': 'application/gzip',
      'accept-ranges': 'bytes',
    });
  });

  it('replaces what nothing refers to, and gives its bytes back to the project', async () => {
    await put('scratch/replaced', Buffer.alloc(1000, 1));
    const before = await storedBytes(ALPHA);

    const reply = await put('scratch/replaced', Buffer.alloc(400, 2));

    expect(reply.status).toBe(201);
    expect((await (await call('GET', 'scratch/replaced', alice)).arrayBuffer()).byteLength).toBe(400);
    expect(await storedBytes(ALPHA)).toBe(before - 600);
  });

  it('takes an empty object', async () => {
    expect((await put('scratch/empty', '')).status).toBe(201);
    const got = await call('GET', 'scratch/empty', alice);
    expect([got.status, got.headers.get('content-length'), await got.text()]).toEqual([200, '0', '']);
  });

  it.each([
    ['a b/ä.txt', 'a%20b/%C3%A4.txt'],
    ['../../etc/passwd', '%2E%2E/..%2F%2e%2e/etc/passwd'],
    ['x//y', 'x//y'],
    ['100%', '100%25'],
    ['?q=1#z', '%3Fq=1%23z'],
  ])('takes the key %j as text', async (_key, encoded) => {
    const path = `odd/${encoded}`;
    expect((await rawPut(`/artifacts/${path}`, 'odd')).status).toBe(201);
    const [found] = await query<{ key: string }>(
      `SELECT key FROM artifacts WHERE bucket = 'odd' ORDER BY created_at DESC LIMIT 1`,
    );
    expect(found!.key).toBe(decodeURIComponent(encoded));
    expect(await rawGet(`/artifacts/${path}`)).toBe('odd');
  });

  it.each([
    ['an empty key', '/artifacts/scratch/'],
    ['an undecodable key', '/artifacts/scratch/%ff%fe'],
    ['a NUL in the key', '/artifacts/scratch/a%00b'],
    ['a key of more than 1024 bytes', `/artifacts/scratch/${'k'.repeat(1025)}`],
  ])('refuses %s with 400', async (_what, path) => {
    const reply = await rawPut(path, 'x');
    expect(reply.status).toBe(400);
    expect(JSON.parse(reply.body)).toMatchObject({ status: 400, title: 'Bad Request' });
  });

  it.each([
    ['foo', 'foo'],
    [' ', 'missing'],
    [';', ';'],
  ])('refuses the content type %j, since it is no media type', async (type, named) => {
    const reply = await call('PUT', 'scratch/untyped', alice, { body: 'x', headers: { 'content-type': type } });
    const { detail } = (await reply.json()) as { detail: string };
    expect([reply.status, detail]).toEqual([415, `The content type must be a media type, not ${named}`]);
  });

  it('refuses a part of an object', async () => {
    const headers = { 'content-range': 'bytes 0-0/10' };
    expect((await call('PUT', 'scratch/part', alice, { body: 'x', headers })).status).toBe(400);
    expect((await call('HEAD', 'scratch/part', alice)).status).toBe(404);
  });

  it('verifies Content-MD5 and leaves nothing when it differs', async () => {
    const md5 = createHash('md5').update('right').digest('base64');
    const good = await call('PUT', 'scratch/checked', alice, { body: 'right', headers: { 'content-md5': md5 } });
    expect(good.status).toBe(201);
    const before = await filesInStore();

    const wrong = await call('PUT', 'scratch/unchecked', alice, { body: 'wrong', headers: { 'content-md5': md5 } });
    expect(wrong.status).toBe(400);
    expect(
      (await call('PUT', 'scratch/unchecked', alice, { body: 'x', headers: { 'content-md5': 'no' } })).status,
    ).toBe(400);

    expect((await call('HEAD', 'scratch/unchecked', alice)).status).toBe(404);
    expect((await filesInStore()).sort()).toEqual(before.sort());
  });

  it('is refused to readers, to strangers, and without a token', async () => {
    expect((await put('scratch/denied', 'x', rita)).status).toBe(403);
    expect((await put('scratch/denied', 'x', 'no-such-token')).status).toBe(401);
    const without = await call('PUT', 'scratch/denied', null, { body: 'x' });
    expect(without.status).toBe(401);
    expect(without.headers.get('content-type')).toContain('application/problem+json');
  });

  it('keeps to the limit of the project, with and without an announced length', async () => {
    const announced = await put('big/announced', Buffer.alloc(4 * MEBIBYTE), bob);
    expect(announced.status).toBe(413);
    const streamed = await chunkedPut(
      '/artifacts/big/streamed',
      bob,
      Array.from({ length: 64 }, () => Buffer.alloc(65_536)),
    );
    expect(streamed).toBe(413);
    expect(await storedBytes(STANDARD_BOOTSTRAP.projects[1]!.id)).toBe(0);

    expect((await put('big/fits', Buffer.alloc(2 * MEBIBYTE), bob)).status).toBe(201);
    expect(await chunkedPut('/artifacts/big/rest', bob, [Buffer.alloc(MEBIBYTE)])).toBe(201);
    expect(await storedBytes(STANDARD_BOOTSTRAP.projects[1]!.id)).toBe(3 * MEBIBYTE);
    expect((await put('big/more', 'x', bob)).status).toBe(413);
    await call('DELETE', 'big/fits', bob);
    await call('DELETE', 'big/rest', bob);
    expect(await storedBytes(STANDARD_BOOTSTRAP.projects[1]!.id)).toBe(0);
  });

  it('leaves nothing when the client hangs up', async () => {
    const before = { files: (await filesInStore()).sort(), bytes: await storedBytes(ALPHA) };
    const socket = connect(Number(new URL(kiln.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `PUT /artifacts/scratch/cut HTTP/1.1\r\nHost: x\r\nX-Auth-Token: ${alice}\r\nContent-Length: 10000000\r\n\r\n`,
    );
    socket.write(Buffer.alloc(MEBIBYTE));
    await eventually(async () => (await query(`SELECT 1 FROM stored_files WHERE state = 'writing'`)).length === 1);

    socket.destroy();

    await eventually(async () => (await query(`SELECT 1 FROM stored_files WHERE state <> 'stored'`)).length === 0);
    expect((await filesInStore()).sort()).toEqual(before.files);
    expect(await storedBytes(ALPHA)).toBe(before.bytes);
    expect((await call('HEAD', 'scratch/cut', alice)).status).toBe(404);
  });
});

describe('GET and HEAD /artifacts/{bucket}/{key}', () => {
  beforeAll(async () => {
    await put('ranges/digits', '0123456789');
  });

  it.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=7-', 206, '789', 'bytes 7-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
    ['bytes=0-1,3-4', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ])('answers Range %s with %i', async (range, status, text, contentRange) => {
    const reply = await call('GET', 'ranges/digits', rita, { headers: { range } });
    expect([reply.status, await reply.text(), reply.headers.get('content-range')]).toEqual([
      status,
      text,
      contentRange,
    ]);
  });

  it('answers 416 for a range behind the end', async () => {
    const reply = await call('GET', 'ranges/digits', rita, { headers: { range: 'bytes=10-' } });
    expect([reply.status, reply.headers.get('content-range')]).toEqual([416, 'bytes */10']);
  });

  it('does not know what lies in another project', async () => {
    for (const method of ['GET', 'HEAD', 'DELETE']) {
      expect((await call(method, 'ranges/digits', bob)).status).toBe(404);
    }
    expect((await put('ranges/digits', 'of beta', bob)).status).toBe(201);
    expect(await (await call('GET', 'ranges/digits', alice)).text()).toBe('0123456789');
    await call('DELETE', 'ranges/digits', bob);
  });

  it('answers 404 for what is missing, 405 for other methods, 401 without a token', async () => {
    const missing = await call('GET', 'ranges/nothing', alice);
    expect(missing.status).toBe(404);
    expect(missing.headers.get('content-type')).toContain('application/problem+json');
    const post = await call('POST', 'ranges/digits', alice, { body: 'x' });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'DELETE, GET, HEAD, PUT']);
    expect((await call('GET', 'ranges/digits', null)).status).toBe(401);
  });
});

describe('conditions', () => {
  const ETAG = `"${createHash('md5').update('now').digest('hex')}"`;
  const OLD = `"${createHash('md5').update('then').digest('hex')}"`;
  const LONG_AGO = 'Sun, 06 Nov 1994 08:49:37 GMT';
  const WRITTEN = { put: 201, delete: 204 };

  beforeEach(() => put('conditions/there', 'now'));

  it.each([
    [{ 'if-match': ETAG }, 200],
    [{ 'if-match': `${OLD}, ${ETAG}` }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-match': OLD }, 412],
    [{ 'if-match': `W/${ETAG}` }, 412],
    [{ 'if-unmodified-since': LONG_AGO }, 412],
    [{ 'if-unmodified-since': LONG_AGO, 'if-match': ETAG }, 200],
    [{ 'if-none-match': ETAG }, 304],
    [{ 'if-none-match': `W/${ETAG}` }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': OLD }, 200],
    [{ 'if-none-match': ETAG, 'if-match': OLD }, 412],
    [{ 'if-modified-since': 'Fri, 31 Dec 2100 23:59:59 GMT' }, 304],
    [{ 'if-modified-since': LONG_AGO }, 200],
    [{ 'if-modified-since': 'some day' }, 200],
    [{ 'if-none-match': 'no-quotes' }, 400],
  ])('%j: %i to a GET and to a HEAD', async (headers, status) => {
    const got = await call('GET', 'conditions/there', rita, { headers });
    expect(got.status).toBe(status);
    if (status < 400) expect([got.headers.get('etag'), await got.text()]).toEqual([ETAG, status === 200 ? 'now' : '']);
    expect((await call('HEAD', 'conditions/there', rita, { headers })).status).toBe(status);
  });

  it.each([
    ['of what is there', ETAG, 206, 'ow'],
    ['of what was there', OLD, 200, 'now'],
    ['that is weak', `W/${ETAG}`, 200, 'now'],
    ['that is a time', 'Fri, 31 Dec 2100 23:59:59 GMT', 200, 'now'],
  ])('If-Range with a validator %s', async (_what, validator, status, text) => {
    const headers = { range: 'bytes=1-', 'if-range': validator };
    const reply = await call('GET', 'conditions/there', rita, { headers });
    expect([reply.status, await reply.text()]).toEqual([status, text]);
  });

  it.each([
    [{ 'if-match': ETAG }, 'holds'],
    [{ 'if-none-match': OLD }, 'holds'],
    [{ 'if-match': OLD }, 'does not'],
    [{ 'if-none-match': '*' }, 'does not'],
    [{ 'if-unmodified-since': LONG_AGO }, 'does not'],
  ])('a PUT and a DELETE with %j, which %s', async (headers, holds) => {
    const replaced = await call('PUT', 'conditions/there', alice, { body: 'now', headers });
    expect(replaced.status).toBe(holds === 'holds' ? WRITTEN.put : 412);
    const removed = await call('DELETE', 'conditions/there', alice, { headers });
    expect(removed.status).toBe(holds === 'holds' ? WRITTEN.delete : 412);
    expect((await call('HEAD', 'conditions/there', alice)).status).toBe(holds === 'holds' ? 404 : 200);
  });

  it('lets one of many create what is not to be there yet', async () => {
    const headers = { 'if-none-match': '*' };
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, body) => call('PUT', 'conditions/new', alice, { body: `${body}`, headers })),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([201, ...Array.from({ length: 7 }, () => 412)]);
    const winner = replies.findIndex(({ status }) => status === 201);
    expect(await (await call('GET', 'conditions/new', alice)).text()).toBe(`${winner}`);

    const absent = await call('PUT', 'conditions/none', alice, { body: 'x', headers: { 'if-match': '*' } });
    expect(absent.status).toBe(412);
    expect((await call('DELETE', 'conditions/none', alice, { headers: { 'if-match': '*' } })).status).toBe(404);
  });
});

describe('DELETE /artifacts/{bucket}/{key}', () => {
  it('removes the object and its bytes', async () => {
    await put('scratch/doomed', Buffer.alloc(5000));
    const before = await storedBytes(ALPHA);
    const files = await filesInStore();

    expect((await call('DELETE', 'scratch/doomed', rita)).status).toBe(403);
    expect((await call('DELETE', 'scratch/doomed', alice)).status).toBe(204);

    expect((await call('GET', 'scratch/doomed', alice)).status).toBe(404);
    expect((await call('DELETE', 'scratch/doomed', alice)).status).toBe(404);
    expect(await storedBytes(ALPHA)).toBe(before - 5000);
    expect((await filesInStore()).length).toBe(files.length - 1);
  });

  it('is 409, as PUT is, while a recipe or an image refers to the object', async () => {
    await put('ims/held.tar.gz', 'archive');
    await put('boot-images/held/rootfs', 'hsqs-root');
    const manifest = {
      version: '1.0',
      artifacts: [
        {
          type: 'application/vnd.cray.image.rootfs.squashfs',
          link: { type: 's3', path: 's3://boot-images/held/rootfs' },
        },
      ],
    };
    await put('boot-images/held/manifest.json', JSON.stringify(manifest));
    await ims('recipes', {
      name: 'held',
      recipe_type: 'kiwi-ng',
      linux_distribution: 'sles15',
      link: { path: 's3://ims/held.tar.gz', type: 's3' },
    });
    await ims('images', { name: 'held', link: { path: 's3://boot-images/held/manifest.json', type: 's3' } });

    for (const path of ['ims/held.tar.gz', 'boot-images/held/rootfs', 'boot-images/held/manifest.json']) {
      expect((await put(path, 'other')).status).toBe(409);
      const refused = await call('DELETE', path, alice);
      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({ status: 409, title: 'Conflict' });
    }
    expect(await (await call('GET', 'ims/held.tar.gz', alice)).text()).toBe('archive');
  });
});

async function ims(kind: string, body: object): Promise<void> {
  const reply = await fetch(`${kiln.url}/apis/ims/v3/${kind}`, {
    method: 'POST',
    headers: { 'x-auth-token': alice, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect([reply.status, await reply.text()]).toEqual([201, expect.any(String)]);
}

/** Without a URL parser between the test and the wire: those resolve dots and slashes. */
function raw(method: string, path: string, body?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(kiln.url);
    const request = httpRequest({ hostname, port, method, path, headers: { 'x-auth-token': alice } }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      reply.on('end', () => resolve({ status: reply.statusCode!, body: text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const rawPut = (path: string, body: string) => raw('PUT', path, body);
const rawGet = async (path: string) => (await raw('GET', path)).body;

/** Without Content-Length. */
function chunkedPut(path: string, token: string, chunks: readonly Buffer[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(kiln.url);
    let answered = false;
    const headers = { 'x-auth-token': token, 'transfer-encoding': 'chunked' };
    const request = httpRequest({ hostname, port, method: 'PUT', path, headers }, (reply) => {
      answered = true;
      reply.resume();
      resolve(reply.statusCode!);
    });
    // A server that has refused need not read the rest.
    request.on('error', (error) => (answered ? undefined : reject(error)));
    for (const chunk of chunks) request.write(chunk);
    request.end();
  });
}
