// The exchanges are those of the Compute API reference ("Images"), of tempest's response schemas and of Nova 26.2.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { clients, IMAGE_NOT_FOUND, type NovaClient, UNKNOWN_ID } from './wire.js';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

let kiln: RunningKiln;
let root: NovaClient;
let alice: NovaClient;
let bob: NovaClient;
let rita: NovaClient;
let glance: Awaited<ReturnType<typeof clients>>['glance'];

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ glance, root, alice, bob, rita } = await clients(kiln));
});

afterAll(() => kiln?.stop());

const linksOf = (id: string, base = '/v2.1', project = '') => [
  { rel: 'self', href: `${kiln.url}/compute${base}${project}/images/${id}` },
  { rel: 'bookmark', href: `${kiln.url}/compute${project}/images/${id}` },
  { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${kiln.url}/image/images/${id}` },
];

describe('an image', () => {
  it('is shown with its data, its limits and its properties, and nothing else', async () => {
    const made = await glance.alice.createWithData(Buffer.from('0123456789'), {
      name: 'debian-13',
      min_disk: 3,
      min_ram: 512,
      os_distro: 'debian',
      kernel_id: UNKNOWN_ID,
      tags: ['a'],
    });

    const { status, body } = await alice.get(`/images/${made.id}`);

    expect([status, body]).toEqual([
      200,
      {
        image: {
          id: made.id,
          name: 'debian-13',
          status: 'ACTIVE',
          progress: 100,
          minDisk: 3,
          minRam: 512,
          'OS-EXT-IMG-SIZE:size': 10,
          created: made.created_at,
          updated: made.updated_at,
          metadata: { os_distro: 'debian', kernel_id: UNKNOWN_ID },
          links: linksOf(made.id),
        },
      },
    ]);
    expect(body.image.created).toMatch(TIME);
  });

  it('without data is being saved, and may have no name', async () => {
    const { id } = await glance.alice.create();
    const { image } = (await alice.get(`/images/${id}`)).body;

    expect(image).toMatchObject({ name: null, status: 'SAVING', progress: 25, 'OS-EXT-IMG-SIZE:size': 0 });
    expect(image).not.toHaveProperty('server');
    expect(image).not.toHaveProperty('OS-DCF:diskConfig');
  });

  it('that is a snapshot has its server, and a disk configuration if it says so', async () => {
    const { id } = await glance.alice.create({ instance_uuid: UNKNOWN_ID, auto_disk_config: 'True' });
    const project = `/${ALPHA}`;
    const { image } = (await alice.below(`/v2.1${project}`).get(`/images/${id}`)).body;

    expect(image).toMatchObject({
      'OS-DCF:diskConfig': 'AUTO',
      links: linksOf(id, '/v2.1', project),
      server: {
        id: UNKNOWN_ID,
        links: [
          { rel: 'self', href: `${kiln.url}/compute/v2.1${project}/servers/${UNKNOWN_ID}` },
          { rel: 'bookmark', href: `${kiln.url}/compute${project}/servers/${UNKNOWN_ID}` },
        ],
      },
    });
  });

  it('has structured properties as structure, however deep they claim to be', async () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    const mappings = '[{"virtual":"root","device":"/dev/sda1"}]';
    const made = [
      await glance.alice.create({ mappings, block_device_mapping: 'no JSON', other: mappings }),
      await glance.alice.create({ mappings: deep }),
    ];

    const shown = await Promise.all(made.map(({ id }) => alice.metadata(id)));
    expect(shown[0]).toEqual({
      mappings: JSON.parse(mappings) as unknown,
      block_device_mapping: 'no JSON',
      other: mappings,
    });
    expect(shown[1]).toEqual({ mappings: deep });
  });

  it('is shown to who may see it, and to nobody else', async () => {
    const hidden = await glance.alice.create({ visibility: 'private' });
    const community = await glance.alice.create({ visibility: 'community' });
    const shared = await glance.alice.create();
    await glance.alice.ask('POST', `/v2/images/${shared.id}/members`, { member: BETA });
    const show = async (client: NovaClient, id: string) => (await client.get(`/images/${id}`)).status;

    for (const client of [alice, rita, root]) expect(await show(client, hidden.id)).toBe(200);
    expect([await show(bob, community.id), await show(bob, shared.id)]).toEqual([200, 200]);
    expect(await show(alice, hidden.id.toUpperCase())).toBe(200);
    for (const id of [hidden.id, UNKNOWN_ID, 'x', '%00', 'd%C3%A9tail']) {
      const answer = await bob.get(`/images/${id}`);

      expect([answer.status, answer.body]).toEqual([404, IMAGE_NOT_FOUND]);
    }
  });
});

describe('deleting an image', () => {
  it('answers with nothing, and then nobody finds it', async () => {
    const { id } = await glance.alice.create();
    const gone = await alice.delete(`/images/${id}`);
    const again = await alice.delete(`/images/${id}`);

    expect([gone.status, gone.text]).toEqual([204, '']);
    expect([again.status, again.body]).toEqual([404, IMAGE_NOT_FOUND]);
    expect((await alice.get(`/images/${id}`)).body).toEqual(IMAGE_NOT_FOUND);
    expect((await glance.alice.show(id)).status).toBe(404);
  });

  it('is refused to readers, to other projects, and for protected images to everybody', async () => {
    const { id } = await glance.alice.create({ visibility: 'community' });
    const kept = await glance.alice.create({ protected: true });
    const refused = {
      forbidden: { message: 'You are not allowed to delete the image.', code: 403 },
    };

    for (const [client, image] of [
      [bob, id],
      [rita, id],
      [alice, kept.id],
      [root, kept.id],
    ] as const) {
      const answer = await client.delete(`/images/${image}`);

      expect([answer.status, answer.body]).toEqual([403, refused]);
    }
    expect((await bob.delete(`/images/${kept.id}`)).body).toEqual(IMAGE_NOT_FOUND);
    expect((await alice.delete('/images/x')).body).toEqual(IMAGE_NOT_FOUND);
    expect([(await glance.alice.show(id)).status, (await glance.alice.show(kept.id)).status]).toEqual([200, 200]);
  });

  it('is done by one of two at once', async () => {
    const { id } = await glance.alice.create();
    const answers = await Promise.all([alice.delete(`/images/${id}`), alice.delete(`/images/${id}`)]);

    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404]);
  });
});
