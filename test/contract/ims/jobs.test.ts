// The exchanges are those of the Image Management Service v3 description: jobs. Log, cancel, cause and percent are Kiln's.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { ImsClient, INVALID_FIELDS, NO_INPUT, NOT_FOUND, problem, TIME, UNKNOWN_ID, UUID } from './wire.js';

const PATH = '/v3/jobs';
const STATUSES = [
  'creating',
  'fetching_recipe',
  'fetching_image',
  'waiting_for_repos',
  'building_image',
  'waiting_on_user',
  'packaging_artifacts',
];

let kiln: RunningKiln;
let ims: ImsClient;
let root: string;
let alice: string;
let bob: string;
let rita: string;
let recipe: { id: string };
let armRecipe: { id: string };
let key: { id: string };
let bobsRecipe: { id: string };
let bobsKey: { id: string };

beforeAll(async () => {
  const projects = STANDARD_BOOTSTRAP.projects.map((project) =>
    project.name === 'beta' ? { ...project, limits: { queued_jobs: 1 } } : project,
  );
  // Without a worker every job stays where its requests put it.
  kiln = await startKiln({ bootstrap: { ...STANDARD_BOOTSTRAP, projects }, env: { KILN_ROLE: 'api' } });
  ims = new ImsClient(kiln);
  [root, alice, bob, rita] = (await Promise.all(['root', 'alice', 'bob', 'rita'].map((user) => kiln.token(user)))) as [
    string,
    string,
    string,
    string,
  ];
  recipe = await aRecipe('x.tgz', {}, alice);
  armRecipe = await aRecipe('arm.tgz', { arch: 'aarch64', require_dkms: false }, alice);
  bobsRecipe = await aRecipe('x.tgz', {}, bob);
  key = await aKey(alice);
  bobsKey = await aKey(bob);
});
afterAll(() => kiln?.stop());
beforeEach(async () => {
  for (const token of [alice, bob]) expect((await ims.delete(PATH, token)).status).toBe(204);
});

