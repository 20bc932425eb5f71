import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findPythonWith } from '../../support/programs.js';
import { program } from './programs.js';

const PATIENCE_MS = 300_000;

/** What a user of the library writes; prints one JSON document. */
const SCRIPT = `
import hashlib, io, json, os, sys
import openstack
from openstack import exceptions

beta = sys.argv[1]
alice = openstack.connect()
bob = openstack.connect(auth_url=os.environ['OS_AUTH_URL'], username='bob', password='s3cret-bob', project_name='beta',
                        user_domain_name='Default', project_domain_name='Default', region_name='RegionOne',
                        load_envvars=False, load_yaml_config=False)
out = {}

data = os.urandom(3_000_000)
with open('image.raw', 'wb') as f:
    f.write(data)
image = alice.create_image('sdk', filename='image.raw', disk_format='raw', container_format='bare', wait=True, validate_checksum=True,
                           meta={'os_distro': 'debian'}, tags=['one'])
out['status'] = image.status
out['sha512'] = image.hash_value == hashlib.sha512(data).hexdigest()
out['md5'] = image.checksum == hashlib.md5(data).hexdigest()
# A second create of the same content finds the first.
out['same'] = alice.create_image('sdk', filename='image.raw', disk_format='raw', container_format='bare', wait=True, validate_checksum=True,
                                 meta={'os_distro': 'debian'}, tags=['one']).id == image.id

got = io.BytesIO()
alice.image.download_image(image, output=got)
out['downloaded'] = got.getvalue() == data

alice.image.update_image(image, name='renamed', hw_disk_bus='virtio')
out['found'] = [i.name for i in alice.image.images(name='renamed')]
out['by_tag'] = [i.name for i in alice.image.images(tag='one')]
out['property'] = alice.image.get_image(image).hw_disk_bus
for n in range(5):
    alice.image.create_image('page-%d' % n, allow_duplicates=True, disk_format='raw', container_format='bare')
out['pages'] = [i.name for i in alice.image.images(limit=2, sort='name:asc') if i.name.startswith('page-')]

alice.image.add_tag(image, 'two')
alice.image.remove_tag(image, 'one')
out['tags'] = list(alice.image.get_image(image).tags)

alice.image.add_member(image, member_id=beta)
out['hidden'] = [i.name for i in bob.image.images()]
bob.image.update_member(beta, image, status='accepted')
out['shared'] = [i.name for i in bob.image.images()]
out['members'] = [(m.member_id, m.status) for m in alice.image.members(image)]

try:
    bob.image.delete_image(image, ignore_missing=False)
except exceptions.HttpException as error:
    out['refused'] = error.status_code
alice.image.delete_image(image)
try:
    alice.image.get_image(image.id)
except exceptions.HttpException as error:
    out['gone'] = error.status_code
print(json.dumps(out))
`;

const python = findPythonWith('openstack');

describeWith(python ? [] : ['python3-openstacksdk'], 'openstacksdk', () => {
  let kiln: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-sdk-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
    await writeFile(
      join(folder, 'story.py'),
      SCRIPT.replace('import hashlib', `import os\nos.chdir(${JSON.stringify(folder)})\nimport hashlib`),
    );
  });

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it(
    'creates, finds, downloads, changes, pages, shares and deletes',
    async () => {
      const out = await program(python!, [join(folder, 'story.py'), BETA], kiln.openstackEnv('alice'), folder);

      expect(JSON.parse(out.trim().split('\n').at(-1)!)).toEqual({
        status: 'active',
        sha512: true,
        md5: true,
        same: true,
        downloaded: true,
        found: ['renamed'],
        by_tag: ['renamed'],
        property: 'virtio',
        pages: ['page-0', 'page-1', 'page-2', 'page-3', 'page-4'],
        tags: ['two'],
        hidden: [],
        shared: ['renamed'],
        members: [[BETA, 'accepted']],
        refused: 403,
        gone: 404,
      });
    },
    PATIENCE_MS,
  );
});
