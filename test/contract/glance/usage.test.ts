// The exchanges are those of the Image API v2 reference ("Quota usage") and of Glance 25.1.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { ask, Client } from './wire.js';

const MEBIBYTE = 2 ** 20;

let kiln: RunningKiln;
let beside: RunningKiln;
let tim: Client;
let alice: Client;

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api' },
    bootstrap: {
      projects: [
        ...STANDARD_BOOTSTRAP.projects,
        { name: 'tiny', limits: { images: 7, storage_bytes: 5 * MEBIBYTE, staging_bytes: MEBIBYTE, keys: 3 } },
      ],
      users: [
        ...STANDARD_BOOTSTRAP.users,
        { name: 'tim', password: 's3cret-tim', roles: [{ project: 'tiny', role: 'member' }] },
      ],
    },
  });
  beside = await startKiln({ beside: kiln, env: { KILN_ROLE: 'api' } });
  tim = new Client(kiln, await kiln.token('tim', 'tiny'));
  alice = new Client(kiln, await kiln.token('alice'));
});

afterAll(async () => {
  await beside?.stop();
  await kiln?.stop();
});

const usage = async (client: Client) => (await client.ask('GET', '/v2/info/usage')).body.usage;

describe('the usage of a project', () => {
  it('is told for what is limited, sizes in MiB', async () => {
    const image = await tim.createWithData(Buffer.alloc(2 * MEBIBYTE));

    expect(await usage(tim)).toEqual({
      image_size_total: { usage: 2, limit: 5 },
      image_stage_total: { usage: 0, limit: 1 },
      image_count_total: { usage: 1, limit: 7 },
    });

    await tim.ask('DELETE', `/v2/images/${image.id}`);
    expect(await usage(tim)).toMatchObject({ image_size_total: { usage: 0 }, image_count_total: { usage: 0 } });
  });

  it('is empty without limits, needs a token, and takes no body', async () => {
    expect(await usage(alice)).toEqual({});
    expect((await ask(kiln, 'GET', '/v2/info/usage')).status).toBe(401);
    expect((await alice.ask('POST', '/v2/info/usage', {})).status).toBe(405);
  });

  it('never passes a limit, with two processes and many requests at once', async () => {
    const create = (at: RunningKiln) => ask(at, 'POST', '/v2/images', { token: tim.token, body: {} });

    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => create(index % 2 ? kiln : beside)));

    const made = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status === 413);
    expect([made.length, refused.length]).toEqual([7, 53]);
    expect(refused[0]!.text).toContain('Delete what is not needed any more, or ask your operator for a higher limit');
    expect(await usage(tim)).toMatchObject({ image_count_total: { usage: 7, limit: 7 } });
    await Promise.all(made.map(({ body }) => tim.ask('DELETE', `/v2/images/${body.id}`)));
    expect(await usage(tim)).toMatchObject({ image_count_total: { usage: 0 } });
  });

  it('never passes the limit of bytes either, whether senders say how much comes or not', async () => {
    const images = await Promise.all(
      Array.from({ length: 7 }, () => tim.create({ disk_format: 'raw', container_format: 'bare' })),
    );
    const announced = (id: string, at: RunningKiln) =>
      new Client(at, tim.token).upload(id, Buffer.alloc(2 * MEBIBYTE)).then(({ status }) => status);
    const streamed = (id: string, at: RunningKiln) =>
      fetch(`${at.url}/image/v2/images/${id}/file`, {
        method: 'PUT',
        headers: { 'x-auth-token': tim.token, 'content-type': 'application/octet-stream' },
        body: new Blob([Buffer.alloc(2 * MEBIBYTE)]).stream(),
        duplex: 'half',
      }).then(({ status }) => status);

    const statuses = await Promise.all(
      images.map(({ id }, index) => (index % 3 === 0 ? streamed : announced)(id, index % 2 ? kiln : beside)),
    );

    const stored = statuses.filter((status) => status === 204).length;
    expect(stored).toBeGreaterThan(0);
    expect(stored).toBeLessThanOrEqual(2);
    expect(statuses.filter((status) => status === 413)).toHaveLength(7 - stored);
    expect(await usage(tim)).toMatchObject({ image_size_total: { usage: 2 * stored, limit: 5 } });
  });
});