async function aRecipe(name: string, more: object, token: string) {
  const path = await ims.upload('ims', name, `archive ${name}`, token);
  const wanted = { name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15', link: { path, type: 's3' } };
  return created(await ims.post('/v3/recipes', { ...wanted, require_dkms: false, ...more }, token));
}

async function aKey(token: string) {
  return created(await ims.post('/v3/public-keys', { name: 'k', public_key: 'ssh-ed25519 AAAA' }, token));
}

function created({ status, body }: { status: number; body: any }) {
  expect([status, body]).toEqual([201, expect.any(Object)]);
  return body;
}

const wanted = (more: object = {}) => ({
  job_type: 'create',
  artifact_id: recipe.id,
  public_key_id: key.id,
  image_root_archive_name: 'an image',
  ...more,
});
const aJob = async (more: object = {}, token = alice) => created(await ims.post(PATH, wanted(more), token));
const bobsJob = () => aJob({ artifact_id: bobsRecipe.id, public_key_id: bobsKey.id }, bob);
const path = (job: { id: string }, more = '') => `${PATH}/${job.id}${more}`;
const ids = (records: { id: string }[]) => records.map(({ id }) => id);

/** What a worker would have written. */
async function write(sql: string, values: unknown[]): Promise<void> {
  const client = new pg.Client({ connectionString: kiln.databaseUrl });
  await client.connect();
  try {
    await client.query(sql, values);
  } finally {
    await client.end();
  }
}

const appendLog = (jobId: string, firstLine: number, lines: string[]) =>
  write('INSERT INTO job_log_chunks (job_id, first_line, line_count, text) VALUES ($1, $2, $3, $4)', [
    jobId,
    firstLine,
    lines.length,
    lines.map((line) => `${line}\n`).join(''),
  ]);

describe('POST /v3/jobs', () => {
  it('answers the whole record, with the defaults of what was left out', async () => {
    const job = await aJob();

    expect(job).toEqual({
      id: expect.stringMatching(UUID),
      created: expect.stringMatching(TIME),
      job_type: 'create',
      image_root_archive_name: 'an image',
      kernel_file_name: 'vmlinuz',
      initrd_file_name: 'initrd',
      kernel_parameters_file_name: 'kernel-parameters',
      status: 'creating',
      cause: null,
      percent: null,
      artifact_id: recipe.id,
      public_key_id: key.id,
      kubernetes_job: `cray-ims-${job.id}-create`,
      kubernetes_service: `cray-ims-${job.id}-service`,
      kubernetes_configmap: `cray-ims-${job.id}-configmap`,
      kubernetes_namespace: 'ims',
      kubernetes_pvc: `cray-ims-${job.id}-job-claim`,
      kubernetes_secret: null,
      ssh_containers: null,
      enable_debug: false,
      resultant_image_id: null,
      build_env_size: 15,
      job_mem_size: 8,
      arch: 'x86_64',
      require_dkms: false,
      remote_build_node: '',
    });
    expect((await ims.get(path(job), rita)).body).toEqual(job);
  });

  it('keeps what the client says', async () => {
    const more = {
      kernel_file_name: 'k',
      initrd_file_name: 'i',
      kernel_parameters_file_name: 'p',
      build_env_size: '20',
      job_mem_size: 4,
      require_dkms: 'TRUE',
      enable_debug: false,
    };

    expect(await aJob({ ...more, ssh_containers: null })).toMatchObject({
      ...more,
      build_env_size: 20,
      require_dkms: true,
    });
  });

  it('takes an empty kernel name for none', async () => {
    expect(await aJob({ kernel_file_name: '' })).toMatchObject({ kernel_file_name: 'vmlinuz' });
  });

  it('has a kernel name of its own for aarch64, and always dkms', async () => {
    expect(await aJob({ artifact_id: armRecipe.id, require_dkms: false })).toMatchObject({
      arch: 'aarch64',
      kernel_file_name: 'Image',
      require_dkms: true,
    });
  });

  it('shows the shell of a job that is to be debugged', async () => {
    const job = await aJob({ enable_debug: true, ssh_containers: [] });

    expect(job.ssh_containers).toEqual([
      {
        name: 'debug',
        jail: false,
        status: 'pending',
        connection_info: {
          customer_access: { host: `${job.id}.ims.cmn.shasta.local`, port: 22 },
          'cluster.local': { host: `cray-ims-${job.id}-service.ims.svc.cluster.local`, port: 22 },
        },
      },
    ]);
  });

  it.each([
    ['no body', undefined, 415],
    ['nothing', {}, 400],
    ['an empty list', [], 400],
    ['a list', [1], 422],
  ])('refuses %s', async (_what, body, status) => {
    expect((await ims.post(PATH, body, alice)).status).toBe(status);
  });

  it('refuses what is not JSON', async () => {
    const headers = { 'content-type': 'application/json' };
    expect((await ims.send('POST', PATH, alice, '{', headers)).body).toMatchObject({ status: 400 });
    expect((await ims.post(PATH, {}, alice)).body).toEqual(problem(400, 'Bad Request', NO_INPUT));
  });

  it('tells every field that breaks its rules', async () => {
    const { status, headers, body } = await ims.post(
      PATH,
      {
        job_type: 'import',
        artifact_id: 'no uuid',
        image_root_archive_name: '',
        kernel_file_name: null,
        initrd_file_name: 1,
        build_env_size: 1.5,
        job_mem_size: 0,
        enable_debug: 'yes',
        status: 'creating',
        arch: 'x86_64',
        id: UNKNOWN_ID,
        kubernetes_job: 'x',
        ssh_containers: [{ name: 'a', jail: 'maybe', status: 'pending' }, 5],
      },
      alice,
    );

    expect(status).toBe(422);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject(problem(422, 'Unprocessable Entity', INVALID_FIELDS));
    expect(Object.keys(body.errors).sort()).toEqual(
      [
        'arch',
        'artifact_id',
        'build_env_size',
        'enable_debug',
        'id',
        'image_root_archive_name',
        'initrd_file_name',
        'job_mem_size',
        'job_type',
        'kernel_file_name',
        'kubernetes_job',
        'public_key_id',
        'ssh_containers',
        'status',
      ].sort(),
    );
    expect(Object.keys(body.errors.ssh_containers['0']).sort()).toEqual(['jail', 'status']);
  });

  it('ignores connection_info only where it says nothing', async () => {
    const container = (connection_info: unknown) => ({ name: 'customize', jail: true, connection_info });

    const empty = await ims.post(
      PATH,
      wanted({ ssh_containers: [container({ property1: {}, property2: {} })] }),
      alice,
    );
    const full = await ims.post(PATH, wanted({ ssh_containers: [container({ a: { host: 'x' } })] }), alice);

    // It gets past the field rules: what is refused is that a job of this type has a shell at all.
    expect([empty.status, empty.body.detail]).toEqual([400, expect.stringContaining('ssh_containers')]);
    expect([full.status, full.body.errors]).toEqual([
      422,
      { ssh_containers: { 0: { connection_info: [expect.any(String)] } } },
    ]);
  });

  it('asks for shells before it looks for the recipe, and for the recipe before the key', async () => {
    const shells = [{ name: 'a', jail: false }];
    const all = { artifact_id: UNKNOWN_ID, public_key_id: UNKNOWN_ID };

    const answers = [
      await ims.post(PATH, wanted({ ...all, ssh_containers: shells }), alice),
      await ims.post(PATH, wanted({ ...all, job_type: 'customize', ssh_containers: [...shells, ...shells] }), alice),
      await ims.post(PATH, wanted(all), alice),
      await ims.post(PATH, wanted({ public_key_id: UNKNOWN_ID }), alice),
    ];

    expect(answers.map(({ status, body }) => [status, body.detail])).toEqual([
      [400, expect.stringContaining('ssh_containers')],
      [400, expect.stringContaining('ssh_containers')],
      [400, expect.stringContaining('recipe')],
      [400, expect.stringContaining('public key')],
    ]);
  });

  it('refuses a recipe without link, a deleted one, and what other tenants have', async () => {
    const unlinked = await ims.post(
      '/v3/recipes',
      { name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15' },
      alice,
    );
    const deleted = await aRecipe('deleted.tgz', {}, alice);
    expect((await ims.delete(`/v3/recipes/${deleted.id}`, alice)).status).toBe(204);

    const answers = await Promise.all(
      [unlinked.body, deleted, bobsRecipe].map(({ id }) => ims.post(PATH, wanted({ artifact_id: id }), alice)),
    );
    const bobsOwnKey = await ims.post(PATH, wanted({ public_key_id: bobsKey.id }), alice);

    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400]);
    expect(bobsOwnKey.status).toBe(400);
  });

  it('refuses a recipe whose archive is gone', async () => {
    const broken = await aRecipe('broken.tgz', {}, alice);
    await write('UPDATE recipes SET artifact_id = NULL WHERE id = $1', [broken.id]);

    const { status, body } = await ims.post(PATH, wanted({ artifact_id: broken.id }), alice);

    expect([status, body]).toEqual([
      422,
      problem(422, 'Unprocessable Entity', expect.stringContaining('s3://ims/broken.tgz')),
    ]);
  });

  it('refuses more queued jobs than the tenant may have', async () => {
    await bobsJob();

    const { status, body } = await ims.post(
      PATH,
      wanted({ artifact_id: bobsRecipe.id, public_key_id: bobsKey.id }),
      bob,
    );

    expect([status, body.detail]).toEqual([422, expect.stringContaining('queued_jobs')]);
  });

  it('is not for readers, nor for nobody', async () => {
    expect((await ims.post(PATH, wanted(), rita)).status).toBe(403);
    expect((await ims.post(PATH, wanted(), 'no-token')).status).toBe(401);
    expect((await ims.post(PATH, wanted())).status).toBe(401);
  });

  it('is not changed by what becomes of its recipe and key', async () => {
    const [source, shortLived] = [await aRecipe('short.tgz', {}, alice), await aKey(alice)];
    const job = await aJob({ artifact_id: source.id, public_key_id: shortLived.id });

    await ims.patch(`/v3/recipes/${source.id}`, { arch: 'aarch64' }, alice);
    await ims.delete(`/v3/recipes/${source.id}`, alice);
    await ims.delete(`/v3/public-keys/${shortLived.id}`, alice);

    expect((await ims.get(path(job), alice)).body).toEqual(job);
  });
});

