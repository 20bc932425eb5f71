// The exchanges are those of the Image Management Service v3 description: recipes.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { ImsClient, INVALID_FIELDS, NO_INPUT, NOT_FOUND, problem, TIME, UNKNOWN_ID, UUID } from './wire.js';

const PATH = '/v3/recipes';

let kiln: RunningKiln;
let ims: ImsClient;
let alice: string;
let bob: string;
let rita: string;
let root: string;

beforeAll(async () => {
  const projects = STANDARD_BOOTSTRAP.projects.map((project) =>
    project.name === 'beta' ? { ...project, limits: { recipes: 3 } } : project,
  );
  kiln = await startKiln({
    bootstrap: { ...STANDARD_BOOTSTRAP, projects },
    env: { KILN_ROLE: 'api', KILN_IMS_DISTRIBUTIONS: 'debian12' },
  });
  ims = new ImsClient(kiln);
  [root, alice, bob, rita] = (await Promise.all(['root', 'alice', 'bob', 'rita'].map((user) => kiln.token(user)))) as [
    string,
    string,
    string,
    string,
  ];
});
afterAll(() => kiln?.stop());
beforeEach(async () => {
  for (const token of [alice, bob]) expect((await ims.delete(PATH, token)).status).toBe(204);
});

let uploads = 0;
const anArchive = (token = alice) => ims.upload('ims', `recipes/${(uploads += 1)}.tar.gz`, `archive ${uploads}`, token);
const link = (path: string, etag?: string) => ({ path, type: 's3', ...(etag === undefined ? {} : { etag }) });
const wanted = (more: object = {}) => ({ name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15', ...more });

async function aRecipe(more: object = {}, token = alice) {
  const { status, body } = await ims.post(PATH, wanted(more), token);
  expect([status, body]).toEqual([201, expect.any(Object)]);
  return body;
}

describe('POST /v3/recipes', () => {
  it('fills in what the client leaves out', async () => {
    const record = await aRecipe();
    expect(record).toEqual({
      id: expect.stringMatching(UUID),
      created: expect.stringMatching(TIME),
      name: 'r',
      recipe_type: 'kiwi-ng',
      linux_distribution: 'sles15',
      link: null,
      arch: 'x86_64',
      require_dkms: true,
      template_dictionary: [],
    });
    expect((await ims.get(`${PATH}/${record.id}`, rita)).body).toEqual(record);
  });

  it('keeps what the client says', async () => {
    const path = await anArchive();
    const more = {
      recipe_type: 'packer',
      linux_distribution: 'debian12',
      link: link(path, 'f04af5f34635ae7c507322985e60c00c-131'),
      arch: 'aarch64',
      require_dkms: 'False',
      template_dictionary: [
        { key: 'CSM_RELEASE_VERSION', value: '1.0.0' },
        { key: 'CSM_RELEASE_VERSION', value: '' },
        { key: '', value: 'kept' },
      ],
    };
    expect(await aRecipe(more)).toMatchObject({ ...more, require_dkms: false });
    expect((await aRecipe({ link: null, template_dictionary: null })).template_dictionary).toEqual([]);
  });

  it('names nested faults by field and index', async () => {
    const { status, body } = await ims.post(
      PATH,
      {
        name: '',
        recipe_type: 'docker',
        linux_distribution: 'beos',
        arch: null,
        require_dkms: 'maybe',
        link: { path: 'http://x/y', type: 's4', extra: 1 },
        template_dictionary: [
          { key: 'a', value: 'b' },
          { key: 'a', value: 5 },
          'text',
          null,
          [],
          { key: 'a', value: 'b', x: 1 },
        ],
        id: UNKNOWN_ID,
      },
      alice,
    );
    expect(status).toBe(422);
    const some = expect.any(Array);
    expect(body).toEqual({
      ...problem(422, 'Unprocessable Entity', INVALID_FIELDS),
      errors: {
        name: some,
        recipe_type: some,
        linux_distribution: some,
        arch: some,
        require_dkms: some,
        id: some,
        link: { path: some, type: some, extra: some },
        template_dictionary: {
          1: { value: some },
          2: { _schema: some },
          3: { _schema: some },
          4: { _schema: some },
          5: { x: some },
        },
      },
    });
  });

  it('refuses names of JavaScript where they stand', async () => {
    const template_dictionary: object[] = [
      { key: 'k', value: 'v' },
      { key: 'k', value: 'v', toString: 1 },
    ];

    const answer = await ims.post(PATH, wanted({ template_dictionary }), alice);

    const errors = { template_dictionary: { 1: { toString: expect.any(Array) } } };
    expect([answer.status, answer.body.errors]).toEqual([422, errors]);
  });

  it('refuses a template dictionary that is too large in all', async () => {
    const pairs = (count: number) => Array.from({ length: count }, () => ({ key: 'k', value: 'v'.repeat(65_000) }));

    const answer = await ims.post(PATH, wanted({ template_dictionary: pairs(3) }), alice);

    expect([answer.status, answer.body.errors]).toEqual([422, { template_dictionary: expect.any(Array) }]);
    expect((await ims.post(PATH, wanted({ template_dictionary: pairs(2) }), alice)).status).toBe(201);
  });

  it.each([
    ['link', 'text', { _schema: expect.any(Array) }],
    ['link', [], { _schema: expect.any(Array) }],
    ['link', {}, { path: expect.any(Array), type: expect.any(Array) }],
    ['link', { path: 's3://bucket', type: 's3' }, { path: expect.any(Array) }],
    ['link', { path: 's3://b/k', type: 's3', etag: null }, { etag: expect.any(Array) }],
    ['template_dictionary', {}, expect.any(Array)],
    ['template_dictionary', 'text', expect.any(Array)],
    ['require_dkms', 1, expect.any(Array)],
    ['require_dkms', null, expect.any(Array)],
  ])('refuses %s %j', async (field, value, fault) => {
    const answer = await ims.post(PATH, wanted({ [field]: value }), alice);
    expect([answer.status, answer.body.errors]).toEqual([422, { [field]: fault }]);
  });

  it('refuses more than a thousand pairs', async () => {
    const pairs = Array.from({ length: 1001 }, () => ({ key: 'k', value: 'v' }));
    const { body } = await ims.post(PATH, wanted({ template_dictionary: pairs }), alice);
    expect(body.errors).toEqual({ template_dictionary: expect.any(Array) });
    expect((await aRecipe({ template_dictionary: pairs.slice(1) })).template_dictionary).toHaveLength(1000);
  });

  it('refuses a link to nothing, to nothing of the own project, and to what another recipe has', async () => {
    const path = await anArchive();
    const answers = [
      await ims.post(PATH, wanted({ link: link('s3://ims/nothing') }), alice),
      await ims.post(PATH, wanted({ link: link(path) }), bob),
    ];
    await aRecipe({ link: link(path) });
    answers.push(await ims.post(PATH, wanted({ link: link(path, 'other') }), alice));
    for (const { body } of answers) {
      expect(body).toEqual(problem(422, 'Unprocessable Entity', expect.stringContaining('s3://ims/')));
    }
  });

  it('registers one of many that race for a link', async () => {
    const path = await anArchive();
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ims.post(PATH, wanted({ link: link(path) }), alice)),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(422)]);
    expect((await ims.get(PATH, alice)).body).toHaveLength(1);
  });

  it('refuses more recipes than the project may have', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => ims.post(PATH, wanted(), bob)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(answers.find(({ status }) => status !== 201)!.body).toEqual(
      problem(422, 'Unprocessable Entity', expect.stringContaining('3 recipes')),
    );
  });
});

