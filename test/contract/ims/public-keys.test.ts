// The exchanges are those of the Image Management Service v3 description: public-keys.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ALPHA, BETA, type RunningKiln, startKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { ImsClient, INVALID_FIELDS, NO_INPUT, NOT_FOUND, problem, TIME, UNKNOWN_ID, UUID } from './wire.js';

const PATH = '/v3/public-keys';

let kiln: RunningKiln;
let ims: ImsClient;
let root: string;
let alice: string;
let bob: string;
let rita: string;

beforeAll(async () => {
  const projects = STANDARD_BOOTSTRAP.projects.map((project) =>
    project.name === 'beta' ? { ...project, limits: { keys: 3 } } : project,
  );
  const both = [
    { project: 'alpha', role: 'member' },
    { project: 'beta', role: 'reader' },
  ];
  const users = [
    ...STANDARD_BOOTSTRAP.users,
    { name: 'carl', password: 's3cret-carl', default_project: 'alpha', roles: both },
  ];
  kiln = await startKiln({ bootstrap: { projects, users }, env: { KILN_ROLE: 'api' } });
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

async function aKey(name = 'mine', token = alice) {
  const { status, body } = await ims.post(PATH, { name, public_key: `ssh-ed25519 AAAA ${name}\n` }, token);
  expect(status).toBe(201);
  return body as { id: string; name: string; created: string };
}

describe('POST /v3/public-keys', () => {
  it('keeps the text as it came, be it a key or not', async () => {
    const text = 'ssh-rsa AAAA\n$(reboot) "quoted"\n\n';

    const { status, headers, body } = await ims.post(PATH, { name: 'mine', public_key: text }, alice);

    expect(status).toBe(201);
    expect(headers.get('content-type')).toContain('application/json');
    expect(body).toEqual({
      id: expect.stringMatching(UUID),
      created: expect.stringMatching(TIME),
      name: 'mine',
      public_key: text,
    });
    expect((await ims.get(`${PATH}/${body.id}`, rita)).body).toEqual(body);
  });

  it('makes two records of two equal requests', async () => {
    expect((await aKey()).id).not.toBe((await aKey()).id);
  });

  it('tells every fault of the fields at once', async () => {
    const { status, headers, body } = await ims.post(PATH, { name: 5, public_key: '', id: 'x', created: null }, alice);

    expect(status).toBe(422);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toEqual({
      ...problem(422, 'Unprocessable Entity', INVALID_FIELDS),
      errors: {
        name: expect.any(Array),
        public_key: expect.any(Array),
        id: expect.any(Array),
        created: expect.any(Array),
      },
    });
  });

  it.each([
    ['null', { name: null, public_key: 'x' }, ['name']],
    ['a missing field', { name: 'x' }, ['public_key']],
    ['a name that is too long', { name: 'n'.repeat(1025), public_key: 'x' }, ['name']],
    ['a key that is too long', { name: 'x', public_key: 'k'.repeat(65_537) }, ['public_key']],
    ['NUL', { name: 'a\0b', public_key: 'x\0' }, ['name', 'public_key']],
    ['half a character', { name: '\ud800', public_key: 'x' }, ['name']],
    ['names of JavaScript', { name: 'x', public_key: 'x', constructor: 1, toString: 'x' }, ['constructor', 'toString']],
  ])('refuses %s', async (_what, body, fields) => {
    const answer = await ims.post(PATH, body, alice);
    expect(answer.status).toBe(422);
    expect(Object.keys(answer.body.errors).sort()).toEqual(fields);
  });

  it('refuses more keys than the project may have, and lets a deleted one be replaced', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => ims.post(PATH, { name: `k${index}`, public_key: 'x' }, bob)),
    );

    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    const refused = answers.find(({ status }) => status !== 201)!;
    expect(refused.body).toEqual(problem(422, 'Unprocessable Entity', expect.stringContaining('3 keys')));
    const [first] = (await ims.get(PATH, bob)).body;
    await ims.delete(`${PATH}/${first.id}`, bob);
    expect((await ims.post(PATH, { name: 'again', public_key: 'x' }, bob)).status).toBe(201);
  });
});

