// The library of the build containers and loaders itself, which reads and writes objects in S3 and records here.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { promisify } from 'node:util';
import { ImsClient, UUID } from '../../contract/ims/wire.js';
import { type ArtifactsAsS3, artifactsAsS3 } from '../../support/artifacts-as-s3.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith, findPythonWith } from '../../support/programs.js';

const run = promisify(execFile);

/** No distribution carries it: a folder with its source, as `git clone https://github.com/Cray-HPE/ims-python-helper` makes. */
const SOURCE = process.env.KILN_TEST_IMS_PYTHON_HELPER;
const python = findPythonWith('boto3, requests');
const here = SOURCE !== undefined && existsSync(join(SOURCE, 'ims_python_helper'));

/** Prints one JSON document. */
const SCRIPT = `
import json, os, sys
import requests
from ims_python_helper import ImsHelper

folder, job = sys.argv[1:3]
session = requests.session()
session.headers['Authorization'] = 'Bearer ' + os.environ['TOKEN']
def helper(bucket):
    return ImsHelper(ims_url=os.environ['IMS_URL'], session=session, s3_endpoint=os.environ['S3_ENDPOINT'],
                     s3_access_key='key', s3_secret_key='secret', s3_bucket=bucket)

file = lambda name: os.path.join(folder, name)
out = {}
recipes = helper('ims')
out['recipe'] = recipes.recipe_upload('barebones', file('recipe.tgz'), 'sles15', {'A': '1'})
out['recipe again'] = recipes.recipe_upload('barebones', file('recipe.tgz'), 'sles15', {'A': '1'})

images = helper('boot-images')
parts = dict(rootfs=[file('rootfs')], kernel=[file('kernel')], initrd=[file('initrd')], boot_parameters=[file('parameters')])
for status in ['fetching_recipe', 'waiting_for_repos', 'building_image', 'packaging_artifacts']:
    out[status] = images.image_set_job_status(job, status)['ims_job_record']['status']
out['image'] = images.image_upload_artifacts('barebones image', job, skip_existing=True, **parts)
out['image again'] = images.image_upload_artifacts('barebones image', skip_existing=True, **parts)
out['ended'] = images.image_set_job_status(job, 'success')['ims_job_record']
empty = images._ims_image_create('half done')
out['reused'] = images.get_empty_image_record_for_name('half done', True)['id'] == empty['id']
out['deleted'] = images._ims_image_delete(empty['id']).status_code
try:
    images._ims_image_get(empty['id'])
except requests.HTTPError as error:
    out['missing'] = error.response.status_code
print(json.dumps(out))
`;

const missing = [...(python ? [] : ['python3-boto3']), ...(here ? [] : ['KILN_TEST_IMS_PYTHON_HELPER'])];

describeWith(missing, 'ims-python-helper', () => {
  let kiln: RunningKiln;
  let s3: ArtifactsAsS3;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kiln-helper-'));
    kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
    s3 = await artifactsAsS3(kiln, await kiln.token('alice'));
    await writeFile(join(folder, 'story.py'), SCRIPT);
    // It asks for its own version, which only an installation has.
    await symlink(resolve(SOURCE!, 'ims_python_helper'), join(folder, 'ims_python_helper'));
    await mkdir(join(folder, 'ims_python_helper-2.0.0.dist-info'));
    const about = 'Metadata-Version: 2.1\nName: ims-python-helper\nVersion: 2.0.0\n';
    await writeFile(join(folder, 'ims_python_helper-2.0.0.dist-info', 'METADATA'), about);
    for (const name of ['recipe.tgz', 'rootfs', 'kernel', 'initrd', 'parameters']) {
      await writeFile(join(folder, name), `hsqs ${name}`);
    }
  });
  afterAll(async () => {
    await s3?.close();
    await kiln?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('uploads recipes and images, reports jobs, and finds again what it left', async () => {
    const ims = new ImsClient(kiln);
    const token = await kiln.token('alice');
    const archive = await ims.upload('ims', 'other.tgz', 'archive', token);
    const recipe = await ims.post(
      '/v3/recipes',
      { name: 'other', recipe_type: 'kiwi-ng', linux_distribution: 'sles15', link: { path: archive, type: 's3' } },
      token,
    );
    const key = await ims.post('/v3/public-keys', { name: 'k', public_key: 'k' }, token);
    const ids = { artifact_id: recipe.body.id, public_key_id: key.body.id };
    const job = await ims.post(
      '/v3/jobs',
      { job_type: 'create', image_root_archive_name: 'barebones image', ...ids },
      token,
    );

    const { stdout } = await run(python!, [join(folder, 'story.py'), folder, job.body.id], {
      env: {
        PYTHONPATH: folder,
        PYTHONDONTWRITEBYTECODE: '1',
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_REQUEST_CHECKSUM_CALCULATION: 'when_required',
        IMS_URL: `${kiln.url}/apis/ims`,
        S3_ENDPOINT: s3.endpoint,
        TOKEN: token,
      },
    });
    const said = JSON.parse(stdout);

    expect(said.recipe).toMatchObject({
      id: expect.stringMatching(UUID),
      name: 'barebones',
      template_dictionary: [{ key: 'A', value: '1' }],
      link: { path: `s3://ims/recipes/${said.recipe.id}/recipe.tar.gz`, type: 's3' },
    });
    expect(said['recipe again']).toEqual(said.recipe);
    expect([said.fetching_recipe, said.waiting_for_repos, said.building_image, said.packaging_artifacts]).toEqual([
      'fetching_recipe',
      'waiting_for_repos',
      'building_image',
      'packaging_artifacts',
    ]);
    const { ims_image_record: image, ims_image_artifacts: artifacts, ims_job_record: reported } = said.image;
    expect(image).toMatchObject({
      name: 'barebones image',
      arch: 'x86_64',
      link: { path: `s3://boot-images/${image.id}/manifest.json`, etag: artifacts.at(-1).link.etag, type: 's3' },
    });
    expect(
      artifacts.map((artifact: { md5: string; link: { etag: string } }) => artifact.md5 === artifact.link.etag),
    ).toEqual([true, true, true, true, true]);
    expect(reported).toMatchObject({ id: job.body.id, resultant_image_id: image.id });
    expect(said['image again']).toEqual({ result: 'success', ims_image_artifacts: [], ims_image_record: image });
    expect(said.ended).toMatchObject({ status: 'success', resultant_image_id: image.id });
    expect([said.reused, said.deleted, said.missing]).toEqual([true, 204, 404]);
    expect((await ims.get(`/v3/images/${image.id}`, token)).body).toEqual(image);
  });
});
