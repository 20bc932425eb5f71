// No sequence of calls, through whatever faces, changes the bytes of an image that was active once, or takes it where
// the table of statuses does not lead.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { mkdtemp, rm } from 'node:fs/promises';
import { eventually } from '../support/eventually.js';
import { BETA, type RunningKiln, startKiln } from '../support/kiln.js';
import { SEED } from '../support/seed.js';
import { type Answer, Client, clients } from '../contract/glance/wire.js';
import { ImsClient } from '../contract/ims/wire.js';

let kiln: RunningKiln;
let web: Server;
let webUrl: string;
let storesDir: string;
let actors: Record<'alice' | 'root' | 'bob', Client>;
let ims: ImsClient;

beforeAll(async () => {
  web = createServer((request, reply) => {
    if (request.url?.startsWith('/missing')) reply.writeHead(404).end();
    else reply.end(`from the web: ${request.url}`);
  }).listen(0, '127.0.0.1');
  await once(web, 'listening');
  const address = `127.0.0.1:${(web.address() as AddressInfo).port}`;
  webUrl = `http://${address}`;
  storesDir = await mkdtemp(join(tmpdir(), 'kiln-stores-'));
  const stores = ['one', 'two'].map((id) => ({ id, type: 'file', path: join(storesDir, id) }));
  kiln = await startKiln({
    env: {
      KILN_STORES: JSON.stringify(stores),
      KILN_EGRESS_ALLOW: address,
      KILN_IMAGE_LOCATIONS: 'shown',
      KILN_DELETED_RETENTION: 'never',
    },
  });
  ims = new ImsClient(kiln);
  const { alice, root, bob } = await clients(kiln);
  actors = { alice, root, bob };
});
afterAll(async () => {
  await kiln?.stop();
  web?.close();
  web?.closeAllConnections();
  if (storesDir) await rm(storesDir, { recursive: true, force: true });
});

/** What was seen of an image. */
interface Sight {
  readonly status: string;
  readonly content: string | null;
}

/** The table of the contract, said again: what may follow what. */
const NEXT: Record<string, readonly string[]> = {
  queued: ['saving', 'uploading', 'importing', 'examining', 'active', 'gone'],
  saving: ['active', 'queued', 'gone'],
  uploading: ['importing', 'queued', 'gone'],
  importing: ['active', 'queued', 'gone'],
  // Shown as active, but nobody gets its bytes before a task has looked at them; see docs/faces/glance.md.
  examining: ['active', 'queued', 'gone'],
  active: ['deactivated', 'gone'],
  deactivated: ['active', 'gone'],
  // Brought back as it was; what was arriving when it was deleted comes back queued.
  gone: ['queued', 'active', 'deactivated'],
};

/** Whether some way leads from one status to another: the background may take several steps between two looks. */
function leads(from: string, to: string): boolean {
  const reached = new Set([from]);
  for (const status of reached)
    for (const next of status === 'gone' && from !== 'gone' ? [] : NEXT[status]!) reached.add(next);
  return reached.has(to);
}

/** The image as an administrator sees it, its bytes read for real. */
async function look(id: string): Promise<Sight> {
  const shown = await actors.root.show(id);
  if (shown.status === 404) return { status: 'gone', content: null };
  const { status, size, checksum, os_hash_value } = shown.body;
  if (status === 'active' && checksum === null && shown.body.os_glance_import_task !== undefined) {
    return { status: 'examining', content: null };
  }
  if (status !== 'active' && status !== 'deactivated') return { status, content: null };
  const reply = await fetch(`${kiln.url}/image/v2/images/${id}/file`, {
    headers: { 'x-auth-token': actors.root.token },
  });
  // Deleted or reset between the two requests.
  if (reply.status === 404 || reply.status === 204) return look(id);
  // Of what lies on the web only, nothing rather than something else.
  if (reply.status === 503 && shown.body.stores === 'http') return { status, content: null };
  const bytes = Buffer.from(await reply.arrayBuffer());
  const told = reply.status === 200 ? '' : bytes.toString();
  expect({ id, status: reply.status, told }).toEqual({ id, status: 200, told: '' });
  const md5 = createHash('md5').update(bytes).digest('hex');
  if (checksum !== null) expect({ id, md5, size: bytes.length }).toEqual({ id, md5: checksum, size });
  if (os_hash_value !== null) expect(createHash('sha512').update(bytes).digest('hex')).toBe(os_hash_value);
  return { status, content: `${bytes.length}:${md5}` };
}

async function toArtifact(client: Client, method: string, path: string, body?: string): Promise<{ status: number }> {
  const reply = await fetch(`${kiln.url}/artifacts/${path}`, {
    method,
    headers: { 'x-auth-token': client.token },
    body,
  });
  await reply.arrayBuffer();
  return reply;
}
const put = (client: Client, path: string, body: string) => toArtifact(client, 'PUT', path, body);