describe('GET /v3/jobs', () => {
  it('lists the jobs of the tenant, oldest first', async () => {
    const jobs = [await aJob(), await aJob(), await aJob()];
    await bobsJob();

    const { status, body } = await ims.get(PATH, rita);

    expect([status, ids(body)]).toEqual([200, ids(jobs)]);
  });

  it('pages through, although jobs come and go', async () => {
    const jobs = [];
    for (const name of ['e', 'd', 'c', 'b', 'a']) jobs.push(await aJob({ image_root_archive_name: name }));

    const first = await ims.get(`${PATH}?limit=2&sort=name:asc`, alice);
    expect(first.body.map((job: any) => job.image_root_archive_name)).toEqual(['a', 'b']);
    await ims.delete(path(first.body[1]), alice);
    const next = /^<\/apis\/ims(.*)>; rel="next"$/.exec(first.headers.get('link')!)![1]!;
    const second = await ims.get(next, alice);

    expect(second.body.map((job: any) => job.image_root_archive_name)).toEqual(['c', 'd']);
    const third = await ims.get(`${PATH}?limit=2&sort=name:asc&marker=${second.body[1].id}`, alice);
    expect([third.body.length, third.headers.get('link')]).toEqual([1, null]);
  });

  it('filters and sorts by status', async () => {
    const [first, second, third] = [await aJob(), await aJob(), await aJob()];
    await ims.patch(path(first), { status: 'waiting_for_repos' }, alice);
    await ims.patch(path(second), { status: 'error' }, alice);

    const filtered = await ims.get(`${PATH}?status=error,waiting_for_repos`, alice);
    const sorted = await ims.get(`${PATH}?sort=status:asc`, alice);

    expect(ids(filtered.body)).toEqual(ids([first, second]));
    expect(ids(sorted.body)).toEqual(ids([third, second, first]));
  });

  it('filters by name, recipe, key, result, type and time', async () => {
    const [one, other] = [await aJob({ image_root_archive_name: 'one' }), await aJob({ artifact_id: armRecipe.id })];
    await ims.patch(path(one), { resultant_image_id: UNKNOWN_ID }, alice);
    const found = async (query: string) => ids((await ims.get(`${PATH}?${query}`, alice)).body);

    expect(await found('name=one')).toEqual([one.id]);
    expect(await found(`artifact_id=${armRecipe.id.toUpperCase()}`)).toEqual([other.id]);
    expect(await found('arch=aarch64')).toEqual([other.id]);
    expect(await found(`public_key_id=${key.id}&job_type=create`)).toEqual([one.id, other.id]);
    expect(await found(`resultant_image_id=${UNKNOWN_ID}`)).toEqual([one.id]);
    expect(await found(`created=gt:${one.created}`)).toEqual(one.created < other.created ? [other.id] : []);
    expect(await found('job_type=customize')).toEqual([]);
  });

  it('is for administrators about every tenant, if they ask', async () => {
    const [mine, theirs] = [await aJob(), await bobsJob()];

    expect(ids((await ims.get(PATH, root)).body)).toEqual([mine.id]);
    expect(ids((await ims.get(`${PATH}?owner=all`, root)).body)).toEqual([mine.id, theirs.id]);
    expect((await ims.get(`${PATH}?owner=all`, alice)).status).toBe(403);
  });

  it.each([
    'limit=0',
    'marker=x',
    `marker=${UNKNOWN_ID}`,
    'sort=colour',
    'status=sleeping',
    'job_type=x',
    'created=soon',
  ])('refuses %s', async (query) => {
    const { status, body } = await ims.get(`${PATH}?${query}`, alice);
    expect([status, body.detail]).toEqual([400, expect.stringContaining(query.split('=')[0]!)]);
  });

  it('refuses the marker of another tenant', async () => {
    expect((await ims.get(`${PATH}?marker=${(await bobsJob()).id}`, alice)).status).toBe(400);
  });
});

