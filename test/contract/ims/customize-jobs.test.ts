// The exchanges are those of the Image Management Service v3 description: jobs of type customize, as they are accepted.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ImsClient, problem, TIME, UNKNOWN_ID, UUID } from './wire.js';

const PATH = '/v3/jobs';

let kiln: RunningKiln;
let ims: ImsClient;
let root: string;
let alice: string;
let bob: string;
let key: { id: string };
let image: { id: string };

beforeAll(async () => {
  // Without a worker every job stays where its requests put it.
  kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_IMS_SSH_DOMAIN: 'example.org', KILN_IMS_NAMESPACE: 'farm' } });
  ims = new ImsClient(kiln);
  [root, alice, bob] = (await Promise.all(['root', 'alice', 'bob'].map((user) => kiln.token(user)))) as [
    string,
    string,
    string,
  ];
  key = await created('/v3/public-keys', { name: 'k', public_key: 'ssh-ed25519 AAAA' });
  image = await anImage();
});
afterAll(() => kiln?.stop());

let uploads = 0;

async function created(path: string, wanted: object, token = alice): Promise<any> {
  const { status, body } = await ims.post(path, wanted, token);
  expect([status, body]).toEqual([201, expect.any(Object)]);
  return body;
}

async function anImage(more: object = {}, token = alice) {
  const prefix = `customized-${(uploads += 1)}`;
  const rootfs = await ims.upload('boot-images', `${prefix}/rootfs`, `hsqs ${uploads}`, token);
  const artifacts = [
    { type: 'application/vnd.cray.image.rootfs.squashfs', link: { path: rootfs, etag: '', type: 's3' } },
  ];
  const manifest = JSON.stringify({ version: '1.0', artifacts });
  const path = await ims.upload('boot-images', `${prefix}/manifest.json`, manifest, token);
  return created('/v3/images', { name: 'i', link: { path, type: 's3' }, ...more }, token);
}

const wanted = (more: object = {}) => ({
  job_type: 'customize',
  artifact_id: image.id,
  public_key_id: key.id,
  image_root_archive_name: 'another image',
  ...more,
});

async function glance(method: string, path: string, body?: string) {
  const reply = await fetch(`${kiln.url}/image/v2/images${path}`, {
    method,
    headers: { 'x-auth-token': alice, 'content-type': 'application/octet-stream' },
    body,
  });
  expect(reply.status).toBeLessThan(300);
}

async function rows(sql: string, values: unknown[]): Promise<any[]> {
  const client = new pg.Client({ connectionString: kiln.databaseUrl });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows as object[];
  } finally {
    await client.end();
  }
}

