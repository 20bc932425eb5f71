import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Client, clients } from './wire.js';

let kiln: RunningKiln;
let alice: Client;

beforeAll(async () => {
  kiln = await startKiln({
    env: { KILN_ROLE: 'api', KILN_IMAGE_DISK_FORMATS: 'raw,wic', KILN_IMAGE_CONTAINER_FORMATS: 'bare' },
  });
  ({ alice } = await clients(kiln));
});
afterAll(() => kiln?.stop());

it('takes the formats that the operator lists, and no others', async () => {
  const { id } = await alice.create({ disk_format: 'wic', container_format: 'bare' });
  const replace = (path: string, value: unknown) => alice.patch(id, [{ op: 'replace', path, value }]);

  expect((await alice.ask('POST', '/v2/images', { disk_format: 'qcow2' })).status).toBe(400);
  expect((await alice.ask('POST', '/v2/images', { container_format: 'ova' })).status).toBe(400);
  expect((await replace('/disk_format', 'qcow2')).status).toBe(400);
  expect((await replace('/container_format', 'ova')).status).toBe(400);
  expect((await replace('/disk_format', 'raw')).status).toBe(200);
  expect((await replace('/disk_format', null)).status).toBe(200);
});

it('shows them in the schema', async () => {
  const { body } = await alice.ask('GET', '/v2/schemas/image');

  expect(body.properties.disk_format.enum).toEqual([null, 'raw', 'wic']);
  expect(body.properties.container_format.enum).toEqual([null, 'bare']);
});

it('takes data of a format that nothing is known of', async () => {
  const image = await alice.createWithData(Buffer.from('a board image'), { disk_format: 'wic' });

  expect(image).toMatchObject({ status: 'active', virtual_size: null });
});
