// One image, seen through the Compute, the Image and the IMS API.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ImsClient } from '../ims/wire.js';
import { clients, IMAGE_NOT_FOUND, type NovaClient } from './wire.js';

let kiln: RunningKiln;
let alice: NovaClient;
let bob: NovaClient;
let glance: Awaited<ReturnType<typeof clients>>['glance'];
let ims: ImsClient;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ glance, alice, bob } = await clients(kiln));
  ims = new ImsClient(kiln);
});

afterAll(() => kiln?.stop());

/** The custom properties of an image, as each API shows them. */
async function everywhere(id: string): Promise<Record<string, unknown>[]> {
  const image = (await glance.alice.show(id)).body as Record<string, unknown>;
  const plain = (await glance.alice.create()) as Record<string, unknown>;
  const properties = Object.entries(image).filter(([name]) => !Object.hasOwn(plain, name));
  const record = (await ims.get(`/v3/images/${id}`, alice.token)).body as { metadata: Record<string, unknown> };
  return [await alice.metadata(id), Object.fromEntries(properties), record.metadata];
}

describe('metadata', () => {
  it('is the same map wherever it is written', async () => {
    const { id } = await glance.alice.create({ name: 'one', made: 'by glance' });
    const steps: [() => Promise<{ status: number }>, Record<string, string>][] = [
      [() => alice.post(`/images/${id}/metadata`, { metadata: { tier: 'gold' } }), { made: 'by glance', tier: 'gold' }],
      [
        () => glance.alice.patch(id, [{ op: 'replace', path: '/tier', value: 'tin' }]),
        { made: 'by glance', tier: 'tin' },
      ],
      [
        () => ims.patch(`/v3/images/${id}`, { metadata: { operation: 'set', key: 'ims', value: 'x' } }, alice.token),
        { made: 'by glance', tier: 'tin', ims: 'x' },
      ],
      [() => alice.delete(`/images/${id}/metadata/made`), { tier: 'tin', ims: 'x' }],
      [
        () => ims.patch(`/v3/images/${id}`, { metadata: { operation: 'remove', key: 'tier' } }, alice.token),
        { ims: 'x' },
      ],
      [() => alice.put(`/images/${id}/metadata/ims`, { meta: { ims: 'y' } }), { ims: 'y' }],
      [() => alice.put(`/images/${id}/metadata`, { metadata: { all: 'new' } }), { all: 'new' }],
      [() => glance.alice.patch(id, [{ op: 'remove', path: '/all' }]), {}],
    ];

    for (const [write, properties] of steps) {
      expect((await write()).status).toBeLessThan(300);
      expect(await everywhere(id)).toEqual([properties, properties, properties]);
    }
  });

  it('has the architecture in it, which IMS shows as a field of its own', async () => {
    const { id } = await glance.alice.create();
    await alice.put(`/images/${id}/metadata/architecture`, { meta: { architecture: 'aarch64' } });
    const { body } = await ims.get(`/v3/images/${id}`, alice.token);
    await ims.patch(`/v3/images/${id}`, { arch: 'x86_64' }, alice.token);

    expect(body).toMatchObject({ arch: 'aarch64', metadata: {} });
    expect(await alice.metadata(id)).toEqual({ architecture: 'x86_64' });
  });
});

describe('an image', () => {
  it('that IMS made is in the lists, and the other way round', async () => {
    const { id } = (await ims.post('/v3/images', { name: 'of-ims', metadata: { a: 'b' } }, alice.token)).body;
    const { image } = (await alice.get(`/images/${id}`)).body;

    expect(image).toMatchObject({ id, name: 'of-ims', metadata: { a: 'b' }, status: 'SAVING' });
    expect(await alice.names('property-a=b')).toEqual(['of-ims']);
    expect(await bob.names('property-a=b')).toEqual([]);
  });

  it('that is deleted here is gone everywhere, and comes back whole', async () => {
    const { id } = await glance.alice.create({ name: 'back', a: '1' });
    const before = (await alice.get(`/images/${id}`)).body.image;
    await alice.delete(`/images/${id}`);
    const gone = [await alice.get(`/images/${id}`), await alice.get(`/images/${id}/metadata`)];
    const deleted = await ims.get(`/v3/deleted/images/${id}`, alice.token);
    await ims.patch(`/v3/deleted/images/${id}`, { operation: 'undelete' }, alice.token);

    for (const { status, body } of gone) expect([status, body]).toEqual([404, IMAGE_NOT_FOUND]);
    expect([(await glance.alice.show(id)).status, deleted.body.id]).toEqual([200, id]);
    const after = (await alice.get(`/images/${id}`)).body.image;
    expect(after).toEqual({ ...before, updated: after.updated });
  });

  it('that IMS or Glance deletes is gone here', async () => {
    const [first, second] = [await glance.alice.create(), await glance.alice.create()];
    await ims.delete(`/v3/images/${first.id}`, alice.token);
    await glance.alice.ask('DELETE', `/v2/images/${second.id}`);

    for (const { id } of [first, second]) {
      expect((await alice.get(`/images/${id}`)).body).toEqual(IMAGE_NOT_FOUND);
      expect((await alice.put(`/images/${id}/metadata`, { metadata: {} })).body).toEqual(IMAGE_NOT_FOUND);
    }
  });
});