describe('how bodies are read', () => {
  it.each([
    ['no content type', undefined, '{"name":"x"}', 415],
    ['another content type', 'text/plain', '{"name":"x","public_key":"y"}', 415],
    ['broken JSON', 'application/json', '{"name":', 400],
    ['no body', 'application/json', undefined, 400],
    ['bytes that are not UTF-8', 'application/json', new Uint8Array([0x22, 0xff, 0x22]), 400],
    ['deep nesting', 'application/json', '['.repeat(50_000) + ']'.repeat(50_000), 400],
  ])('answers %s with a problem document', async (_what, contentType, body, status) => {
    const answer = await ims.send('POST', PATH, alice, body, { 'content-type': contentType ?? '' });
    expect([answer.status, answer.body.status]).toEqual([status, status]);
    expect(Object.keys(answer.body).sort()).toEqual(['detail', 'status', 'title']);
  });

  it.each(['{}', '[]', 'null', '""', '0', 'false'])('takes %s for no input', async (body) => {
    const answer = await ims.send('POST', PATH, alice, body, { 'content-type': 'application/json' });
    expect(answer.body).toEqual(problem(400, 'Bad Request', NO_INPUT));
  });

  it.each(['[1]', '"text"', '5', 'true'])('refuses %s, which is no object', async (body) => {
    const answer = await ims.send('POST', PATH, alice, body, { 'content-type': 'application/json' });
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual({ _schema: [expect.any(String)] });
  });

  it('takes any JSON media type, and refuses a body of more than a mebibyte', async () => {
    const body = JSON.stringify({ name: 'x', public_key: 'y' });
    const type = { 'content-type': 'application/merge-patch+json; charset=utf-8' };
    expect((await ims.send('POST', PATH, alice, body, type)).status).toBe(201);
    const large = await ims.post(PATH, { name: 'x', public_key: 'y'.repeat(1024 * 1024) }, alice);
    expect([large.status, large.body.title]).toEqual([413, 'Payload Too Large']);
  });
});

describe('GET and DELETE of one key', () => {
  it.each([UNKNOWN_ID, 'no-uuid', '%00', 'A'.repeat(300)])('does not know %s', async (id) => {
    for (const method of ['GET', 'DELETE']) {
      expect((await ims.send(method, `${PATH}/${id}`, alice)).body).toEqual(problem(404, 'Not Found', NOT_FOUND));
    }
  });

  it('compares ids as text', async () => {
    const { id } = await aKey();
    expect((await ims.get(`${PATH}/${id.toUpperCase()}`, alice)).status).toBe(404);
  });

  it('shows nobody the keys of another project, but administrators', async () => {
    const { id } = await aKey();
    expect((await ims.get(`${PATH}/${id}`, bob)).status).toBe(404);
    expect((await ims.delete(`${PATH}/${id}`, bob)).status).toBe(404);
    expect((await ims.get(`${PATH}/${id}`, root)).status).toBe(200);
    const ofBeta = await aKey('of-beta', bob);
    expect((await ims.get(`${PATH}/${ofBeta.id}`, root)).status).toBe(200);
  });

  it('lets readers read only', async () => {
    const { id } = await aKey();
    expect((await ims.get(`${PATH}/${id}`, rita)).status).toBe(200);
    const refusals = await Promise.all([
      ims.delete(`${PATH}/${id}`, rita),
      ims.delete(PATH, rita),
      ims.post(PATH, { name: 'x', public_key: 'x' }, rita),
    ]);
    expect(refusals.map(({ status, body }) => [status, body.title])).toEqual(Array(3).fill([403, 'Forbidden']));
    expect((await ims.delete(`${PATH}/${UNKNOWN_ID}`, rita)).status).toBe(404);
  });

  it('deletes once, also when many try at once', async () => {
    const { id } = await aKey();
    const statuses = await Promise.all(
      Array.from({ length: 5 }, async () => (await ims.delete(`${PATH}/${id}`, alice)).status),
    );
    expect(statuses.sort()).toEqual([204, 404, 404, 404, 404]);
    expect((await ims.get(`${PATH}/${id}`, alice)).status).toBe(404);
  });

  it('has no PATCH, no PUT and no final slash', async () => {
    const { id } = await aKey();
    const patch = await ims.patch(`${PATH}/${id}`, { name: 'x' }, alice);
    expect([patch.status, patch.body.title, patch.headers.get('allow')]).toEqual([
      405,
      'Method Not Allowed',
      'DELETE, GET',
    ]);
    expect((await ims.send('PUT', PATH, alice, {})).status).toBe(405);
    expect((await ims.get(`${PATH}/`, alice)).status).toBe(404);
    expect((await ims.get('/v3/nothing', alice)).body).toEqual(problem(404, 'Not Found', expect.any(String)));
  });
});