type Act = (client: Client, id: string, n: number) => Promise<Answer | { status: number }>;
const OCTETS = { 'content-type': 'application/octet-stream' };
const json = { 'content-type': 'application/json' };
const patch =
  (...changes: object[]): Act =>
  (client, id) =>
    client.patch(id, changes);
const importing =
  (method: object, more: object = {}): Act =>
  (client, id) =>
    client.ask('POST', `/v2/images/${id}/import`, { method, ...more }, json);
const artifact =
  (method: 'PUT' | 'DELETE', path: (id: string) => string): Act =>
  (client, id, n) =>
    method === 'PUT' ? put(client, path(id), `other bytes ${n}`) : toArtifact(client, method, path(id));
const ofIms =
  (method: string, path: (id: string) => string, body?: (id: string, n: number) => object): Act =>
  async (client, id, n) =>
    ims.send(method, path(id), client.token, body?.(id, n));

const ACTS: Record<string, Act> = {
  upload: (client, id, n) => client.upload(id, Buffer.alloc(1 + n * 997, `upload ${n}`)),
  uploadElsewhere: (client, id, n) => client.upload(id, `second store ${n}`, { 'x-image-meta-store': 'two' }),
  stage: (client, id, n) => client.ask('PUT', `/v2/images/${id}/stage`, `staged ${n}`, OCTETS),
  importStaged: importing({ name: 'glance-direct' }),
  importEverywhere: importing({ name: 'glance-direct' }, { all_stores: true, all_stores_must_succeed: false }),
  importWeb: (client, id, n) => importing({ name: 'web-download', uri: `${webUrl}/${n}` })(client, id, n),
  settle: async (_client, id) => {
    await eventually(async () => {
      expect((await actors.root.show(id)).body?.os_glance_import_task).toBeUndefined();
    });
    return { status: 204 };
  },
  importMissing: (client, id, n) => importing({ name: 'web-download', uri: `${webUrl}/missing/${n}` })(client, id, n),
  copy: importing({ name: 'copy-image' }, { all_stores: true, all_stores_must_succeed: false }),
  removeCopy: (client, id, n) => client.ask('DELETE', `/v2/stores/${n % 2 ? 'one' : 'two'}/${id}`),
  deactivate: (client, id) => client.ask('POST', `/v2/images/${id}/actions/deactivate`),
  reactivate: (client, id) => client.ask('POST', `/v2/images/${id}/actions/reactivate`),
  formats: patch(
    { op: 'replace', path: '/disk_format', value: 'iso' },
    { op: 'replace', path: '/container_format', value: 'bare' },
  ),
  rawFormats: patch(
    { op: 'replace', path: '/disk_format', value: 'raw' },
    { op: 'replace', path: '/container_format', value: 'bare' },
  ),
  rename: patch({ op: 'replace', path: '/name', value: 'renamed' }),
  publish: patch({ op: 'replace', path: '/visibility', value: 'public' }),
  digests: patch({ op: 'replace', path: '/checksum', value: 'd41d8cd98f00b204e9800998ecf8427e' }),
  activate: patch({ op: 'replace', path: '/status', value: 'active' }),
  locateOnTheWeb: (client, id, n) =>
    client.patch(id, [{ op: 'add', path: '/locations/-', value: { url: `${webUrl}/${n}`, metadata: {} } }]),
  replaceLocations: (client, id, n) =>
    client.patch(id, [
      { op: 'replace', path: '/locations', value: [{ url: `${webUrl}/replaced/${n}`, metadata: {} }] },
    ]),
  removeLocation: patch({ op: 'remove', path: '/locations/0' }),
  postLocation: (client, id, n) =>
    client.ask('POST', `/v2/images/${id}/locations`, { url: `${webUrl}/posted/${n}` }, json),
  share: (client, id) => client.ask('POST', `/v2/images/${id}/members`, { member: BETA }, json),
  queueForCache: (client, id) => client.ask('PUT', `/v2/cache/${id}`),
  clearCache: (client) => client.ask('DELETE', '/v2/cache'),
  delete: (client, id) => client.ask('DELETE', `/v2/images/${id}`),
  imsLink: async (client, id, n) => {
    const [rootfs, manifest] = [`boot-images/parts/${id}/rootfs`, `boot-images/parts/${id}/manifest.json`];
    await put(client, rootfs, `root file system ${n}`);
    const link = (path: string) => ({ type: 's3', path: `s3://${path}` });
    const artifacts = [{ type: 'application/vnd.cray.image.rootfs.squashfs', link: link(rootfs) }];
    await put(client, manifest, JSON.stringify({ version: '1.0', artifacts }));
    return ims.send('PATCH', `/v3/images/${id}`, client.token, { link: link(manifest) });
  },
  imsMetadata: ofIms(
    'PATCH',
    (id) => `/v3/images/${id}`,
    (_, n) => ({ metadata: { operation: 'set', key: 'k', value: String(n) } }),
  ),
  imsDelete: ofIms('DELETE', (id) => `/v3/images/${id}`),
  imsUndelete: ofIms(
    'PATCH',
    (id) => `/v3/deleted/images/${id}`,
    () => ({ operation: 'undelete' }),
  ),
  novaMetadata: async (client, id, n) => {
    const reply = await fetch(`${kiln.url}/compute/v2.1/images/${id}/metadata`, {
      method: n % 2 ? 'PUT' : 'POST',
      headers: { 'x-auth-token': client.token, ...json },
      body: JSON.stringify({ metadata: { nova: String(n) } }),
    });
    await reply.arrayBuffer();
    return reply;
  },
  replaceManifest: artifact('PUT', (id) => `boot-images/${id}/manifest.json`),
  removeManifest: artifact('DELETE', (id) => `boot-images/${id}/manifest.json`),
  replaceRootfs: artifact('PUT', (id) => `boot-images/parts/${id}/rootfs`),
  removeRootfs: artifact('DELETE', (id) => `boot-images/parts/${id}/rootfs`),
};

