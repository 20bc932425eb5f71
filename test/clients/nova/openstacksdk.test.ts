import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findPythonWith } from '../../support/programs.js';
import { clients } from '../../contract/glance/wire.js';
import { program } from '../glance/programs.js';

const PATIENCE_MS = 300_000;

/** What a user of the library writes; prints one JSON document. */
const SCRIPT = `
import json, sys
import openstack
from openstack import exceptions

image = sys.argv[1]
conn = openstack.connect(compute_default_microversion='2.35')
out = {}
out['endpoint'] = conn.compute.get_endpoint()
out['all'] = sorted(i.name for i in conn.compute.images())
out['paged'] = sorted(i.name for i in conn.compute.images(details=False, limit=2))
out['filtered'] = [i.name for i in conn.compute.images(name='one', min_ram=512)]
one = conn.compute.get_image(image)
out['one'] = [one.name, one.status, one.progress, one.size, one.min_ram, one.metadata]
out['found'] = [conn.compute.find_image('one').id == image, conn.compute.find_image(image).id == image,
                conn.compute.find_image('nobody')]
out['metadata'] = conn.compute.get_image_metadata(image).metadata
conn.compute.set_image_metadata(image, tier='gold', hw_disk_bus='virtio')
out['set'] = conn.compute.get_image_metadata(image).metadata
out['in glance'] = conn.image.get_image(image).hw_disk_bus
conn.compute.delete_image_metadata(image, ['tier'])
out['deleted key'] = conn.compute.get_image_metadata(image).metadata
conn.compute.delete_image_metadata(image)
out['cleared'] = conn.compute.get_image_metadata(image).metadata
try:
    conn.compute.set_image_metadata(image, kiln_job_id='x')
except exceptions.HttpException as error:
    out['refused'] = [error.status_code, error.details]
newer = openstack.connect(compute_default_microversion='2.36')
try:
    list(newer.compute.images())
except exceptions.HttpException as error:
    out['gone'] = error.status_code
conn.compute.delete_image(image, ignore_missing=False)
conn.compute.delete_image(image)
out['after'] = sorted(i.name for i in conn.compute.images())
print(json.dumps(out))
`;

const python = findPythonWith('openstack');

describeWith(python ? [] : ['python3-openstacksdk'], 'openstacksdk, asking Compute for images', () => {
  let kiln: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-sdk-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
    await writeFile(join(folder, 'story.py'), SCRIPT);
  }, PATIENCE_MS);

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it(
    'lists, finds, shows, writes metadata and deletes',
    async () => {
      const { alice } = await clients(kiln);
      for (const name of ['two', 'three', 'four']) await alice.create({ name });
      const { id } = await alice.createWithData(Buffer.from('0123456789'), { name: 'one', min_ram: 512, a: '1' });
      const out = await program(python!, [join(folder, 'story.py'), id], kiln.openstackEnv('alice'), folder);

      expect(JSON.parse(out.trim().split('\n').at(-1)!)).toEqual({
        endpoint: `${kiln.url}/compute/v2.1`,
        all: ['four', 'one', 'three', 'two'],
        paged: ['four', 'one', 'three', 'two'],
        filtered: ['one'],
        one: ['one', 'ACTIVE', 100, 10, 512, { a: '1' }],
        found: [true, true, null],
        metadata: { a: '1' },
        set: { a: '1', tier: 'gold', hw_disk_bus: 'virtio' },
        'in glance': 'virtio',
        'deleted key': { a: '1', hw_disk_bus: 'virtio' },
        cleared: {},
        refused: [403, `Not authorized for image ${id}.`],
        gone: 404,
        after: ['four', 'three', 'two'],
      });
    },
    PATIENCE_MS,
  );

  it(
    'does what the README says',
    async () => {
      const { bob } = await clients(kiln);
      const { id } = await bob.createWithData(Buffer.from('x'), { name: 'debian', os_distro: 'debian' });
      const [, lines] = /^```python\n([^]*?)^```$/m.exec(await readFile(resolve('README.md'), 'utf8'))!;
      await writeFile(join(folder, 'readme.py'), lines!);
      const out = await program(python!, [join(folder, 'readme.py')], kiln.openstackEnv('bob'), folder);

      expect(out.trim().split('\n')).toEqual([
        "[('debian', 'ACTIVE')]",
        '100',
        "{'os_distro': 'debian', 'hw_disk_bus': 'virtio'}",
        'None',
      ]);
      expect((await bob.show(id)).status).toBe(404);
    },
    PATIENCE_MS,
  );
});
