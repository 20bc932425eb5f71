// Every advisory (OSSA) and note (OSSN) about Glance that can apply, tried against a running Kiln.
// The table of all of them, also of those that cannot apply, is in docs/faces/glance.md.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { qcow2, vmdk, VMDK_DESCRIPTOR } from '../../support/disks/disk-images.js';
import { eventually } from '../../support/eventually.js';
import { BETA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { freePort } from '../../support/ports.js';
import { usageOf } from '../../support/usage.js';
import { type WebServer, webServer } from '../../support/servers/web-server.js';
import { Client, clients } from './wire.js';

const MIB = 1024 * 1024;
const TINY = '7c9d2d2fc3f66e2fac8c7c2c3e3f3f03';
const SECRET = 'the-secret-of-the-operator';
const RAW = { disk_format: 'raw', container_format: 'bare' };
const QCOW2 = { disk_format: 'qcow2', container_format: 'bare' };
const FILES = ['file:///etc/passwd', 'filesystem:///etc/passwd', 'file:/etc/passwd', 'FILE:///etc/passwd'];

let web: WebServer;
/** Inside the operator's network, and open to nobody's addresses. */
let inside: WebServer;
let folder: string;
let kiln: RunningKiln;
let database: pg.Client;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;
let tim: Client;

beforeAll(async () => {
  [web, inside] = [await webServer(), await webServer()];
  folder = await mkdtemp(join(tmpdir(), 'kiln-advisories-'));
  const unreachable = { type: 's3', bucket: 'b', endpoint: `http://127.0.0.1:${await freePort()}` };
  kiln = await startKiln({
    env: {
      KILN_EGRESS_ALLOW: web.host,
      KILN_GLANCE_REGIONS: JSON.stringify({ RegionTwo: { public: `http://${web.host}/two` } }),
      KILN_DELETED_RETENTION: '0',
      KILN_IMAGE_SIZE_MAX_BYTES: String(4 * MIB),
      KILN_STORES: JSON.stringify([
        { id: 'files', type: 'file', path: join(folder, 'files') },
        { id: 'broken', ...unreachable, accessKeyId: 'operator', secretAccessKey: SECRET },
      ]),
    },
    bootstrap: {
      projects: [
        ...STANDARD_BOOTSTRAP.projects,
        { name: 'tiny', id: TINY, limits: { images: 3, storage_bytes: 3 * MIB, staging_bytes: 3 * MIB } },
      ],
      users: [
        ...STANDARD_BOOTSTRAP.users,
        { name: 'tim', password: 's3cret-tim', roles: [{ project: 'tiny', role: 'member' }] },
      ],
    },
  });
  database = new pg.Client({ connectionString: kiln.databaseUrl });
  await database.connect();
  ({ root, alice, bob, rita } = await clients(kiln));
  tim = new Client(kiln, await kiln.token('tim', 'tiny'));
});

afterAll(async () => {
  await database?.end();
  await kiln?.stop();
  await Promise.all([web?.close(), inside?.close()]);
  await rm(folder, { recursive: true, force: true });
});

const download = (client: Client, id: string) => client.ask('GET', `/v2/images/${id}/file`);
const fromWeb = (client: Client, id: string, uri: string) =>
  client.ask('POST', `/v2/images/${id}/import`, { method: { name: 'web-download', uri } });
const stage = (client: Client, id: string, data: Uint8Array) =>
  client.ask('PUT', `/v2/images/${id}/stage`, data, { 'content-type': 'application/octet-stream' });

/** The image once no import has it any more. */
const settled = (client: Client, id: string): Promise<any> =>
  eventually(async () => {
    const { body } = await client.show(id);
    return body.os_glance_import_task === undefined && body.status !== 'importing' ? body : false;
  }, 60_000);

/** How an import into a new image ended. */
async function imported(uri: string, formats: object = RAW): Promise<{ image: any; task: any }> {
  const { id } = await alice.create(formats);
  expect((await fromWeb(alice, id, uri)).status).toBe(202);
  const image = await settled(alice, id);
  const { body } = await alice.ask('GET', `/v2/images/${id}/tasks`);
  return { image, task: body.tasks[0] };
}

const used = (project: string) => usageOf(database, project);

/** Files in the store and in staging, of this project: what a user could fill the disk with. */
async function filesOf(...folders: string[]): Promise<string[]> {
  const lists = await Promise.all(
    folders.map((at) => readdir(at, { recursive: true, withFileTypes: true }).catch(() => [])),
  );
  return lists.flatMap((entries) => entries.filter((entry) => entry.isFile()).map(({ name }) => name));
}

/** An upload that has sent some of its body and holds the rest back; `finish` sends it. */
function slowUpload(client: Client, id: string, first: Uint8Array) {
  const url = `${kiln.url}/image/v2/images/${id}/file`;
  const headers = { 'x-auth-token': client.token, 'content-type': 'application/octet-stream' };
  const sent = request(url, { method: 'PUT', headers });
  const status = new Promise<number>((resolve) => {
    sent.on('response', (reply) => resolve(reply.resume().statusCode!));
    sent.on('error', () => resolve(0));
  });
  sent.write(first);
  return { status, finish: () => sent.end(first) };
}

describe('who may', () => {
  it('OSSN-0005: an image that is shared is listed once it was accepted', async () => {
    const { id } = await alice.createWithData(Buffer.from('unasked'));
    const listed = async () => (await bob.ask('GET', `/v2/images?id=${id}`)).body.images.length;
    await alice.ask('POST', `/v2/images/${id}/members`, { member: BETA });
    const before = await listed();

    await bob.ask('PUT', `/v2/images/${id}/members/${BETA}`, { status: 'accepted' });

    expect([before, await listed()]).toEqual([0, 1]);
  });

  it('OSSN-0015: only administrators make images public', async () => {
    const { id } = await alice.create();
    const publish = [{ op: 'replace', path: '/visibility', value: 'public' }];

    expect((await alice.ask('POST', '/v2/images', { visibility: 'public' })).status).toBe(403);
    expect((await alice.patch(id, publish)).status).toBe(403);
    expect((await root.patch(id, publish)).status).toBe(200);
  });

  it('OSSN-0048: another method on a path does nothing that a filter before it would have to know', async () => {
    const { id } = await alice.createWithData(Buffer.from('kept'));

    for (const [method, path] of [
      ['DELETE', `/v2/images/${id}/file`],
      ['POST', `/v2/images/${id}`],
      ['HEAD', `/v2/images/${id}/file`],
    ] as const) {
      expect((await alice.ask(method, path)).status).toBe(405);
    }
    expect((await download(alice, id)).text).toBe('kept');
  });

  it('OSSA-2012-017: nobody deletes the images of others', async () => {
    const hidden = await alice.createWithData(Buffer.from('a'), { visibility: 'private' });
    const shown = await root.createWithData(Buffer.from('a'), { visibility: 'public' });

    expect((await bob.ask('DELETE', `/v2/images/${hidden.id}`)).status).toBe(404);
    expect((await bob.ask('DELETE', `/v2/images/${shown.id}`)).status).toBe(403);
    expect((await alice.show(hidden.id)).body.status).toBe('active');
    expect((await root.show(shown.id)).body.status).toBe('active');
  });

  it('OSSA-2013-027: data that others have downloaded is no freer than before', async () => {
    const { id } = await alice.createWithData(randomBytes(1_000));
    await root.ask('PUT', `/v2/cache/${id}`);
    const before = await download(rita, id);
    expect((await download(alice, id)).status).toBe(200);

    expect([before.status, (await download(rita, id)).status, (await download(bob, id)).status]).toEqual([
      403, 403, 404,
    ]);
  });

  it('OSSN-0075: the id of a purged image is never given again', async () => {
    const { id } = await root.createWithData(Buffer.from('popular'), { visibility: 'public' });
    await root.ask('DELETE', `/v2/images/${id}`);
    // Retention is 0: the delete was a purge.
    const { rows } = await database.query('SELECT FROM images WHERE id = $1', [id]);

    expect(rows).toHaveLength(0);
    expect((await bob.ask('POST', '/v2/images', { id })).status).toBe(409);
    expect((await root.ask('POST', '/v2/images', { id })).status).toBe(409);
  });
});

describe('status and content', () => {
  it('OSSA-2015-019: no header and no attribute sets the status of an image', async () => {
    const data = randomBytes(100);
    const { id } = await alice.createWithData(data);
    const headers = { 'x-image-meta-status': 'queued' };

    expect((await alice.ask('PUT', `/v1/images/${id}`, undefined, headers)).status).toBe(300);
    expect((await alice.patch(id, [{ op: 'replace', path: '/status', value: 'queued' }])).status).toBe(403);
    expect((await alice.ask('POST', '/v2/images', { status: 'active' })).status).toBe(403);
    expect((await alice.upload(id, Buffer.from('other'), headers)).status).toBe(409);
    expect((await stage(alice, id, Buffer.from('other'))).status).toBe(409);
    expect((await alice.show(id)).body.status).toBe('active');
    expect(Buffer.from(await rawDownload(alice, id))).toEqual(data);
  });

  it('OSSA-2016-006: the data of an image cannot be taken away to be replaced', async () => {
    const data = randomBytes(100);
    const { id } = await alice.createWithData(data);

    for (const change of [
      { op: 'remove', path: '/locations/0' },
      { op: 'replace', path: '/locations', value: [] },
    ]) {
      expect((await alice.patch(id, [change])).status).toBe(403);
    }
    expect([403, 404]).toContain((await alice.ask('DELETE', `/v2/stores/files/${id}`)).status);
    expect((await alice.show(id)).body.status).toBe('active');
    expect((await alice.upload(id, Buffer.from('other'))).status).toBe(409);
    expect(Buffer.from(await rawDownload(alice, id))).toEqual(data);
  });

  it('OSSN-0065: a location does not replace the data of an active image', async () => {
    const data = randomBytes(100);
    const { id } = await alice.createWithData(data);
    const value = { url: web.bytes('/other', randomBytes(100)), metadata: {} };

    for (const change of [
      { op: 'replace', path: '/locations', value: [value] },
      { op: 'add', path: '/locations/0', value },
    ]) {
      await alice.patch(id, [change]);
      expect(Buffer.from(await rawDownload(alice, id))).toEqual(data);
    }
  });

  it('OSSN-0061: a signature over MD5 or SHA-1 is none', async () => {
    for (const method of ['MD5', 'SHA-1']) {
      const { id } = await alice.create({
        ...RAW,
        img_signature: 'x',
        img_signature_hash_method: method,
        img_signature_key_type: 'RSA-PSS',
        img_signature_certificate_uuid: randomUUID(),
      });

      expect((await alice.upload(id, Buffer.from('signed'))).status).toBe(400);
      expect((await alice.show(id)).body.status).toBe('queued');
    }
  });
});

describe('the files and secrets of the server', () => {
  it.each(FILES)('OSSA-2014-041, OSSA-2015-002: no file of the server becomes an image: %s', async (url) => {
    const { id } = await alice.create(RAW);
    const location = { url, metadata: {} };

    for (const client of [alice, root]) {
      for (const path of ['/locations/-', '/locations']) {
        const value = path === '/locations' ? [location] : location;
        const answer = await client.patch(id, [{ op: path === '/locations' ? 'replace' : 'add', path, value }]);
        expect([400, 403]).toContain(answer.status);
      }
      expect((await fromWeb(client, id, url)).status).toBe(400);
      expect((await client.ask('POST', `/v2/images/${id}/locations`, { url })).status).toBe(403);
    }
    const input = { import_from: url, import_from_format: 'raw', image_properties: RAW };
    expect((await root.ask('POST', '/v2/tasks', { type: 'import', input })).status).toBe(400);
    expect((await alice.show(id)).body.status).toBe('queued');
  });

  it('OSSA-2015-014: a qcow2 with a backing file is refused', async () => {
    const data = qcow2({ backingFile: '/etc/passwd' });
    const { id } = await alice.create(QCOW2);

    expect((await alice.upload(id, data)).status).toBe(415);
    expect((await alice.show(id)).body.status).toBe('queued');
    expect(await imported(web.bytes('/backed', data), QCOW2)).toMatchObject({
      image: { status: 'queued' },
      task: { status: 'failure' },
    });
  });

  it('OSSA-2024-001: a qcow2 with an external data file is refused', async () => {
    const data = qcow2({ incompatible: 4n });
    const { id } = await alice.create(QCOW2);

    expect((await alice.upload(id, data)).status).toBe(415);
    expect((await alice.show(id)).body.status).toBe('queued');
    expect(await imported(web.bytes('/external', data), QCOW2)).toMatchObject({
      image: { status: 'queued' },
      task: { status: 'failure' },
    });
    // Nor does it pass under another name.
    expect((await alice.upload((await alice.create(RAW)).id, data)).status).toBe(415);
  });

  it('OSSA-2016-012: a disk that would cost whoever opens it more than it is worth is refused', async () => {
    const hostile = [
      qcow2({ virtualSizeBytes: 1n << 62n }),
      qcow2({ l1Entries: 0xffffffff }),
      qcow2({ refcountTableClusters: 0xffffffff }),
      qcow2({ snapshots: 0xffffffff }),
    ];
    for (const data of hostile) {
      const { id } = await alice.create(QCOW2);

      expect((await alice.upload(id, data)).status).toBe(415);
      expect((await alice.show(id)).body).toMatchObject({ status: 'queued', virtual_size: null });
    }
  });

  it('OSSA-2023-002: a vmdk whose descriptor names other files is refused', async () => {
    const formats = { disk_format: 'vmdk', container_format: 'bare' };
    const flat = VMDK_DESCRIPTOR.replace('monolithicSparse', 'monolithicFlat').replace('SPARSE', 'FLAT');
    for (const descriptor of [flat, VMDK_DESCRIPTOR.replace('disk.vmdk', '/etc/passwd')]) {
      const { id } = await alice.create(formats);
      expect((await alice.upload(id, vmdk({ descriptor }))).status).toBe(415);
      expect((await alice.show(id)).body.status).toBe('queued');
    }
  });

  it('OSSA-2013-002, OSSA-2013-007, OSSA-2014-004: what opens a store is told to nobody, nor logged', async () => {
    const { id } = await alice.create(RAW);
    const failed = await alice.upload(id, Buffer.from('a'), { 'x-image-meta-store': 'broken' });
    const told = [
      failed,
      await alice.show(id),
      await root.ask('GET', '/v2/info/stores/detail'),
      await root.ask('GET', `/v2/images/${id}/tasks`),
    ];

    expect(failed.status).toBe(503);
    const everything = told.map(({ text, headers }) => text + JSON.stringify([...headers])).join() + kiln.output();
    expect(everything).not.toContain(SECRET);
  });

  it('OSSN-0090: nobody is shown where data lies', async () => {
    const { id } = await alice.createWithData(Buffer.from('a'));

    for (const client of [alice, root]) {
      const { body, text } = await client.show(id);
      expect(body).not.toHaveProperty('locations');
      expect(body).not.toHaveProperty('direct_url');
      expect(text).not.toContain(folder);
      expect((await client.ask('GET', '/v2/images')).text).not.toContain(folder);
      expect((await client.ask('GET', '/v2/info/stores/detail')).text).not.toContain(folder);
      expect((await client.ask('GET', `/v2/images/${id}/locations`)).text).not.toContain(folder);
    }
  });
});

describe('the network of the server', () => {
  it('OSSA-2026-004: a redirect leads no import inside', async () => {
    const target = inside.bytes('/secret', Buffer.from('inside'));
    const redirect = (to: string) => (_request: unknown, reply: any) => reply.writeHead(302, { location: to }).end();
    const { port } = new URL(target);
    const hosts = ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]'];
    for (const host of hosts) {
      const ended = await imported(web.page('/redirect', redirect(`http://${host}:${port}/secret`)));

      expect(ended).toMatchObject({ image: { status: 'queued' }, task: { status: 'failure' } });
    }
    expect(inside.asked).toEqual([]);
  });

  it('OSSA-2026-004: nor does an address in disguise', async () => {
    const { port } = new URL(inside.bytes('/secret', Buffer.from('inside')));
    const { id } = await alice.create(RAW);
    for (const host of ['127.0.0.1', '2130706433', '0x7f000001', '017700000001', '127.1', '[::1]']) {
      expect((await fromWeb(alice, id, `http://${host}:${port}/secret`)).status).toBe(400);
    }
    expect((await fromWeb(alice, id, 'http://169.254.169.254/latest/meta-data')).status).toBe(400);
    expect(inside.asked).toEqual([]);
  });

  it('OSSA-2026-004: nor does another region, neither for the record nor for the data', async () => {
    const headersSeen: unknown[] = [];
    const target = inside.page('/inside', ({ headers }, reply) => {
      headersSeen.push(headers);
      reply.end(JSON.stringify({ status: 'active', ...RAW }));
    });
    const redirect = (_request: unknown, reply: any) => reply.writeHead(302, { location: target }).end();
    const record = JSON.stringify({ status: 'active', ...RAW });
    for (const [recordPage, dataPage] of [
      [redirect, redirect],
      [(_request: unknown, reply: any) => reply.end(record), redirect],
    ] as const) {
      const [{ id }, remote] = [await alice.create(RAW), randomUUID()];
      web.page(`/two/v2/images/${remote}`, recordPage);
      web.page(`/two/v2/images/${remote}/file`, dataPage);
      const method = { name: 'glance-download', glance_region: 'RegionTwo', glance_image_id: remote };

      expect((await alice.ask('POST', `/v2/images/${id}/import`, { method })).status).toBe(202);

      expect(await settled(alice, id)).toMatchObject({ status: 'queued' });
    }
    expect(headersSeen).toEqual([]);
  });

  it('OSSN-0105: the older import of the tasks API leads no further inside than the newer one', async () => {
    const target = inside.bytes('/secret', Buffer.from('inside'));
    const input = (from: string) => ({ import_from: from, import_from_format: 'raw', image_properties: RAW });
    const redirecting = web.page('/to-inside', (_request, reply) => {
      reply.writeHead(302, { location: target }).end();
    });

    expect((await root.ask('POST', '/v2/tasks', { type: 'import', input: input(target) })).status).toBe(400);
    const followed = await root.ask('POST', '/v2/tasks', { type: 'import', input: input(redirecting) });
    expect(followed.status).toBe(201);
    await eventually(async () => {
      expect((await root.ask('GET', `/v2/tasks/${followed.body.id}`)).body.status).toBe('failure');
    }, 60_000);
    expect(inside.asked).not.toContain('/secret');
  });

  it('OSSN-0078: an import does not tell which ports are open', async () => {
    const open = new URL(inside.bytes('/', Buffer.from('x'))).port;
    const { id } = await alice.create(RAW);
    const asked = async (port: string | number) => {
      const { status, text } = await fromWeb(alice, id, `http://127.0.0.1:${port}/`);
      return { status, text: text.replaceAll(String(port), '<port>') };
    };

    expect(await asked(open)).toEqual(await asked(await freePort()));
    const headers = { 'x-glance-api-copy-from': `http://127.0.0.1:${open}/` };
    expect((await alice.ask('POST', '/v1/images', undefined, headers)).status).toBe(300);
    expect(inside.asked).toEqual([]);
  });
});