/** Where a sequence begins, so that it gets to what a throw of so many dice hardly ever does. */
const BEGINNINGS: readonly (readonly string[])[] = [
  [],
  [],
  ['upload'],
  ['stage', 'importStaged', 'settle'],
  ['importWeb', 'settle'],
  ['upload', 'copy', 'settle', 'removeCopy'],
  ['upload', 'share', 'queueForCache', 'deactivate', 'reactivate'],
  ['locateOnTheWeb', 'removeLocation'],
  ['stage', 'importEverywhere', 'settle'],
  ['postLocation', 'settle', 'copy', 'settle', 'removeLocation'],
  ['imsLink', 'imsDelete', 'imsUndelete'],
  ['upload', 'delete', 'imsUndelete', 'novaMetadata'],
];
const USUAL = ['upload', 'stage', 'importStaged', 'importWeb', 'copy', 'removeCopy', 'delete', 'imsUndelete'];

const step = fc.record({
  // The owner most of the time: what others are refused proves less.
  actor: fc.constantFrom<keyof typeof actors>('alice', 'alice', 'alice', 'root', 'bob'),
  // Most acts are refused most of the time.
  act: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...Object.keys(ACTS)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...USUAL),
    },
  ),
  n: fc.nat(50),
  together: fc.boolean(),
});

it('no sequence of calls changes the bytes of an active image, or breaks the table of statuses', async () => {
  const accepted = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...BEGINNINGS), fc.array(step, { maxLength: 12 }), async (beginning, more) => {
      const { id } = await actors.alice.create({ disk_format: 'raw', container_format: 'bare', visibility: 'shared' });
      let seen: Sight = { status: 'queued', content: null };
      let content: string | null = null;
      const check = async () => {
        const now = await look(id);
        expect({ from: seen.status, to: now.status, allowed: leads(seen.status, now.status) }).toMatchObject({
          allowed: true,
        });
        if (now.content !== null) {
          content ??= now.content;
          expect(now.content).toBe(content);
        }
        // Once complete, an image has its bytes or is gone.
        if (content !== null) expect(['active', 'deactivated', 'gone']).toContain(now.status);
        seen = now;
      };
      let under: Promise<unknown>[] = [];
      const begun = beginning.map((act, n) => ({ actor: 'alice' as const, act, n, together: false }));
      for (const { actor, act, n, together } of [...begun, ...more]) {
        // What only an administrator may do would be refused nearly every time.
        const client = actors[actor === 'alice' && FOR_ADMINISTRATORS.includes(act) ? 'root' : actor];
        const acting = ACTS[act]!(client, id, n).then(({ status }) => {
          expect({ act, server: status >= 500 && status !== 503 }).toEqual({ act, server: false });
          if (status < 300) accepted.set(act, (accepted.get(act) ?? 0) + 1);
        });
        under.push(acting);
        if (together) continue;
        await Promise.all(under);
        under = [];
        await check();
      }
      await Promise.all(under);
      // What runs in the background comes to its end.
      await eventually(async () => {
        await check();
        expect(['saving', 'importing', 'examining']).not.toContain(seen.status);
      });
    }),
    { numRuns: 120, seed: SEED },
  );

  // Sequences that got nowhere would prove nothing; what hardly ever comes by chance is begun with.
  const begun = new Set(BEGINNINGS.flat());
  expect([...begun].filter((act) => !accepted.has(act))).toEqual([]);
}, 300_000);

const FOR_ADMINISTRATORS = ['removeLocation', 'copy', 'removeCopy', 'publish', 'queueForCache', 'clearCache'];
