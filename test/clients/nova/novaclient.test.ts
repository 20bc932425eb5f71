import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findPythonWith } from '../../support/programs.js';
import { clients } from '../../contract/glance/wire.js';
import { program } from '../glance/programs.js';

const PATIENCE_MS = 300_000;

/**
 * The library lost its image calls long ago; its base client, which signs in, finds the service, names the microversion
 * and reads errors, is what programs use that still ask Compute for images. Prints one JSON document.
 */
const SCRIPT = `
import json, os, sys
from keystoneauth1 import identity, session
from novaclient import client, exceptions

image = sys.argv[1]
auth = identity.Password(auth_url=os.environ['OS_AUTH_URL'], username=os.environ['OS_USERNAME'],
                         password=os.environ['OS_PASSWORD'], project_name=os.environ['OS_PROJECT_NAME'],
                         user_domain_name='Default', project_domain_name='Default')
signed_in = session.Session(auth=auth)
nova = lambda version: client.Client(version, session=signed_in, region_name='RegionOne')
out = {}

def fails(call):
    try:
        call()
    except exceptions.ClientException as error:
        return [type(error).__name__, error.code, error.message]

http = nova('2.35').client
reply, body = http.get('/images/detail?limit=1&name=snapshot')
out['used'] = reply.headers['X-OpenStack-Nova-API-Version']
out['detail'] = [[i['name'], i['status'], i['metadata'], i['server']['id']] for i in body['images']]
page = [http.get('/images?limit=2')[1]]
while 'images_links' in page[-1]:
    page.append(http.get(page[-1]['images_links'][0]['href'])[1])
out['pages'] = [[i['name'] for i in p['images']] for p in page]
out['one'] = http.get('/images/' + image)[1]['image']['name']

path = '/images/' + image + '/metadata'
out['merged'] = http.post(path, body={'metadata': {'tier': 'gold'}})[1]
out['set'] = http.put(path + '/tier', body={'meta': {'tier': 'tin'}})[1]
out['got'] = http.get(path + '/tier')[1]
http.delete(path + '/tier')
out['replaced'] = http.put(path, body={'metadata': {'only': 'this'}})[1]
out['all'] = http.get(path)[1]

out['missing'] = fails(lambda: http.get('/images/none'))
out['no key'] = fails(lambda: http.delete(path + '/tier'))
out['reserved'] = fails(lambda: http.put(path, body={'metadata': {'kiln_job_id': 'x'}}))
out['malformed'] = fails(lambda: http.put(path, body={'metadata': {'a/b': 'x'}}))
out['gone in 2.36'] = fails(lambda: nova('2.36').client.get('/images'))
out['still in 2.36'] = nova('2.36').client.get(path)[1]
out['gone in 2.39'] = fails(lambda: nova('2.39').client.get(path))
out['too new'] = fails(lambda: nova('2.90').client.get('/images'))
out['current'] = nova('2.1').versions.get_current().version
http.delete('/images/' + image)
out['deleted'] = fails(lambda: http.get('/images/' + image))
print(json.dumps(out))
`;

const python = findPythonWith('novaclient');

describeWith(python ? [] : ['python3-novaclient'], 'novaclient', () => {
  let kiln: RunningKiln;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-novaclient-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
    await writeFile(join(folder, 'story.py'), SCRIPT);
  }, PATIENCE_MS);

  afterAll(async () => {
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it(
    'lists, shows, pages, writes metadata, deletes, and understands what is refused',
    async () => {
      const { alice } = await clients(kiln);
      for (const name of ['a', 'b']) await alice.create({ name });
      const server = '7b7eb3a6-f6f4-41a6-9d7f-5d6f3a0e9f11';
      const { id } = await alice.create({ name: 'snapshot', instance_uuid: server });
      const out = await program(python!, [join(folder, 'story.py'), id], kiln.openstackEnv('alice'), folder);

      const nothing = ['NotFound', 404, 'The resource could not be found.'];
      expect(JSON.parse(out)).toEqual({
        used: '2.35',
        detail: [['snapshot', 'SAVING', { instance_uuid: server }, server]],
        pages: [['snapshot', 'b'], ['a']],
        one: 'snapshot',
        merged: { metadata: { instance_uuid: server, tier: 'gold' } },
        set: { meta: { tier: 'tin' } },
        got: { meta: { tier: 'tin' } },
        replaced: { metadata: { only: 'this' } },
        all: { metadata: { only: 'this' } },
        missing: ['NotFound', 404, 'Image not found.'],
        'no key': ['NotFound', 404, 'Invalid metadata key'],
        reserved: ['Forbidden', 403, `Not authorized for image ${id}.`],
        malformed: ['BadRequest', 400, expect.stringContaining('metadata')],
        'gone in 2.36': nothing,
        'still in 2.36': { metadata: { only: 'this' } },
        'gone in 2.39': nothing,
        'too new': [
          'NotAcceptable',
          406,
          'Version 2.90 is not supported by the API. Minimum is 2.1 and maximum is 2.39.',
        ],
        current: '2.39',
        deleted: ['NotFound', 404, 'Image not found.'],
      });
    },
    PATIENCE_MS,
  );

  it(
    'knows the versions on its command line',
    async () => {
      const versions = await program('nova', ['version-list'], kiln.openstackEnv('alice'), folder);

      expect(versions).toMatch(/\| v2\.0\s+\| SUPPORTED\s/);
      expect(versions).toMatch(/\| v2\.1\s+\| CURRENT\s+\| \S+\s+\| 2\.1\s+\| 2\.39\s/);
    },
    PATIENCE_MS,
  );
});