describe('room', () => {
  it('OSSA-2014-028: no way in takes more than the largest image', async () => {
    const data = randomBytes(5 * MIB);
    const { id } = await alice.create(RAW);

    expect((await alice.upload(id, data)).status).toBe(413);
    const slow = slowUpload(alice, id, data);
    slow.finish();
    expect(await slow.status).toBe(413);
    expect((await stage(alice, id, data)).status).toBe(413);
    expect((await alice.show(id)).body).toMatchObject({ status: 'queued', size: null });
    expect(await imported(web.bytes('/large', data))).toMatchObject({
      image: { status: 'queued' },
      task: { status: 'failure' },
    });
  });

  it('OSSA-2015-003, OSSA-2015-020: who deletes an image while it is uploaded gains no room', async () => {
    const before = await filesOf(folder);
    for (let round = 0; round < 4; round += 1) {
      const { id } = await tim.create(RAW);
      const slow = slowUpload(tim, id, randomBytes(2 * MIB));
      await eventually(async () => (await tim.show(id)).body.status === 'saving');
      expect((await tim.ask('DELETE', `/v2/images/${id}`)).status).toBe(204);
      slow.finish();
      expect([410, 0]).toContain(await slow.status);
    }

    await eventually(async () => expect(await used(TINY)).toMatchObject({ storage_bytes: 0, uploads: 0, images: 0 }));
    await eventually(async () => expect(await filesOf(folder)).toEqual(before));
  });

  it('OSSA-2015-004, OSSA-2015-013: images that are deleted while they are imported leave nothing', async () => {
    const before = await filesOf(folder, kiln.dataDir);
    let held: (() => void)[] = [];
    const uri = web.page('/slow', (_request, reply) => {
      reply.writeHead(200, { 'content-length': 2 * MIB });
      reply.write(randomBytes(MIB));
      held.push(() => reply.end(randomBytes(MIB)));
    });
    for (let round = 0; round < 3; round += 1) {
      const staged = await tim.create(RAW);
      expect((await stage(tim, staged.id, randomBytes(MIB))).status).toBe(204);
      expect((await tim.ask('DELETE', `/v2/images/${staged.id}`)).status).toBe(204);
      const fetched = await tim.create(RAW);
      expect((await fromWeb(tim, fetched.id, uri)).status).toBe(202);
      await eventually(() => held.length > 0);
      expect((await tim.ask('DELETE', `/v2/images/${fetched.id}`)).status).toBe(204);
      held.forEach((finish) => finish());
      held = [];
    }

    await eventually(
      async () => expect(await used(TINY)).toMatchObject({ storage_bytes: 0, staging_bytes: 0, images: 0 }),
      60_000,
    );
    await eventually(async () => expect(await filesOf(folder, kiln.dataDir)).toEqual(before), 60_000);
  });

  it('OSSN-0057, OSSN-0076: a project has no more images than its limit', async () => {
    const made = [];
    for (let round = 0; round < 5; round += 1) made.push(await tim.ask('POST', '/v2/images', {}));

    expect(made.map(({ status }) => status)).toEqual([201, 201, 201, 413, 413]);
    for (const { body } of made.slice(0, 3)) await tim.ask('DELETE', `/v2/images/${body.id}`);
  });
});

async function rawDownload(client: Client, id: string): Promise<ArrayBuffer> {
  const url = `${kiln.url}/image/v2/images/${id}/file`;
  return (await fetch(url, { headers: { 'x-auth-token': client.token } })).arrayBuffer();
}
