// The rows and faults are those that the reference's controller tests expect of list_official_images.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { clients as imageClients } from '../glance/wire.js';
import { type Client, clients, SIGNING_BOOTSTRAP } from './wire.js';

let kiln: RunningKiln;
let glance: Awaited<ReturnType<typeof imageClients>>;
let alice: Client;
let bob: Client;

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api', KILN_PARALLELCLUSTER_REGIONS: 'eu-north-1,us-east-1' },
    bootstrap: SIGNING_BOOTSTRAP,
  });
  glance = await imageClients(kiln);
  ({ alice, bob } = clients(kiln));
});

afterAll(() => kiln?.stop());

/** An image which an administrator has published and flagged. */
function publish(name: string, os: string, more: object = {}) {
  return glance.root.createWithData(Buffer.from(name), {
    name,
    visibility: 'public',
    kiln_official_os: os,
    ...more,
  });
}

/** The AMI id of an image, by the rule that everybody can follow. */
const amiOf = ({ id }: { id: string }) => `ami-${id.replaceAll('-', '').slice(0, 17)}`;

describe('official images', () => {
  it('are none until an administrator flags one', async () => {
    expect((await alice.get('/official')).body).toEqual({ images: [] });
    expect((await alice.preview.get('/official')).body).toEqual({ items: [] });
  });

  it('are the newest public ones of each system and architecture, for everybody', async () => {
    await publish('rocky old', 'rocky9');
    const rocky = await publish('rocky new', 'rocky9', { architecture: 'x86_64' });
    const arm = await publish('rocky arm', 'rocky9', { architecture: 'aarch64' });
    const ubuntu = await publish('ubuntu', 'ubuntu2204');
    await publish('not public', 'rhel9', { visibility: 'private' });
    await publish('not known', 'plan9');
    await publish('of no architecture that is known', 'rhel8', { architecture: 'riscv64' });
    await glance.root.create({ name: 'not active', visibility: 'public', kiln_official_os: 'rhel9' });

    const version = '3.12.0';
    const images = [
      { amiId: amiOf(arm), os: 'rocky9', name: 'rocky arm', version, architecture: 'arm64' },
      { amiId: amiOf(rocky), os: 'rocky9', name: 'rocky new', version, architecture: 'x86_64' },
      { amiId: amiOf(ubuntu), os: 'ubuntu2204', name: 'ubuntu', version, architecture: 'x86_64' },
    ];
    expect((await bob.get('/official?region=us-east-1')).body).toEqual({ images });
    expect((await bob.preview.get('/official')).body).toEqual({ items: images });
    expect((await alice.get('/official?os=rocky9&architecture=x86_64')).body).toEqual({ images: [images[1]] });
    expect((await alice.get('/official?os=rhel9')).body).toEqual({ images: [] });
  });

  it.each([
    ['os=plan9', [`'plan9'`, 'alinux2023']],
    ['architecture=aarch64', [`'aarch64'`, 'arm64']],
    ['os=a&architecture=b', [`'a'`, '; ', `'b'`]],
    ['region=nowhere', [`'nowhere'`]],
  ])('are not listed by %s', async (query, parts) => {
    const { status, body } = await alice.get(`/official?${query}`);

    expect({ status, keys: Object.keys(body) }).toEqual({ status: 400, keys: ['message'] });
    expect(body.message).toMatch(/^Bad Request: /);
    for (const part of parts) expect(body.message).toContain(part);
  });
});

describe('the property of official images', () => {
  it('is written by administrators only, and outlives what others replace', async () => {
    const image = await glance.alice.create({ name: 'mine' });
    const flag = { op: 'add', path: '/kiln_official_os', value: 'rocky9' };

    expect((await glance.alice.patch(image.id, [flag])).status).toBe(403);
    expect((await glance.alice.ask('POST', '/v2/images', { kiln_official_os: 'rocky9' })).status).toBe(403);
    expect((await glance.root.patch(image.id, [flag])).body.kiln_official_os).toBe('rocky9');

    expect((await glance.alice.patch(image.id, [{ ...flag, op: 'remove' }])).status).toBe(403);
    const metadata = { metadata: { other: 'x' } };
    const replaced = await fetch(`${kiln.url}/compute/v2.1/images/${image.id}/metadata`, {
      method: 'PUT',
      headers: { 'x-auth-token': glance.alice.token, 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    });
    expect(replaced.status).toBe(200);
    expect((await glance.alice.show(image.id)).body).toMatchObject({ kiln_official_os: 'rocky9', other: 'x' });
    const unflag = () => glance.root.patch(image.id, [{ op: 'remove', path: '/kiln_official_os' }]);
    expect((await unflag()).status).toBe(200);
    expect((await unflag()).status).toBe(409);
  });
});
