import { it, expect, beforeAll, afterAll } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { S3ObjectStore } from '../../../src/platform/object-store/s3-object-store.js';
import { eventually } from '../../support/eventually.js';
import { startKiln, type RunningKiln } from '../../support/kiln.js';
import { all } from '../../support/object-stores.js';
import { describeWith } from '../../support/programs.js';
import { SWIFT_PROGRAMS, startSwift, type Swift } from '../../support/servers/swift.js';

const MIB = 1024 * 1024;

describeWith(SWIFT_PROGRAMS, 'Kiln on OpenStack Swift', () => {
  let swift: Swift;
  let kiln: RunningKiln;
  let token: string;

  beforeAll(async () => {
    swift = await startSwift();
    const { endpoint, region, bucket, accessKeyId, secretAccessKey } = swift;
    const store = { id: 'bulk', type: 's3', endpoint, region, bucket, accessKeyId, secretAccessKey, prefix: 'kiln/' };
    kiln = await startKiln({ env: { KILN_STORES: JSON.stringify([store]), KILN_DELETED_RETENTION: '0' } });
    token = await kiln.token('alice');
  }, 300_000);
  afterAll(async () => {
    await kiln?.stop();
    await swift?.stop();
  });

  const api = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${kiln.url}/image/v2${path}`, {
      method,
      headers: { 'x-auth-token': token, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
  const newImage = async (): Promise<string> => {
    const reply = await api('POST', '/images', { name: 'i', disk_format: 'raw', container_format: 'bare' });
    return ((await reply.json()) as { id: string }).id;
  };
  const upload = (image: string, body: Buffer): Promise<Response> =>
    fetch(`${kiln.url}/image/v2/images/${image}/file`, {
      method: 'PUT',
      headers: { 'x-auth-token': token, 'content-type': 'application/octet-stream' },
      body: new Uint8Array(body),
    });

  it('takes an image in parts, gives it back whole and by range, and removes it', async () => {
    const bytes = randomBytes(23 * MIB + 17);
    const image = await newImage();

    expect((await upload(image, bytes)).status).toBe(204);

    const shown = (await (await api('GET', `/images/${image}`)).json()) as Record<string, unknown>;
    expect(shown).toMatchObject({
      status: 'active',
      size: bytes.length,
      os_hash_value: createHash('sha512').update(bytes).digest('hex'),
    });
    const whole = Buffer.from(await (await api('GET', `/images/${image}/file`)).arrayBuffer());
    expect(whole.equals(bytes)).toBe(true);
    const part = await fetch(`${kiln.url}/image/v2/images/${image}/file`, {
      headers: { 'x-auth-token': token, range: `bytes=${5 * MIB - 3}-${5 * MIB + 2}` },
    });
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(5 * MIB - 3, 5 * MIB + 3));

    expect((await api('DELETE', `/images/${image}`)).status).toBe(204);

    const store = new S3ObjectStore({ id: 'bulk', ...swift });
    await eventually(async () => expect(await all(store, '')).toEqual([]));
    await store.close();
    expect(await swift.leftovers()).toEqual([]);
  });

  it('leaves nothing of an upload whose client hangs up, and takes it the second time', async () => {
    const image = await newImage();
    const cut = request(`${kiln.url}/image/v2/images/${image}/file`, {
      method: 'PUT',
      headers: { 'x-auth-token': token, 'content-type': 'application/octet-stream' },
    });
    cut.on('error', () => undefined);
    cut.write(Buffer.alloc(14 * MIB));
    await eventually(async () => expect((await swift.leftovers()).length).toBeGreaterThan(1));
    cut.destroy();

    await eventually(async () => expect(await swift.leftovers()).toEqual([]));

    await eventually(async () => {
      const shown = (await (await api('GET', `/images/${image}`)).json()) as { status: string };
      expect(shown.status).toBe('queued');
    });
    expect((await upload(image, Buffer.from('whole'))).status).toBe(204);
    expect(await (await api('GET', `/images/${image}/file`)).text()).toBe('whole');
  });

  it('answers 503 in the API’s own form while Swift is away', async () => {
    const image = await newImage();
    await swift.stop();

    const reply = await upload(image, Buffer.alloc(6 * MIB));

    expect(reply.status).toBe(503);
    expect(await (await api('GET', `/images/${image}`)).json()).toMatchObject({ status: 'queued' });
  });
});