describe('PATCH /v3/recipes/{id}', () => {
  it('changes what is given and keeps the rest', async () => {
    const record = await aRecipe({ template_dictionary: [{ key: 'a', value: '1' }] });
    const changed = await ims.patch(`${PATH}/${record.id}`, { arch: 'aarch64', require_dkms: false }, alice);
    expect([changed.status, changed.body]).toEqual([200, { ...record, arch: 'aarch64', require_dkms: false }]);
    expect((await ims.get(`${PATH}/${record.id}`, alice)).body).toEqual(changed.body);
    for (const cleared of [[], null]) {
      const { body } = await ims.patch(`${PATH}/${record.id}`, { template_dictionary: cleared }, alice);
      expect(body.template_dictionary).toEqual([]);
    }
  });

  it('sets a link once; the same again changes nothing, another one conflicts', async () => {
    const [path, other] = [await anArchive(), await anArchive()];
    const { id } = await aRecipe();
    const set = await ims.patch(`${PATH}/${id}`, { link: link(path) }, alice);
    expect([set.status, set.body.link]).toEqual([200, { path, etag: '', type: 's3' }]);
    expect((await ims.patch(`${PATH}/${id}`, { link: link(path, '') }, alice)).status).toBe(200);

    for (const different of [link(other), link(path, 'etag')]) {
      const refused = await ims.patch(`${PATH}/${id}`, { link: different, arch: 'aarch64' }, alice);
      expect(refused.body).toEqual(problem(409, 'Conflict', expect.stringContaining(id)));
    }
    expect((await ims.get(`${PATH}/${id}`, alice)).body).toMatchObject({ arch: 'x86_64', link: { path } });
  });

  it('checks a new link as POST does', async () => {
    const path = await anArchive();
    await aRecipe({ link: link(path) });
    const { id } = await aRecipe();
    for (const refused of [path, 's3://ims/nothing']) {
      const { body } = await ims.patch(`${PATH}/${id}`, { link: link(refused) }, alice);
      expect(body).toEqual(problem(422, 'Unprocessable Entity', expect.stringContaining(refused)));
    }
  });

  it('asks for the record before it looks at the body, and for the right before that too', async () => {
    const type = { 'content-type': 'text/plain' };
    const missing = await ims.send('PATCH', `${PATH}/${UNKNOWN_ID}`, alice, 'x', type);
    expect(missing.body).toEqual(problem(404, 'Not Found', NOT_FOUND));
    const { id } = await aRecipe();
    expect((await ims.send('PATCH', `${PATH}/${id}`, bob, 'x', type)).status).toBe(404);
    expect((await ims.send('PATCH', `${PATH}/${id}`, rita, 'x', type)).status).toBe(403);
    expect((await ims.send('PATCH', `${PATH}/${id}`, alice, 'x', type)).status).toBe(415);
    expect((await ims.patch(`${PATH}/${id}`, {}, alice)).body).toEqual(problem(400, 'Bad Request', NO_INPUT));
    const fields = await ims.patch(`${PATH}/${id}`, { name: 'x', link: null, created: 'x' }, alice);
    expect([fields.status, Object.keys(fields.body.errors).sort()]).toEqual([422, ['created', 'link', 'name']]);
  });
});