describe('credentials', () => {
  it.each([
    ['none', {}],
    ['a bad token', { 'x-auth-token': 'nonsense' }],
    ['a bad bearer', { authorization: 'Bearer nonsense' }],
    ['another scheme', { authorization: 'Basic YTpi' }],
  ])('answers %s with 401', async (_what, headers) => {
    const answer = await ims.send('GET', PATH, undefined, undefined, headers);
    expect([answer.status, answer.body.title]).toEqual([401, 'Unauthorized']);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('takes a token as a bearer too', async () => {
    expect((await ims.send('GET', PATH, undefined, undefined, { authorization: `Bearer ${alice}` })).status).toBe(200);
  });

  it('works for the tenant that the command line names, if the caller belongs to it', async () => {
    const { id } = await aKey('of-beta', bob);
    const inTenant = async (token: string, tenant: string) =>
      (await ims.send('GET', PATH, token, undefined, { 'cray-tenant-name': tenant })).status;
    expect(await inTenant(bob, 'beta')).toBe(200);
    expect(await inTenant(alice, 'alpha')).toBe(200);
    expect(await inTenant(alice, 'beta')).toBe(403);
    expect(await inTenant(alice, 'no-such-tenant')).toBe(403);
    const ofRoot = await ims.send('GET', PATH, root, undefined, { 'cray-tenant-name': 'beta' });
    expect(ofRoot.body.map((key: { id: string }) => key.id)).toEqual([id]);
    // Belongs to both, with another role in each.
    const carl = await kiln.token('carl', 'alpha');
    const asCarl = (method: string) =>
      ims.send(method, `${PATH}/${id}`, carl, undefined, { 'cray-tenant-name': 'beta' });
    expect([(await asCarl('GET')).status, (await asCarl('DELETE')).status]).toEqual([200, 403]);
    expect((await ims.get(`${PATH}/${id}`, carl)).status).toBe(404);
  });
});

describe('GET /v3/public-keys', () => {
  async function names(query: string, token = alice): Promise<string[]> {
    const { status, body } = await ims.get(`${PATH}${query}`, token);
    expect([status, body]).toEqual([200, expect.any(Array)]);
    return body.map((key: { name: string }) => key.name);
  }

  it('is the complete array, oldest first, of the own project', async () => {
    expect((await ims.get(PATH, alice)).body).toEqual([]);
    for (const name of ['c', 'a', 'b']) await aKey(name);
    await aKey('of-beta', bob);
    expect(await names('')).toEqual(['c', 'a', 'b']);
    expect(await names('?unknown=1', rita)).toEqual(['c', 'a', 'b']);
  });

  it('sorts, filters and pages on request, and names the next page', async () => {
    const keys = [];
    for (const name of ['c', 'a', 'b', 'a']) keys.push(await aKey(name));
    expect(await names('?sort=name:asc')).toEqual(['a', 'a', 'b', 'c']);
    expect(await names('?sort=name')).toEqual(['c', 'b', 'a', 'a']);
    expect(await names('?sort_key=name&sort_dir=asc')).toEqual(['a', 'a', 'b', 'c']);
    expect(await names('?sort=name:asc,created:desc&limit=1')).toEqual(['a']);
    expect(await names('?name=a&name=c')).toEqual(['c', 'a', 'a']);
    expect(await names(`?created=gt:${keys[1]!.created}`)).toEqual(['b', 'a']);
    expect(await names(`?created=gte:${keys[1]!.created}&created=lt:${keys[3]!.created}`)).toEqual(['a', 'b']);
    expect(await names(`?marker=${keys[1]!.id}`)).toEqual(['b', 'a']);

    const first = await ims.get(`${PATH}?limit=3&sort=name:asc&name=a&name=b&name=c`, alice);
    expect(first.body.map((key: { name: string }) => key.name)).toEqual(['a', 'a', 'b']);
    const next = /^<\/apis\/ims(.*)>; rel="next"$/.exec(first.headers.get('link')!)![1]!;
    const last = await ims.get(next, alice);
    expect([last.body.map((key: { name: string }) => key.name), last.headers.get('link')]).toEqual([['c'], null]);
  });

  it('pages on behind a key that was deleted meanwhile', async () => {
    const keys = [];
    for (const name of ['a', 'b', 'c']) keys.push(await aKey(name));
    await ims.delete(`${PATH}/${keys[1]!.id}`, alice);
    expect(await names(`?limit=5&marker=${keys[1]!.id}`)).toEqual(['c']);
  });

  it('lists other projects for administrators only', async () => {
    await aKey('of-alpha');
    await aKey('of-beta', bob);
    expect(await names('', root)).toEqual(['of-alpha']);
    expect(await names(`?owner=${BETA}`, root)).toEqual(['of-beta']);
    expect(await names('?owner=all', root)).toEqual(['of-alpha', 'of-beta']);
    expect(await names(`?owner=${ALPHA}`)).toEqual(['of-alpha']);
    for (const owner of [BETA, 'all']) {
      const refused = await ims.get(`${PATH}?owner=${owner}`, alice);
      expect([refused.status, refused.body.title]).toEqual([403, 'Forbidden']);
    }
  });

  it.each([
    ['limit', 'limit=0'],
    ['limit', 'limit=1001'],
    ['limit', 'limit=x'],
    ['limit', 'limit='],
    ['marker', 'marker=x'],
    ['sort', 'sort=size'],
    ['sort', 'sort=name:up'],
    ['sort', 'sort=constructor'],
    ['sort_dir', 'sort_dir=up'],
    ['sort_key', 'sort_key=status'],
    ['sort_key', 'sort=name&sort_key=name'],
    ['created', 'created=yesterday'],
    ['created', 'created=lt:2031-02-30'],
    ['created', 'created=like:2030-01-01'],
    ['name', 'name=%00'],
  ])('names %s as the fault of ?%s', async (parameter, query) => {
    const answer = await ims.get(`${PATH}?${query}`, alice);
    expect(answer.body).toEqual(problem(400, 'Bad Request', expect.stringContaining(parameter)));
  });

  it("refuses markers that are unknown or another project's", async () => {
    const ofBeta = await aKey('of-beta', bob);
    for (const marker of [UNKNOWN_ID, ofBeta.id]) {
      for (const limit of ['', '&limit=2']) {
        const answer = await ims.get(`${PATH}?marker=${marker}${limit}`, alice);
        expect(answer.body).toEqual(problem(400, 'Bad Request', expect.stringContaining('marker')));
      }
    }
  });
});

describe('DELETE /v3/public-keys', () => {
  it('empties the own project and no other', async () => {
    await aKey('a');
    await aKey('b');
    await aKey('of-beta', bob);
    expect((await ims.delete(PATH, alice)).status).toBe(204);
    expect((await ims.get(PATH, alice)).body).toEqual([]);
    expect((await ims.get(PATH, bob)).body).toHaveLength(1);
    expect((await ims.delete(PATH, alice)).status).toBe(204);
  });
});

describe('what anybody may ask', () => {
  it('says that it is alive and ready, and which version it is', async () => {
    for (const path of ['/healthz/live', '/healthz/ready']) {
      const answer = await ims.get(path);
      expect([answer.status, answer.body]).toEqual([200, {}]);
    }
    expect((await ims.get('/version')).body).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });
});
