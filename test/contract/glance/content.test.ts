// Facts: the Image API v2 reference ("Image data", "Image signature verification") and the format check of newer Glance.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import {
  fixedVhd,
  iso,
  over,
  plain,
  qcow2,
  qed,
  vdi,
  vhd,
  vhdx,
  vmdk,
  VMDK_DESCRIPTOR,
} from '../../support/disks/disk-images.js';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { type Client, clients } from './wire.js';

let kiln: RunningKiln;
let alice: Client;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ alice } = await clients(kiln));
});
afterAll(() => kiln?.stop());

const create = (diskFormat: string, properties: object = {}) =>
  alice.create({ disk_format: diskFormat, container_format: 'bare', ...properties });

describe('data of the declared format', () => {
  it.each<[string, Buffer, number]>([
    ['qcow2', qcow2(), 2 ** 30],
    ['vmdk', vmdk(), 2 ** 30],
    ['vdi', vdi(), 2 ** 30],
    ['vhd', vhd(), 2 ** 30],
    ['vhd', fixedVhd(plain()), plain().length],
    ['vhdx', vhdx(), 2 ** 30],
    ['iso', iso(), iso().length],
    ['raw', plain(), plain().length],
  ])('%s is taken, and tells its virtual size', async (diskFormat, content, virtualSize) => {
    const { id } = await create(diskFormat);

    expect((await alice.upload(id, content)).status).toBe(204);

    expect((await alice.show(id)).body).toMatchObject({
      status: 'active',
      size: content.length,
      virtual_size: virtualSize,
    });
  });
});

describe('data that must not become an image', () => {
  it.each<[string, string, Buffer, RegExp]>([
    [
      'another format',
      'qcow2',
      vmdk(),
      /disk_format of image \S+ is qcow2, but the data is vmdk; set disk_format to vmdk/,
    ],
    ['no format', 'vmdk', plain(), /the data is not recognisably vmdk/],
    ['a format as raw', 'raw', qcow2(), /the data is qcow2/],
    ['qed as raw', 'raw', qed(), /the data is qed/],
    ['a disc as a disk', 'qcow2', iso(), /the data is iso/],
    ['a backing file', 'qcow2', qcow2({ backingFile: '/etc/shadow' }), /needs a backing file/],
    ['a data file', 'qcow2', qcow2({ incompatible: 4n }), /keeps its data in another file/],
    [
      'a foreign extent',
      'vmdk',
      vmdk({ descriptor: VMDK_DESCRIPTOR.replace('disk.vmdk', '/etc/shadow') }),
      /names data outside of itself/,
    ],
    ['a disk in a disc', 'iso', over(qcow2(), 512, iso()), /qcow2 and iso at once/],
    [
      'an absurd size',
      'qcow2',
      qcow2({ virtualSizeBytes: 1n << 60n }),
      /a disk of no possible size|a disk of \d+ bytes/,
    ],
  ])('for %s is 415 with a reason, and the image can be tried again', async (_why, diskFormat, content, reason) => {
    const { id } = await create(diskFormat);

    const refused = await alice.upload(id, content);

    expect([refused.status, refused.text]).toEqual([415, expect.stringMatching(reason)]);
    expect((await alice.show(id)).body).toMatchObject({
      status: 'queued',
      size: null,
      virtual_size: null,
      checksum: null,
    });
    await alice.patch(id, [{ op: 'replace', path: '/disk_format', value: 'raw' }]);
    expect((await alice.upload(id, plain())).status).toBe(204);
  });

  it('is refused while the rest of it has yet to come', async () => {
    const { id } = await create('qcow2');

    // Its sender waits for the answer before it goes on.
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request(
        `${kiln.url}/image/v2/images/${id}/file`,
        {
          method: 'PUT',
          headers: {
            'x-auth-token': alice.token,
            'content-type': 'application/octet-stream',
            'content-length': String(2 ** 30),
          },
        },
        (reply) => {
          resolve(reply.statusCode!);
          sent.destroy();
        },
      );
      sent.on('error', reject);
      sent.write(plain());
    });

    expect(status).toBe(415);
    expect((await alice.show(id)).body).toMatchObject({ status: 'queued' });
  });
});

