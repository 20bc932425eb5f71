// Property protections as the Image API v2 reference and Glance 25.1 have them.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Client, clients } from './wire.js';

const RULES = `
[^x_secret]
create = admin
read = admin
update = admin
delete = admin

[^x_fixed]
create = member
read = @
update = admin
delete = admin

[^architecture$]
create = admin
read = admin
update = admin
delete = admin

[.*]
create = @
read = @
update = @
delete = @
`;

let folder: string;
let kiln: RunningKiln;
let root: Client;
let alice: Client;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-protections-'));
  const file = join(folder, 'protections.conf');
  await writeFile(file, RULES);
  kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_PROPERTY_PROTECTION_FILE: file } });
  ({ root, alice } = await clients(kiln));
});

afterAll(async () => {
  await kiln?.stop();
  await rm(folder, { recursive: true, force: true });
});

const of = (...answers: { status: number }[]): number[] => answers.map(({ status }) => status);
const add = (path: string, value = 'v') => ({ op: 'add', path, value });

/** An image of alice's with a property that the administrator put on it. */
async function withSecret(): Promise<string> {
  const { id } = await alice.create({ name: 'kept', colour: 'red', x_fixed: '1' });
  expect(of(await root.patch(id, [add('/x_secret', 'hush')]))).toEqual([200]);
  return id;
}

it('hides the architecture, but not images from the API that shows them by theirs', async () => {
  const { id } = await alice.create({ name: 'of some architecture' });
  expect(of(await root.patch(id, [add('/architecture', 'aarch64')]))).toEqual([200]);
  const token = await kiln.token('alice');
  const names = async (path: string) => {
    const reply = await fetch(`${kiln.url}/apis/ims/v3/${path}`, { headers: { 'x-auth-token': token } });
    return ((await reply.json()) as { name: string }[]).map(({ name }) => name);
  };
  expect(await names('images')).toContain('of some architecture');
  expect(await names('images?arch=aarch64')).toEqual([]);

  const reply = await fetch(`${kiln.url}/apis/ims/v3/images`, { method: 'DELETE', headers: { 'x-auth-token': token } });
  expect(reply.status).toBe(204);
  expect(await names('images?limit=10')).toEqual([]);
  expect(await names('deleted/images')).toContain('of some architecture');
});

describe('a property that one may not read', () => {
  it('is in no answer and found by no filter', async () => {
    const id = await withSecret();

    expect((await root.show(id)).body).toMatchObject({ x_secret: 'hush' });
    const answers = [
      (await alice.show(id)).body,
      (await alice.patch(id, [add('/colour', 'blue')])).body,
      ...(await alice.ask('GET', '/v2/images')).body.images,
    ];
    for (const image of answers) expect(image).not.toHaveProperty('x_secret');
    expect((await alice.show(id)).body).toMatchObject({ colour: 'blue', x_fixed: '1' });
    expect(await alice.names('x_secret=hush')).toEqual([]);
    expect(await root.names('x_secret=hush')).toContain('kept');
  });

  it('cannot be told from a missing one by a patch, and survives it', async () => {
    const id = await withSecret();
    const operations = (name: string) => [
      { op: 'replace', path: name, value: 'x' },
      { op: 'remove', path: name },
      add(name),
    ];

    const hidden = await Promise.all(operations('/x_secret').map((operation) => alice.patch(id, [operation])));
    const missing = await Promise.all(operations('/x_secret_none').map((operation) => alice.patch(id, [operation])));

    expect(of(...hidden)).toEqual([409, 409, 403]);
    expect(of(...missing)).toEqual([409, 409, 403]);
    expect((await root.show(id)).body).toMatchObject({ x_secret: 'hush' });
  });

  it('survives when another API replaces all of them', async () => {
    const id = await withSecret();
    const url = `${kiln.url}/apis/ims/v3/images/${id}`;
    const headers = { 'x-auth-token': alice.token, 'content-type': 'application/json' };

    const shown = (await (await fetch(url, { headers })).json()) as { metadata: Record<string, string> };
    const metadata = { operation: 'remove', key: 'x_secret' };
    await fetch(url, { method: 'PATCH', headers, body: JSON.stringify({ metadata }) });

    expect(shown.metadata).not.toHaveProperty('x_secret');
    expect((await root.show(id)).body).toMatchObject({ x_secret: 'hush' });
  });
});

describe('a property that one may only read', () => {
  it('OSSN-0013: is shown, and neither changed nor removed, whatever a later rule for all of them says', async () => {
    const id = await withSecret();

    expect(of(await alice.patch(id, [add('/x_fixed', '2')]))).toEqual([403]);
    expect(of(await alice.patch(id, [{ op: 'remove', path: '/x_fixed' }]))).toEqual([403]);
    expect((await alice.show(id)).body).toMatchObject({ x_fixed: '1' });
  });
});

it('refuses to make an image with a property that one may not create', async () => {
  expect(of(await alice.ask('POST', '/v2/images', { x_secret: 'mine' }))).toEqual([403]);
});

// No advisory of its own, but what the notes on property protections warn of.
describe('property protection bypass', () => {
  it.each([
    ['a removal and an addition in one patch', [{ op: 'remove', path: '/x_fixed' }, add('/x_fixed', '2')]],
    ['an addition over what is there', [add('/x_fixed', '2')]],
    ['a doubled slash', [{ op: 'replace', path: '//x_fixed', value: '2' }]],
    [
      'an escaped name',
      [
        { op: 'replace', path: '/x~0fixed', value: '2' },
        { op: 'replace', path: '/x_fixed', value: '2' },
      ],
    ],
    ['a harmless change before it', [add('/colour', 'blue'), { op: 'replace', path: '/x_fixed', value: '2' }]],
  ])('is not had by %s', async (_how, changes) => {
    const id = await withSecret();

    const { status } = await alice.patch(id, changes);

    expect([403, 409]).toContain(status);
    expect((await root.show(id)).body).toMatchObject({ x_fixed: '1', x_secret: 'hush', colour: 'red' });
  });

  it('is not had through the older patch language, the Compute API or IMS', async () => {
    const id = await withSecret();
    const send = (path: string, method: string, body: object) =>
      fetch(`${kiln.url}${path}`, {
        method,
        headers: { 'x-auth-token': alice.token, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });

    const answers = [
      await alice.patch(id, [{ replace: '/x_fixed', value: '2' }], 0),
      await send(`/compute/v2.1/images/${id}/metadata/x_fixed`, 'PUT', { meta: { x_fixed: '2' } }),
      await send(`/compute/v2.1/images/${id}/metadata`, 'POST', { metadata: { x_secret: 'mine' } }),
      await send(`/apis/ims/v3/images/${id}`, 'PATCH', { metadata: { operation: 'set', key: 'x_fixed', value: '2' } }),
      await send(`/apis/ims/v3/images/${id}`, 'PATCH', { metadata: { operation: 'remove', key: 'x_fixed' } }),
    ];

    expect(of(...answers).filter((status) => status < 400)).toEqual([]);
    expect((await root.show(id)).body).toMatchObject({ x_fixed: '1', x_secret: 'hush' });
  });
});
