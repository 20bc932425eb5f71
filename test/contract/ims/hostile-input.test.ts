// Whatever is sent to any route of this face: the answer is one of its own, and never an internal error.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ImsClient, UNKNOWN_ID } from './wire.js';

let kiln: RunningKiln;
let ims: ImsClient;
let alice: string;
/** Something to aim at, by what stands for it in a route. */
let ids: Record<string, string>;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ims = new ImsClient(kiln);
  alice = await kiln.token('alice');
  ids = await someRecords();
});
afterAll(() => kiln?.stop());

async function someRecords() {
  const path = await ims.upload('ims', 'a.tar.gz', 'archive', alice);
  const recipe = { name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15', link: { path, type: 's3' } };
  const made = async (kind: string, body: object) => (await ims.post(`/v3/${kind}`, body, alice)).body.id as string;
  const key = await made('public-keys', { name: 'k', public_key: 'k' });
  const recipeId = await made('recipes', recipe);
  const job = { job_type: 'create', artifact_id: recipeId, public_key_id: key, image_root_archive_name: 'a' };
  const found: Record<string, string> = {
    recipes: recipeId,
    'public-keys': key,
    images: await made('images', { name: 'i' }),
    jobs: await made('jobs', job),
  };
  const bodies = {
    recipes: { ...recipe, link: null },
    'public-keys': { name: 'k', public_key: 'k' },
    images: { name: 'i' },
  };
  for (const [kind, body] of Object.entries(bodies)) {
    found[`deleted/${kind}`] = await made(kind, body);
    expect((await ims.delete(`/v3/${kind}/${found[`deleted/${kind}`]}`, alice)).status).toBe(204);
  }
  return found;
}

const KINDS = ['recipes', 'public-keys', 'images', 'jobs', 'deleted/recipes', 'deleted/public-keys', 'deleted/images'];
const FIELDS = [
  ...['name', 'link', 'path', 'etag', 'type', 'arch', 'metadata', 'key', 'value', 'operation', 'public_key'],
  ...['recipe_type', 'linux_distribution', 'require_dkms', 'template_dictionary', 'job_type', 'artifact_id'],
  ...['public_key_id', 'image_root_archive_name', 'kernel_file_name', 'initrd_file_name', 'enable_debug'],
  ...['kernel_parameters_file_name', 'build_env_size', 'ssh_containers', 'jail', 'connection_info', 'job_mem_size'],
  ...['status', 'resultant_image_id', '__proto__', 'constructor', 'prototype', 'toString', 'length', 'then', '', '\0'],
];
const PARAMETERS = [
  ...['limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'name', 'arch', 'visibility', 'owner', 'recipe_type'],
  ...['linux_distribution', 'require_dkms', 'status', 'job_type', 'artifact_id', 'public_key_id', 'created', 'deleted'],
  ...['resultant_image_id', 'metadata.a', 'metadata.', 'metadata.__proto__', 'metadata', '__proto__', 'age', 'x[y]'],
];

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '\0',
    '\ud800',
    'a\udfffb',
    '',
    'x'.repeat(5000),
    '💥'.repeat(600),
    "'; DROP TABLE images; --",
    '%00',
  ),
  fc.constantFrom(
    'undelete',
    'success',
    'error',
    'create',
    'kiwi-ng',
    'sles15',
    'x86_64',
    's3',
    'set',
    'remove',
    'true',
  ),
  fc.constantFrom('s3://ims/a.tar.gz', 's3:///', 's3://a', 's3://ims/../../etc/passwd', 's3://ims/\ud800', 's3://a/\0'),
  fc.constantFrom(UNKNOWN_ID, '9'.repeat(400), '-1', '1e9', 'NaN', 'kiln_job_id', 'architecture', 'id', 'owner'),
);
const leaves = fc.oneof(
  texts,
  fc.constantFrom(null, true, false, 0, -0, -1, 1.5, 1e308, 2 ** 53, Number.MAX_SAFE_INTEGER),
);
const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaves,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...FIELDS) }, { weight: 1, arbitrary: texts }),
      tie('value'),
      {
        maxKeys: 6,
      },
    ),
  ),
}));
const bodies = fc.oneof(
  { weight: 8, arbitrary: json.map((value) => JSON.stringify(value)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[
        '',
        '{',
        '{"name":1e999}',
        '{"name":"\\ud800","public_key":"\\u0000"}',
        '{"__proto__":{"name":"x"}}',
        '\ufeff{}',
      ],
      '['.repeat(100_000),
      `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
      `{"name":"x","name":[],"link":{"path":"s3://ims/x","type":"s3","__proto__":null}}`,
      `{"build_env_size":${'9'.repeat(500)}}`,
    ),
  },
);
/** What each kind takes, so that one field amiss is looked at behind all the others. */
const GOOD: Record<string, object> = {
  recipes: {
    ...{ name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15', arch: 'x86_64', require_dkms: true },
    template_dictionary: [{ key: 'k', value: 'v' }],
  },
  'public-keys': { name: 'k', public_key: 'k' },
  images: { name: 'i', arch: 'x86_64', metadata: { a: 'b' } },
  jobs: { job_type: 'create', image_root_archive_name: 'a', enable_debug: true, build_env_size: 1, ssh_containers: [] },
};
const changes = fc.dictionary(fc.constantFrom(...FIELDS), json, { minKeys: 1, maxKeys: 2 });
const queries = fc.array(fc.tuple(fc.constantFrom(...PARAMETERS), texts), { maxLength: 3 });
const someIds = fc.oneof(
  fc.constant('known'),
  fc.constantFrom(UNKNOWN_ID, '%00', '%F0%9F%92%A5', '..%2f', 'null', 'x'.repeat(90)),
);

async function expectAnswer(method: string, path: string, body?: string): Promise<void> {
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await ims.send(method, path, alice, body, type);
  expect(answer.status).toBeLessThan(500);
  if (answer.status < 400) return;
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ status: answer.status, title: expect.any(String), detail: expect.any(String) });
}

const query = (pairs: [string, string][]) =>
  pairs.map(([name, value]) => `${name}=${encodeURIComponent(Buffer.from(value).toString())}`).join('&');

describe.each(KINDS)('/v3/%s', (kind) => {
  const one = (id: string) => `/v3/${kind}/${id === 'known' ? ids[kind] : id}`;

  it('takes no body amiss', async () => {
    const methods = fc.constantFrom('POST', 'PATCH');
    await fc.assert(
      fc.asyncProperty(methods, someIds, fc.boolean(), bodies, async (method, id, ofOne, body) => {
        await expectAnswer(method, ofOne ? one(id) : `/v3/${kind}`, body);
      }),
      { numRuns: 120 },
    );
  });

  it('takes no field amiss', async () => {
    const references = { artifact_id: ids.recipes, public_key_id: ids['public-keys'] };
    const good = GOOD[kind] ? { ...GOOD[kind], ...(kind === 'jobs' ? references : {}) } : { operation: 'undelete' };
    await fc.assert(
      fc.asyncProperty(changes, fc.boolean(), async (change, ofOne) => {
        const post = GOOD[kind] !== undefined && !ofOne;
        // A new record needs all of them; a change may have some only.
        const body = JSON.stringify(post ? { ...good, ...change } : change);
        await expectAnswer(post ? 'POST' : 'PATCH', ofOne ? one('known') : `/v3/${kind}`, body);
      }),
      { numRuns: 150 },
    );
  });

  it('takes no query and no id amiss', async () => {
    await fc.assert(
      fc.asyncProperty(someIds, fc.constantFrom('', '/log', '/cancel'), queries, async (id, more, pairs) => {
        await expectAnswer('GET', `/v3/${kind}?${query(pairs)}`);
        await expectAnswer('GET', `${one(id)}${kind === 'jobs' ? more : ''}?${query(pairs)}`);
        if (id !== 'known') await expectAnswer('DELETE', one(id));
      }),
      { numRuns: 120 },
    );
  });
});

it('takes no filter of a job delete amiss', async () => {
  const pairs = fc.array(fc.tuple(fc.constantFrom('status', 'job_type', 'age'), texts), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(pairs, (filter) => expectAnswer('DELETE', `/v3/jobs?${query(filter)}`)),
    { numRuns: 120 },
  );
});

it('takes no manifest amiss', async () => {
  let count = 0;
  const manifests = fc.oneof(
    bodies,
    fc
      .record({
        version: fc.oneof(fc.constant('1.0'), leaves),
        artifacts: fc.array(
          fc.record({
            type: fc.oneof(fc.constant('application/vnd.cray.image.rootfs.squashfs'), leaves),
            md5: leaves,
            link: fc.record({
              path: fc.oneof(fc.constant('s3://ims/a.tar.gz'), leaves),
              type: fc.constantFrom('s3', null),
              etag: leaves,
            }),
          }),
          { maxLength: 3 },
        ),
      })
      .map((manifest) => JSON.stringify(manifest)),
  );
  await fc.assert(
    fc.asyncProperty(manifests, async (manifest) => {
      const path = await ims.upload('boot-images', `m-${(count += 1)}`, manifest, alice);
      await expectAnswer('POST', '/v3/images', JSON.stringify({ name: 'm', link: { path, type: 's3' } }));
    }),
    { numRuns: 150 },
  );
});