describe('one job', () => {
  const requests = [
    ['GET', ''],
    ['DELETE', ''],
    ['PATCH', ''],
    ['POST', '/cancel'],
    ['GET', '/log'],
  ] as const;

  it.each(requests)('answers 404 to %s …%s of what is not there for the caller', async (method, more) => {
    const theirs = await bobsJob();
    for (const id of [UNKNOWN_ID, 'no-uuid', theirs.id, theirs.id.toUpperCase()]) {
      const { status, body } = await ims.send(method, `${PATH}/${id}${more}`, alice);
      expect([status, body]).toEqual([404, problem(404, 'Not Found', NOT_FOUND)]);
    }
    expect((await ims.get(path(theirs), bob)).body).toEqual(theirs);
  });

  it.each(requests)('answers 401 to %s …%s without a good token', async (method, more) => {
    const job = await aJob();
    expect((await ims.send(method, path(job, more), 'wrong')).status).toBe(401);
  });

  it.each(requests.filter(([method]) => method !== 'GET'))('answers 403 to a reader’s %s …%s', async (method, more) => {
    const job = await aJob();
    expect((await ims.send(method, path(job, more), rita)).status).toBe(403);
    expect((await ims.get(path(job), rita)).body).toEqual(job);
  });

  it('takes no other method', async () => {
    const { status, headers } = await ims.send('PUT', path(await aJob()), alice, {});
    expect([status, headers.get('allow')?.split(', ').sort()]).toEqual([405, ['DELETE', 'GET', 'PATCH']]);
  });
});