describe('DELETE /v3/recipes/{id}', () => {
  it('deletes once, moves the archive below deleted/, and makes room at its old place', async () => {
    const path = await anArchive();
    const { id } = await aRecipe({ link: link(path) });
    const key = path.slice('s3://'.length);
    const statusOf = async (at: string) =>
      (await fetch(`${kiln.url}/artifacts/${at}`, { method: 'HEAD', headers: { 'x-auth-token': alice } })).status;

    expect((await ims.delete(`${PATH}/${id}`, rita)).status).toBe(403);
    expect((await ims.delete(`${PATH}/${id}`, bob)).status).toBe(404);
    const statuses = await Promise.all([1, 2, 3].map(async () => (await ims.delete(`${PATH}/${id}`, alice)).status));

    expect(statuses.sort()).toEqual([204, 404, 404]);
    expect((await ims.get(`${PATH}/${id}`, alice)).status).toBe(404);
    expect([await statusOf(key), await statusOf(key.replace('ims/', 'ims/deleted/'))]).toEqual([404, 200]);
    await ims.upload('ims', key.slice('ims/'.length), 'another', alice);
    const second = await aRecipe({ link: link(path) });
    expect((await ims.delete(`${PATH}/${second.id}`, alice)).status).toBe(204);
    expect([await statusOf(key), await statusOf(key.replace('ims/', 'ims/deleted/'))]).toEqual([404, 200]);
  });
});

