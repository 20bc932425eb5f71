// The exchanges are those of the Image API v2 reference, of tempest's ImageLocationsTest and of Glance 25.1.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, type Client, clients } from './wire.js';

const DATA = Buffer.from('the bytes of an image somewhere on the web');
const FORMATS = { disk_format: 'raw', container_format: 'bare' };
const digest = (algorithm: string, data: Buffer): string => createHash(algorithm).update(data).digest('hex');
const VALIDATION = {
  checksum: digest('md5', DATA),
  os_hash_algo: 'sha512',
  os_hash_value: digest('sha512', DATA),
};

let kiln: RunningKiln;
let web: Server;
let base: string;
let root: Client;
let alice: Client;
let bob: Client;
let rita: Client;

/** What the web has to give, by path; ranges are understood below /ranges. */
let pages: Map<string, Buffer>;

beforeAll(async () => {
  web = createServer((request, response) => {
    const path = request.url!;
    const data = pages.get(path);
    if (!data) {
      response.writeHead(404).end();
      return;
    }
    const range = path.startsWith('/ranges') && /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (!range) {
      response.writeHead(200, { 'content-length': data.length }).end(data);
      return;
    }
    const part = data.subarray(Number(range[1]), Number(range[2]) + 1);
    const contentRange = `bytes ${range[1]}-${range[2]}/${data.length}`;
    response.writeHead(206, { 'content-length': part.length, 'content-range': contentRange }).end(part);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const { port } = web.address() as AddressInfo;
  base = `http://127.0.0.1:${port}`;
  kiln = await startKiln({
    env: {
      KILN_IMAGE_LOCATIONS: 'shown',
      KILN_IMAGE_DIRECT_URL: 'shown',
      KILN_EGRESS_ALLOW: `127.0.0.1:${port}`,
    },
  });
  ({ root, alice, bob, rita } = await clients(kiln));
});

beforeEach(() => {
  pages = new Map([
    ['/a', DATA],
    ['/b', DATA],
    ['/ranges', DATA],
    ['/other', Buffer.from('x'.repeat(DATA.length))],
    ['/longer', Buffer.from('x'.repeat(DATA.length + 1))],
    ['/empty', Buffer.alloc(0)],
  ]);
});

afterAll(async () => {
  await kiln?.stop();
  web.closeAllConnections();
  web.close();
});

const at = (path: string, more: object = {}) => ({ url: base + path, metadata: {}, ...more });
const add = (client: Client, id: string, value: unknown, position = '-') =>
  client.patch(id, [{ op: 'add', path: `/locations/${position}`, value }]);
const replace = (client: Client, id: string, value: unknown) =>
  client.patch(id, [{ op: 'replace', path: '/locations', value }]);
const remove = (client: Client, id: string, position: string) =>
  client.patch(id, [{ op: 'remove', path: `/locations/${position}` }]);
const urls = async (id: string): Promise<string[]> =>
  (await alice.show(id)).body.locations.map(({ url }: { url: string }) => url);

async function imageAt(path: string, more: object = {}): Promise<string> {
  const { id } = await alice.create(FORMATS);
  const answer = await add(alice, id, at(path, more));
  if (answer.status !== 200) throw new Error(answer.text);
  // Bytes of which nobody has said a digest are looked at first.
  await eventually(async () => (await alice.show(id)).body.os_hash_value !== null);
  return id;
}

describe('locations that are shown', () => {
  it('are empty without data, and name a copy without telling where it lies', async () => {
    expect((await alice.create()).locations).toEqual([]);

    const image = await alice.createWithData(DATA);

    expect(image.locations).toEqual([
      { url: expect.stringMatching(/^kiln:\/\/default\/[0-9a-f-]{36}$/), metadata: { store: 'default' } },
    ]);
    expect(image.direct_url).toBe(image.locations[0].url);
    const { images } = (await alice.ask('GET', '/v2/images?limit=1')).body;
    expect(images[0].locations).toEqual(image.locations);
  });

  it('are for the owner and administrators, not for everybody who sees the image', async () => {
    const image = await alice.createWithData(DATA, { visibility: 'community' });

    expect((await bob.show(image.id)).body).not.toHaveProperty('locations');
    expect((await bob.show(image.id)).body).not.toHaveProperty('direct_url');
    for (const client of [root, rita]) expect((await client.show(image.id)).body.locations).toHaveLength(1);
  });
});

describe('a location on the web', () => {
  it('makes a queued image active, whose bytes come from there', async () => {
    const id = await imageAt('/a', { metadata: { speed: '88mph' }, validation_data: VALIDATION });

    const image = (await alice.show(id)).body;
    expect(image).toMatchObject({ status: 'active', size: DATA.length, checksum: VALIDATION.checksum, stores: 'http' });
    expect(image.os_hash_value).toBe(VALIDATION.os_hash_value);
    expect(image.locations).toEqual([{ url: `${base}/a`, metadata: { speed: '88mph', store: 'http' } }]);
    const download = await alice.ask('GET', `/v2/images/${id}/file`);
    expect([download.status, download.text]).toEqual([200, DATA.toString()]);
    expect(download.headers.get('content-length')).toBe(String(DATA.length));
  });

  it.each(['/a', '/ranges'])('gives a range of %s, with and without digests', async (path) => {
    for (const more of [{}, { validation_data: VALIDATION }]) {
      const id = await imageAt(path, more);

      const answer = await alice.ask('GET', `/v2/images/${id}/file`, undefined, { range: 'bytes=4-8' });

      expect([answer.status, answer.text]).toEqual([206, 'bytes']);
      expect(answer.headers.get('content-range')).toBe(`bytes 4-8/${DATA.length}`);
    }
  });

  it('fails rather than lies when other bytes have come to lie there', async () => {
    const id = await imageAt('/a', { validation_data: VALIDATION });
    pages.set('/a', pages.get('/other')!);

    // Nothing of so little was sent before it was compared.
    expect((await alice.ask('GET', `/v2/images/${id}/file`)).status).toBe(503);
    const range = { range: 'bytes=0-3' };
    expect((await alice.ask('GET', `/v2/images/${id}/file`, undefined, range)).status).toBe(503);
    pages.set('/a', pages.get('/longer')!);
    expect((await alice.ask('GET', `/v2/images/${id}/file`)).status).toBe(503);
    pages.delete('/a');
    expect((await alice.ask('GET', `/v2/images/${id}/file`)).status).toBe(503);
  });

  it('gives way to another one', async () => {
    const id = await imageAt('/a', { validation_data: VALIDATION });
    expect((await add(alice, id, at('/b'), '0')).status).toBe(200);
    expect(await urls(id)).toEqual([`${base}/b`, `${base}/a`]);

    pages.delete('/b');

    expect((await alice.ask('GET', `/v2/images/${id}/file`)).text).toBe(DATA.toString());
  });

  it.each([
    ['file:///etc/passwd', 400],
    ['filesystem:///etc/passwd', 400],
    ['swift+config://ref/container/object', 400],
    ['gopher://info.cern.ch', 400],
    ['s3://key:secret@bucket/object', 400],
    ['http://169.254.169.254/latest/meta-data/', 400],
    ['http://127.0.0.1:1/', 400],
    ['http://localhost/', 400],
    ['http://2130706433/', 400],
    ['http://user:secret@mirror.example.org/', 400],
    ['kiln://default/00000000-0000-0000-0000-000000000000', 400],
    [`http://mirror.example.org/${'a'.repeat(255)}`, 400],
    ['', 400],
    [7, 400],
  ])('is refused at %j', async (url, status) => {
    const { id } = await alice.create(FORMATS);

    expect((await add(alice, id, { url, metadata: {} })).status).toBe(status);
    expect((await replace(alice, id, [{ url, metadata: {} }])).status).toBe(status);

    expect((await alice.show(id)).body).toMatchObject({ status: 'queued', locations: [] });
  });

  it('is refused where nothing is, or nothing that has a size', async () => {
    const { id } = await alice.create(FORMATS);

    for (const path of ['/nothing', '/empty']) expect((await add(alice, id, at(path))).status).toBe(400);

    expect((await alice.show(id)).body.status).toBe('queued');
  });

  it('needs url, metadata and a place in the list', async () => {
    const { id } = await alice.create(FORMATS);
    const url = `${base}/a`;

    for (const value of [
      { url },
      { metadata: {} },
      { url, metadata: 'a' },
      [],
      'a',
      null,
      { url, metadata: {}, a: 1 },
    ]) {
      expect((await add(alice, id, value)).status).toBe(400);
    }
    for (const position of ['x', '-1', '1', '0/url', '1e3']) {
      expect((await add(alice, id, at('/a'), position)).status).toBe(400);
    }
    expect((await replace(alice, id, at('/a'))).status).toBe(400);
    expect((await alice.patch(id, [{ op: 'replace', path: '/locations/0', value: at('/a') }])).status).toBe(400);
    expect((await add(alice, id, at('/a', { metadata: { a: '\u0000' } }))).status).toBe(400);
    expect((await add(alice, id, at('/a', { metadata: { store: 'default' } }))).status).toBe(400);
    const nest = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const value = `{"url":"${url}","metadata":{"a":${nest}}}`;
    expect((await alice.patch(id, `[{"op":"add","path":"/locations/-","value":${value}}]`)).status).toBe(400);
  });

  it('needs the formats of the image', async () => {
    const { id } = await alice.create();

    expect((await add(alice, id, at('/a'))).status).toBe(400);
  });

  it('is the owner’s to set, and an administrator’s to remove', async () => {
    const id = await imageAt('/a', { validation_data: VALIDATION });
    await add(alice, id, at('/b'));

    expect((await add(bob, id, at('/b'))).status).toBe(404);
    expect((await add(rita, id, at('/b'))).status).toBe(403);
    expect((await remove(alice, id, '0')).status).toBe(403);
    expect((await remove(bob, id, '0')).status).toBe(404);
    expect((await ask(kiln, 'PATCH', `/v2/images/${id}`)).status).toBe(401);
    expect((await remove(root, id, '5')).status).toBe(400);
    expect((await remove(root, id, '0')).status).toBe(200);
    expect(await urls(id)).toEqual([`${base}/b`]);
    expect((await remove(root, id, '0')).status).toBe(403);
    expect((await replace(root, id, [])).status).toBe(403);
  });

  it('is there once, and ten are enough', async () => {
    const id = await imageAt('/a', { validation_data: VALIDATION });

    expect((await add(alice, id, at('/a'))).status).toBe(400);
    for (let number = 1; number < 10; number += 1) expect((await add(alice, id, at(`/a#${number}`))).status).toBe(200);
    expect((await add(alice, id, at('/a#10'))).status).toBe(413);
    expect(await urls(id)).toHaveLength(10);
  });

  it('keeps its address when all are replaced, and may be noted anew', async () => {
    const id = await imageAt('/a', { validation_data: VALIDATION });

    expect((await replace(alice, id, [at('/a', { metadata: { date: '2015-10-15' } })])).status).toBe(200);
    expect((await alice.show(id)).body.locations[0].metadata).toEqual({ date: '2015-10-15', store: 'http' });
    for (const value of [[at('/b')], [at('/a'), at('/b')]]) expect((await replace(alice, id, value)).status).toBe(400);
    expect(await urls(id)).toEqual([`${base}/a`]);
  });
});

describe('bytes of an active image', () => {
  it('OSSA-2016-006: cannot be taken away to be replaced', async () => {
    for (const { id } of [await alice.createWithData(DATA), { id: await imageAt('/a') }]) {
      for (const client of [alice, root]) {
        expect((await remove(client, id, '0')).status).toBe(403);
        expect((await replace(client, id, [])).status).toBe(403);
      }
      expect((await alice.upload(id, 'other')).status).toBe(409);
      expect((await alice.show(id)).body.status).toBe('active');
    }
  });

  it('OSSN-0065: are not replaced by those at another place', async () => {
    const own = await alice.createWithData(DATA);
    const elsewhere = await imageAt('/a', { validation_data: VALIDATION });

    for (const id of [own.id, elsewhere]) {
      expect((await replace(alice, id, [at('/other')])).status).toBe(400);
      await add(alice, id, at('/other'), '0');
      for (const query of ['', '?prefer=http']) {
        const answer = await alice.ask('GET', `/v2/images/${id}/file${query}`);
        expect([
          [200, DATA.toString()],
          [503, expect.not.stringContaining('xxxx')],
        ]).toContainEqual([answer.status, answer.text]);
      }
    }
  });

  it('are what is known of them, whatever is said of a location', async () => {
    const id = await imageAt('/a', { validation_data: VALIDATION });
    const wrong = { checksum: '2'.repeat(32), os_hash_value: 'beefdead'.repeat(16), os_hash_algo: 'sha256' };

    for (const [key, value] of Object.entries(wrong)) {
      const location = at('/b', { validation_data: { ...VALIDATION, [key]: value } });
      expect((await add(alice, id, location)).status).toBe(409);
    }
    expect((await add(alice, id, at('/longer'))).status).toBe(409);
    expect((await add(alice, id, at('/b', { validation_data: VALIDATION }))).status).toBe(200);
    expect((await alice.show(id)).body).toMatchObject({ checksum: VALIDATION.checksum, size: DATA.length });
  });

  it('do not change to those of a location of the same size', async () => {
    const image = await alice.createWithData(DATA);
    expect((await add(alice, image.id, at('/other'))).status).toBe(200);

    expect((await alice.ask('GET', `/v2/images/${image.id}/file?prefer=http`)).status).toBe(503);
    expect((await alice.ask('GET', `/v2/images/${image.id}/file`)).text).toBe(DATA.toString());
    // A copy stays once the image's manifest names it, which a worker writes.
    const removed = (await root.ask('DELETE', `/v2/stores/default/${image.id}`)).status;
    const read = await alice.ask('GET', `/v2/images/${image.id}/file`);
    expect([
      [204, 503],
      [409, 200],
    ]).toContainEqual([removed, read.status]);
    expect(read.text).not.toContain('xxxx');
  });

  it('of another project are not read by naming their copy', async () => {
    const secret = await bob.createWithData(Buffer.from('a secret of beta'));
    const [{ url }] = (await bob.show(secret.id)).body.locations;
    const { id } = await alice.create(FORMATS);
    const own = await alice.createWithData(DATA);

    for (const target of [id, own.id]) {
      expect((await add(alice, target, { url, metadata: {} })).status).toBe(400);
      expect((await replace(alice, target, [{ url, metadata: {} }])).status).toBe(400);
      expect((await add(alice, target, { url, metadata: { store: 'default' } })).status).toBe(400);
    }
    expect((await alice.show(id)).body.status).toBe('queued');
  });

  it.each([
    ['algorithm', { os_hash_algo: 'sha256', os_hash_value: 'a'.repeat(64) }, 409],
    ['length', { os_hash_algo: 'sha512', os_hash_value: 'ab' }, 409],
    ['hexadecimal', { os_hash_algo: 'sha512', os_hash_value: 'z'.repeat(128) }, 409],
    ['checksum', { ...VALIDATION, checksum: 'ab' }, 409],
    ['missing value', { os_hash_algo: 'sha512' }, 400],
    ['missing algorithm', { os_hash_value: VALIDATION.os_hash_value }, 400],
    ['shape', 'sha512', 400],
  ])('are not said to have a digest of a wrong %s', async (_what, validation, status) => {
    const { id } = await alice.create(FORMATS);

    expect((await add(alice, id, at('/a', { validation_data: validation }))).status).toBe(status);

    expect((await alice.show(id)).body).toMatchObject({ status: 'queued', os_hash_value: null });
  });
});