describe('a signed image', () => {
  const signature = {
    img_signature: 'c2lnbmVk',
    img_signature_hash_method: 'SHA-256',
    img_signature_key_type: 'RSA-PSS',
    img_signature_certificate_uuid: '0f3c1c54-6f53-4a41-9d9b-0a2c5f3f8b11',
  };

  it('whose certificate is not here is refused with 400, and stays queued', async () => {
    const { id } = await create('raw', signature);

    const refused = await alice.upload(id, plain());

    expect([refused.status, refused.text]).toEqual([
      400,
      expect.stringMatching(/this deployment keeps no certificates/),
    ]);
    expect((await alice.show(id)).body).toMatchObject({ status: 'queued' });
  });

  it.each(Object.keys(signature))('without %s is not signed', async (missing) => {
    const { id } = await create('raw', { ...signature, [missing]: undefined });

    expect((await alice.upload(id, plain())).status).toBe(204);
  });
});

describeWith(['qemu-img', 'bwrap', 'unshare', 'prlimit', 'python3'], 'an import that unpacks and converts', () => {
  let converting: RunningKiln;
  let member: Client;

  beforeAll(async () => {
    converting = await startKiln({ env: { KILN_IMPORT_DECOMPRESS: 'on', KILN_IMPORT_CONVERT_TO: 'qcow2' } });
    ({ alice: member } = await clients(converting));
  });
  afterAll(() => converting?.stop());

  /** Stages data and imports it, to the end of that. */
  async function imported(
    diskFormat: string,
    data: Buffer,
    properties: object = {},
  ): Promise<{ image: any; task: any }> {
    const { id } = await member.create({ disk_format: diskFormat, container_format: 'bare', ...properties });
    const octets = { 'content-type': 'application/octet-stream' };
    expect((await member.ask('PUT', `/v2/images/${id}/stage`, data, octets)).status).toBe(204);
    expect((await member.ask('POST', `/v2/images/${id}/import`, { method: { name: 'glance-direct' } })).status).toBe(
      202,
    );
    return eventually<any>(async () => {
      const [task] = (await member.ask('GET', `/v2/images/${id}/tasks`)).body.tasks;
      // Only then the image: it is what the end of the task made it.
      return ['success', 'failure'].includes(task.status) && { image: (await member.show(id)).body, task };
    }, 60_000);
  }

  it('makes an image of the wanted format, with the size of its disk', async () => {
    const { image, task } = await imported('raw', gzipSync(plain()));

    expect(task).toMatchObject({ status: 'success' });
    expect(image).toMatchObject({
      status: 'active',
      disk_format: 'qcow2',
      container_format: 'bare',
      virtual_size: plain().length,
    });
  });

  it('leaves a disc what it is', async () => {
    const { image } = await imported('iso', iso());

    expect(image).toMatchObject({ status: 'active', disk_format: 'iso', size: iso().length });
  });

  it.each<[string, string, Buffer, RegExp]>([
    ['another format', 'vmdk', qcow2(), /the data is qcow2/],
    ['a backing file', 'qcow2', qcow2({ backingFile: '/etc/shadow' }), /needs a backing file/],
    ['a packed backing file', 'vdi', gzipSync(vdi({ kind: 4 })), /only the changes to another disk/],
  ])('fails for %s, and the image is queued', async (_why, diskFormat, data, reason) => {
    const { image, task } = await imported(diskFormat, data);

    expect(task).toMatchObject({ status: 'failure', message: expect.stringMatching(reason) });
    expect(image).toMatchObject({ status: 'queued', size: null, disk_format: diskFormat });
  });
});