describe('POST /v3/jobs of type customize', () => {
  it('answers the whole record, with one shell and the defaults of what was left out', async () => {
    const job = await created(PATH, wanted());

    expect(job).toEqual({
      id: expect.stringMatching(UUID),
      created: expect.stringMatching(TIME),
      job_type: 'customize',
      image_root_archive_name: 'another image',
      kernel_file_name: 'vmlinuz',
      initrd_file_name: 'initrd',
      kernel_parameters_file_name: 'kernel-parameters',
      status: 'creating',
      cause: null,
      percent: null,
      artifact_id: image.id,
      public_key_id: key.id,
      kubernetes_job: `cray-ims-${job.id}-customize`,
      kubernetes_service: `cray-ims-${job.id}-service`,
      kubernetes_configmap: `cray-ims-${job.id}-configmap`,
      kubernetes_namespace: 'farm',
      kubernetes_pvc: `cray-ims-${job.id}-job-claim`,
      kubernetes_secret: null,
      ssh_containers: [
        {
          name: 'customize',
          jail: false,
          status: 'pending',
          connection_info: {
            customer_access: { host: `${job.id}.ims.cmn.example.org`, port: 22 },
            'cluster.local': { host: `cray-ims-${job.id}-service.farm.svc.cluster.local`, port: 22 },
          },
        },
      ],
      enable_debug: false,
      resultant_image_id: null,
      build_env_size: 15,
      job_mem_size: 8,
      arch: 'x86_64',
      require_dkms: true,
      remote_build_node: '',
    });
    expect((await ims.get(`${PATH}?artifact_id=${image.id}&job_type=customize`, alice)).body).toContainEqual(job);
  });

  it.each([
    [[{ name: 'cfs-session', jail: true }], { name: 'cfs-session', jail: true }],
    [[{ name: 'only a name' }], { name: 'only a name', jail: false }],
    [[{ jail: 'TRUE' }], { name: 'customize', jail: true }],
    [[], { name: 'customize', jail: false }],
    [null, { name: 'customize', jail: false }],
  ])('takes the shell %j', async (ssh_containers, shell) => {
    expect(await created(PATH, wanted({ ssh_containers }))).toMatchObject({ ssh_containers: [shell] });
  });

  it('has the architecture of its image, and on aarch64 always dkms', async () => {
    const arm = await anImage({ arch: 'aarch64' });

    const job = await created(PATH, wanted({ artifact_id: arm.id, require_dkms: false }));

    expect(job).toMatchObject({ arch: 'aarch64', kernel_file_name: 'Image', require_dkms: true });
    expect(await created(PATH, wanted({ require_dkms: false }))).toMatchObject({ require_dkms: false });
  });

  it('refuses two shells, before it looks for the image', async () => {
    const shells = [{ name: 'a' }, { name: 'b' }];

    const { status, body } = await ims.post(PATH, wanted({ ssh_containers: shells, artifact_id: UNKNOWN_ID }), alice);

    expect([status, body]).toEqual([400, problem(400, 'Bad Request', expect.stringContaining('ssh_containers'))]);
  });

  it('refuses an image that is unknown, deleted, a recipe, or of another tenant, and a key like that', async () => {
    const deleted = await anImage();
    expect((await ims.delete(`/v3/images/${deleted.id}`, alice)).status).toBe(204);
    const recipe = await created('/v3/recipes', {
      name: 'r',
      recipe_type: 'kiwi-ng',
      linux_distribution: 'sles15',
    });
    const bobs = await anImage({}, bob);
    const bobsKey = await created('/v3/public-keys', { name: 'k', public_key: 'x' }, bob);

    for (const artifact_id of [UNKNOWN_ID, deleted.id, recipe.id, bobs.id]) {
      const { status, body } = await ims.post(PATH, wanted({ artifact_id }), alice);
      expect([status, body.detail]).toEqual([400, expect.stringContaining(artifact_id)]);
    }
    // An administrator sees every project's images, but works in one.
    expect((await ims.post(PATH, wanted({ artifact_id: bobs.id }), root)).status).toBe(400);
    for (const public_key_id of [UNKNOWN_ID, bobsKey.id]) {
      const { status, body } = await ims.post(PATH, wanted({ public_key_id }), alice);
      expect([status, body.detail]).toEqual([400, expect.stringContaining(public_key_id)]);
    }
  });

  it('refuses an image without link, and one that is no root file system', async () => {
    const empty = await created('/v3/images', { name: 'empty' });
    const disk = await created('/v3/images', { name: 'disk' });
    const patch = await fetch(`${kiln.url}/image/v2/images/${disk.id}`, {
      method: 'PATCH',
      headers: { 'x-auth-token': alice, 'content-type': 'application/openstack-images-v2.1-json-patch' },
      body: JSON.stringify([
        { op: 'replace', path: '/disk_format', value: 'raw' },
        { op: 'replace', path: '/container_format', value: 'bare' },
      ]),
    });
    expect(patch.status).toBe(200);
    await glance('PUT', `/${disk.id}/file`, 'any bytes');

    const answers = [empty, disk].map(({ id }) => ims.post(PATH, wanted({ artifact_id: id }), alice));

    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([400, 400]);
  });

  it('refuses a deactivated image to all but administrators', async () => {
    const { id } = await anImage();
    const action = await fetch(`${kiln.url}/image/v2/images/${id}/actions/deactivate`, {
      method: 'POST',
      headers: { 'x-auth-token': root },
    });
    expect(action.status).toBe(204);

    expect((await ims.post(PATH, wanted({ artifact_id: id }), alice)).status).toBe(403);
    expect((await ims.post(PATH, wanted({ artifact_id: id }), root)).status).toBe(201);
  });

  it('keeps the bytes of a deleted image until the job has ended', async () => {
    const source = await anImage();
    const job = await created(PATH, wanted({ artifact_id: source.id }));
    const [{ fileId }] = await rows('SELECT primary_file_id AS "fileId" FROM images WHERE id = $1', [source.id]);
    const kept = () => rows('SELECT charged_bytes > 0 AS charged FROM stored_files WHERE id = $1', [fileId]);

    expect((await ims.delete(`/images/${source.id}`, alice)).status).toBe(204);
    expect(await kept()).toEqual([{ charged: true }]);

    expect((await ims.delete(`${PATH}/${job.id}`, alice)).status).toBe(204);
    expect(await kept()).toEqual([]);
  });
});