describe('GET /v3/recipes', () => {
  const names = async (query: string, token = alice) => {
    const { status, body } = await ims.get(`${PATH}${query}`, token);
    expect([status, body]).toEqual([200, expect.any(Array)]);
    return body.map((record: { name: string }) => record.name);
  };

  it('filters, sorts and pages', async () => {
    await aRecipe({ name: 'a', arch: 'aarch64', require_dkms: false });
    await aRecipe({ name: 'b', linux_distribution: 'debian12' });
    await aRecipe({ name: 'c', recipe_type: 'packer', arch: 'aarch64' });
    await aRecipe({ name: 'of-beta' }, bob);
    expect(await names('')).toEqual(['a', 'b', 'c']);
    expect(await names('?arch=aarch64')).toEqual(['a', 'c']);
    expect(await names('?arch=aarch64,x86_64&require_dkms=true')).toEqual(['b', 'c']);
    expect(await names('?recipe_type=packer')).toEqual(['c']);
    expect(await names('?linux_distribution=sles15&linux_distribution=beos')).toEqual(['a', 'c']);
    expect(await names('?sort=arch:asc,name:desc')).toEqual(['c', 'a', 'b']);
    expect(await names('?sort=recipe_type:desc,linux_distribution:asc')).toEqual(['c', 'b', 'a']);
    expect(await names('?owner=all', root)).toEqual(['a', 'b', 'c', 'of-beta']);
    for (const query of ['arch=i386', 'recipe_type=x', 'require_dkms=maybe', 'sort=require_dkms']) {
      const { body } = await ims.get(`${PATH}?${query}`, alice);
      expect(body).toEqual(problem(400, 'Bad Request', expect.stringContaining(query.split('=')[0]!)));
    }
  });

  it('pages in every order without losing or repeating a record', async () => {
    for (let index = 0; index < 9; index += 1) {
      await aRecipe({ name: `n${index % 2}`, arch: index % 3 ? 'x86_64' : 'aarch64' });
    }
    const everyId = (await ims.get(PATH, alice)).body.map((record: { id: string }) => record.id).sort();
    for (const sort of ['name:asc', 'arch:desc,name:asc', 'id:asc', 'created:desc', 'recipe_type']) {
      const seen: string[] = [];
      for (let next: string | undefined = `${PATH}?limit=2&sort=${sort}`; next;) {
        const { body, headers } = await ims.get(next, alice);
        seen.push(...body.map((record: { id: string }) => record.id));
        next = /^<\/apis\/ims(.*)>/.exec(headers.get('link') ?? '')?.[1];
      }
      expect([...seen].sort()).toEqual(everyId);
    }
  });

  it('ends a page early where its records are large, with the link to the rest', async () => {
    const template_dictionary = [1, 2].map(() => ({ key: 'k', value: 'v'.repeat(65_000) }));
    for (let index = 0; index < 36; index += 1) await aRecipe({ template_dictionary });

    const first = await ims.get(`${PATH}?limit=36`, alice);
    const second = await ims.get(/^<\/apis\/ims(.*)>/.exec(first.headers.get('link')!)![1]!, alice);

    expect(first.body.length).toBeLessThan(36);
    expect(first.body.length + second.body.length).toBe(36);
    expect(second.headers.get('link')).toBeNull();
  });

  it('answers a list of many thousands whole', async () => {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: kiln.databaseUrl });
    await client.connect();
    await client.query(
      `INSERT INTO recipes (id, project_id, name, recipe_type, linux_distribution, arch, require_dkms, created_at)
       SELECT gen_random_uuid(), p.id, 'many-' || n, 'kiwi-ng', 'sles15', 'x86_64', true, now() + n * interval '1 ms'
       FROM projects p, generate_series(1, 5000) n WHERE p.name = 'beta'`,
    );
    await client.query(
      `UPDATE project_usage SET used = used + 5000 FROM projects p
       WHERE p.id = project_id AND p.name = 'beta' AND quantity = 'recipes'`,
    );
    await client.end();
    const all = await names('', bob);
    expect(all).toHaveLength(5000);
    expect([all[0], all[4999]]).toEqual(['many-1', 'many-5000']);
  });
});