describe('PATCH /v3/jobs/{id}', () => {
  it('takes every status in any order while the job has not ended', async () => {
    const job = await aJob();
    for (const status of [...STATUSES, ...[...STATUSES].reverse()]) {
      const answer = await ims.patch(path(job), { status }, alice);
      expect([answer.status, answer.body]).toEqual([200, { ...job, status }]);
    }
  });

  it('ends the job in success, and keeps that', async () => {
    const job = await aJob();
    const done = { status: 'success', resultant_image_id: UNKNOWN_ID };

    const answer = await ims.patch(path(job), done, alice);

    expect([answer.status, answer.body]).toEqual([200, { ...job, ...done }]);
    expect((await ims.patch(path(job), { status: 'success' }, alice)).status).toBe(200);
    for (const other of [{ status: 'error' }, { status: 'creating' }, { resultant_image_id: job.id }]) {
      expect((await ims.patch(path(job), other, alice)).status).toBe(409);
    }
    expect((await ims.get(path(job), alice)).body).toEqual(answer.body);
  });

  it('ends the job in error, with a cause', async () => {
    const job = await aJob();

    const { body } = await ims.patch(path(job), { status: 'error' }, alice);

    expect(body).toMatchObject({ status: 'error', cause: { code: 'build.failed', message: expect.any(String) } });
    expect((await ims.patch(path(job), { status: 'error' }, alice)).status).toBe(200);
    expect((await ims.patch(path(job), { status: 'success' }, alice)).status).toBe(409);
  });

  it.each([
    [{}, 400],
    [{ status: 'Success' }, 422],
    [{ status: null }, 422],
    [{ resultant_image_id: null }, 422],
    [{ resultant_image_id: 'x' }, 422],
    [{ arch: 'x86_64' }, 422],
  ])('refuses %j', async (body, status) => {
    const job = await aJob();
    expect((await ims.patch(path(job), body, alice)).status).toBe(status);
    expect((await ims.get(path(job), alice)).body).toEqual(job);
  });
});

describe('POST /v3/jobs/{id}/cancel', () => {
  it('ends the job with the cause user.cancelled, once', async () => {
    const job = await aJob();

    const { status, body } = await ims.send('POST', path(job, '/cancel'), alice);

    expect([status, body]).toEqual([
      202,
      { ...job, status: 'error', cause: { code: 'user.cancelled', message: expect.any(String) } },
    ]);
    expect((await ims.send('POST', path(job, '/cancel'), alice)).status).toBe(409);
    expect((await ims.patch(path(job), { status: 'success' }, alice)).status).toBe(409);
  });
});

