import { Client } from '../contract/glance/wire.js';
import { ForemanClient, given } from '../contract/foreman/wire.js';
import { ask } from '../contract/identity/wire.js';
import { ImsClient } from '../contract/ims/wire.js';
import { registerRoot } from '../e2e/one-catalogue/actors.js';
import { amiOf } from '../e2e/one-catalogue/model.js';
import { ALPHA, type RunningKiln } from '../support/kiln.js';

/** What stands for a parameter of the paths that match. */
export interface Known {
  readonly path: RegExp;
  readonly parameter: string;
  readonly value: string;
}

/** Makes one of each thing that paths can name, in the project of alice and rita. */
export async function someOfEverything(kiln: RunningKiln): Promise<Known[]> {
  const [alice, root] = [await kiln.token('alice'), await kiln.token('root')];
  // A project gets the rows that Foreman's clients expect when somebody first looks.
  await fetch(`${kiln.url}/foreman/api/compute_resources`, { headers: { 'x-auth-token': await kiln.token('bob') } });
  return [
    ...(await images(new Client(kiln, alice))),
    ...(await definitions(new Client(kiln, root))),
    ...(await records(new ImsClient(kiln), alice)),
    ...(await identities(kiln, alice)),
    ...(await bindings(kiln, alice)),
    ...(await builds(kiln, alice)),
    { path: /^\/artifacts\//, parameter: 'bucket', value: 'ims' },
    { path: /^\/artifacts\//, parameter: 'key', value: 'a.tar.gz' },
  ];
}

async function images(glance: Client): Promise<Known[]> {
  const image = await glance.createWithData(Buffer.from('bytes'), { name: 'i', tags: ['tag'], property: 'value' });
  await glance.ask('POST', `/v2/images/${image.id}/members`, { member: 'b'.repeat(32) });
  const [{ id: store }] = (await glance.ask('GET', '/v2/info/stores')).body.stores;
  return [
    { path: /^\/(image|compute)\//, parameter: 'imageId', value: image.id },
    { path: /^\/image\//, parameter: 'tag', value: 'tag' },
    { path: /^\/image\//, parameter: 'member', value: 'b'.repeat(32) },
    { path: /^\/image\//, parameter: 'storeId', value: store },
    { path: /^\/image\/v2\/schemas\/\{/, parameter: 'name', value: 'image' },
    { path: /^\/image\/v2\/schemas\/metadefs/, parameter: 'name', value: 'namespace' },
    { path: /^\/compute\//, parameter: 'key', value: 'property' },
  ];
}

async function definitions(glance: Client): Promise<Known[]> {
  const body = {
    namespace: 'Some',
    owner: ALPHA,
    objects: [{ name: 'name' }],
    properties: { name: { type: 'string', title: 'Title' } },
    tags: [{ name: 'name' }],
    resource_type_associations: [{ name: 'name' }],
  };
  const answer = await glance.ask('POST', '/v2/metadefs/namespaces', body);
  if (answer.status !== 201) throw new Error(answer.text);
  return [
    { path: /metadefs/, parameter: 'namespace', value: 'Some' },
    { path: /metadefs\/namespaces/, parameter: 'name', value: 'name' },
  ];
}

async function records(ims: ImsClient, token: string): Promise<Known[]> {
  const link = { path: await ims.upload('ims', 'a.tar.gz', 'archive', token), type: 's3' };
  const made = async (kind: string, body: object): Promise<string> =>
    (await ims.post(`/v3/${kind}`, body, token)).body.id;
  const bodies: Record<string, object> = {
    recipes: { name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15', link },
    'public-keys': { name: 'k', public_key: 'k' },
    images: { name: 'i', metadata: { a: 'b' } },
  };
  const known: Known[] = [];
  const ids: Record<string, string> = {};
  for (const [kind, body] of Object.entries(bodies)) {
    ids[kind] = await made(kind, body);
    const deleted = await made(kind, { ...body, ...(kind === 'recipes' ? { link: null } : {}) });
    await ims.delete(`/v3/${kind}/${deleted}`, token);
    known.push(
      { path: new RegExp(`deleted/${kind}`), parameter: 'id', value: deleted },
      { path: new RegExp(`/apis/ims/.*${kind}`), parameter: 'id', value: ids[kind] },
    );
  }
  const job = {
    job_type: 'create',
    artifact_id: ids.recipes,
    public_key_id: ids['public-keys'],
    image_root_archive_name: 'a',
  };
  return [...known, { path: /\/apis\/ims\/.*jobs/, parameter: 'id', value: await made('jobs', job) }];
}

async function identities(kiln: RunningKiln, token: string): Promise<Known[]> {
  const { user } = (await ask(kiln, 'GET', '/v3/auth/tokens', { token, subject: token })).body.token;
  const path = `/v3/users/${user.id}`;
  const access_rules = [{ service: 'image', method: 'GET', path: '/v2/images' }];
  const { application_credential: credential } = (
    await ask(kiln, 'POST', `${path}/application_credentials`, {
      token,
      json: { application_credential: { name: 'c', access_rules } },
    })
  ).body;
  const key = (await ask(kiln, 'POST', `${path}/credentials/OS-EC2`, { token, json: { tenant_id: ALPHA } })).body
    .credential;
  const values: Record<string, string> = {
    userId: user.id,
    projectId: ALPHA,
    credentialId: credential.id,
    ruleId: credential.access_rules[0].id,
    access: key.access,
    regionId: 'RegionOne',
    domainId: 'default',
  };
  return Object.entries(values).map(([parameter, value]) => ({ path: /^\/identity\//, parameter, value }));
}

async function bindings(kiln: RunningKiln, token: string): Promise<Known[]> {
  const foreman = new ForemanClient(kiln, `Bearer ${token}`);
  const rows = await given(foreman);
  const image = { name: 'b', username: 'root', operatingsystem_id: rows.debian, architecture_id: rows.x86 };
  const [{ uuid }] = (await foreman.get(`/api/compute_resources/${rows.kiln}/available_images`)).body;
  const bound = await foreman.create(`/api/compute_resources/${rows.kiln}/images`, { image: { ...image, uuid } });
  const tokens = await foreman.create('/api/users/alice/personal_access_tokens', { name: 'some' });
  const [organization] = await foreman.list('/api/organizations');
  const [location] = await foreman.list('/api/locations');
  const known = (path: RegExp, parameter: string, value: unknown): Known => ({ path, parameter, value: String(value) });
  return [
    known(/^\/foreman\/.*images\/\{id/, 'id', bound.id),
    ...[
      ['compute_resources', rows.kiln] as const,
      ['operatingsystems', rows.debian] as const,
      ['architectures', rows.x86] as const,
      ['organizations', organization.id] as const,
      ['locations', location.id] as const,
    ].flatMap(([resource, id]) => [
      known(new RegExp(`^/foreman/api/${resource}/\\{id`), 'id', id),
      known(new RegExp(`^/foreman/api/${resource}/\\{parentId`), 'parentId', id),
    ]),
    known(/^\/foreman\/api\/users/, 'userId', 'alice'),
    known(/personal_access_tokens/, 'id', tokens.id),
    known(/^\/foreman\/apidoc/, 'file', 'v2.json'),
  ];
}

async function builds(kiln: RunningKiln, token: string): Promise<Known[]> {
  const { body } = await registerRoot(new ImsClient(kiln), token, 'parent');
  const reply = await fetch(`${kiln.url}/parallelcluster/v3/images/custom`, {
    method: 'POST',
    headers: { 'x-auth-token': token, 'content-type': 'application/json' },
    body: JSON.stringify({
      imageId: 'some-image',
      imageConfiguration: JSON.stringify({ Build: { InstanceType: 'm6i.large', ParentImage: amiOf(body) } }),
    }),
  });
  if (reply.status !== 202) throw new Error(await reply.text());
  return [{ path: /^\/parallelcluster/, parameter: 'imageId', value: 'some-image' }];
}