describe('DELETE /v3/jobs', () => {
  it('deletes one, of which the second delete knows nothing', async () => {
    const job = await aJob();

    const answers = await Promise.all([1, 2, 3].map(() => ims.delete(path(job), alice)));

    expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404]);
    expect((await ims.get(path(job), alice)).status).toBe(404);
    expect((await ims.get(PATH, alice)).body).toEqual([]);
  });

  it('frees the place that the job had among the queued ones', async () => {
    expect((await ims.delete(path(await bobsJob()), bob)).status).toBe(204);
    expect((await ims.delete(path(await bobsJob()), bob)).status).toBe(204);
  });

  it('deletes those that match every filter, of this tenant only', async () => {
    const [failed, done, waiting] = [await aJob(), await aJob(), await aJob()];
    await ims.patch(path(failed), { status: 'error' }, alice);
    await ims.patch(path(done), { status: 'success' }, alice);
    const theirs = await bobsJob();

    expect((await ims.delete(`${PATH}?status=ERROR,success&job_type=customize`, alice)).status).toBe(204);
    expect((await ims.delete(`${PATH}?age=1h`, alice)).status).toBe(204);
    expect(ids((await ims.get(PATH, alice)).body)).toEqual(ids([failed, done, waiting]));
    expect((await ims.delete(`${PATH}?status=Error&status=success&age=0m`, alice)).status).toBe(204);
    expect(ids((await ims.get(PATH, alice)).body)).toEqual([waiting.id]);
    expect((await ims.delete(PATH, alice)).status).toBe(204);
    expect((await ims.get(PATH, alice)).body).toEqual([]);
    expect((await ims.get(path(theirs), bob)).status).toBe(200);
  });

  it('deletes by age', async () => {
    const [old, young] = [await aJob(), await aJob()];
    await write(`UPDATE jobs SET created_at = now() - interval '30 hours' WHERE id = $1`, [old.id]);

    expect((await ims.delete(`${PATH}?age=1d7h`, alice)).status).toBe(204);
    expect((await ims.get(PATH, alice)).body).toHaveLength(2);
    expect((await ims.delete(`${PATH}?age=1d5h`, alice)).status).toBe(204);

    expect(ids((await ims.get(PATH, alice)).body)).toEqual([young.id]);
  });

  it.each(['age=soon', 'age=', 'age=1', 'status=', 'status=gone', 'job_type=', 'job_type=Create'])(
    'refuses %s and deletes nothing',
    async (query) => {
      const job = await aJob();
      const { status, body } = await ims.delete(`${PATH}?${query}`, alice);
      expect([status, body]).toEqual([400, problem(400, 'Bad Request', expect.stringContaining(query.split('=')[0]!))]);
      expect(ids((await ims.get(PATH, alice)).body)).toEqual([job.id]);
    },
  );

  it('is not for readers', async () => {
    expect((await ims.delete(PATH, rita)).status).toBe(403);
  });
});

describe('GET /v3/jobs/{id}/log', () => {
  it('is empty before the first line, and whole after the last', async () => {
    const job = await aJob();
    const before = await ims.send('GET', path(job, '/log'), rita);
    await appendLog(job.id, 1, ['one', 'two']);
    await appendLog(job.id, 3, ['three ✓']);

    const after = await ims.send('GET', path(job, '/log'), rita);

    expect([before.status, before.body]).toEqual([200, '']);
    expect([after.status, after.body]).toEqual([200, 'one\ntwo\nthree ✓\n']);
    expect(after.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  it('is followed as it grows, to the end of the job', async () => {
    const job = await aJob();
    await appendLog(job.id, 1, ['one', 'two']);
    const reply = await fetch(`${kiln.url}/apis/ims${path(job, '/log')}`, {
      headers: { 'x-auth-token': alice, accept: 'text/event-stream' },
    });
    const reader = reply.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const readUntil = async (part: string) => {
      while (!text.includes(part)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`the stream ended with ${text}`);
        text += value;
      }
    };
    await readUntil('two\n\n');

    await appendLog(job.id, 3, ['three']);
    await readUntil('three\n\n');
    await ims.send('POST', path(job, '/cancel'), alice);
    await readUntil('event: end');

    while (!(await reader.read()).done);
    expect(reply.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(text.replaceAll(':\n\n', '')).toContain('id: 1\ndata: one\n\nid: 2\ndata: two\n\n');
    expect(text).toContain('id: 3\ndata: three\n\n');
    expect(text).toContain('event: end\ndata: error\n\n');
  });

  it('is resumed behind the last line seen', async () => {
    const job = await aJob();
    await appendLog(job.id, 1, ['one', 'two', 'three']);
    await appendLog(job.id, 4, ['four']);
    await ims.patch(path(job), { status: 'success' }, alice);

    const { body } = await ims.send('GET', path(job, '/log'), alice, undefined, {
      accept: 'text/event-stream',
      'last-event-id': '2',
    });

    expect(body).toBe('id: 3\ndata: three\n\nid: 4\ndata: four\n\nevent: end\ndata: success\n\n');
  });

  it('ends with a deleted job', async () => {
    const job = await aJob();
    const reply = await fetch(`${kiln.url}/apis/ims${path(job, '/log')}`, {
      headers: { 'x-auth-token': alice, accept: 'text/event-stream' },
    });

    expect((await ims.delete(path(job), alice)).status).toBe(204);

    expect(await reply.text()).not.toContain('data:');
  });
});
