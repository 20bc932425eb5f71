// The exchanges are those of the Compute API reference ("Versions"), of the API guidelines ("Microversion
// specification") and of Nova 26.2.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { get } from 'node:http';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, clients, fault, IMAGE_NOT_FOUND, type NovaClient, NOTHING_THERE, UNKNOWN_ID } from './wire.js';

const UNAUTHORIZED = {
  error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
};

let kiln: RunningKiln;
let alice: NovaClient;
let imageId: string;
let root: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  const { glance, ...nova } = await clients(kiln);
  alice = nova.alice;
  imageId = (await glance.alice.create({ name: 'one' })).id;
  root = `${kiln.url}/compute`;
});

afterAll(() => kiln?.stop());

const UPDATED = '2026-01-01T00:00:00Z';
const older = { id: 'v2.0', status: 'SUPPORTED', version: '', min_version: '', updated: UPDATED };
const current = { id: 'v2.1', status: 'CURRENT', version: '2.39', min_version: '2.1', updated: UPDATED };
const mediaTypes = [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' }];
const self = (path: string) => ({ rel: 'self', href: `${root}${path}` });
const described = { rel: 'describedby', type: 'text/html', href: expect.stringMatching(/^https:/) };

describe('version documents', () => {
  it.each(['', '/'])('list both bases at %j, without a token', async (path) => {
    const { status, body } = await ask(kiln, 'GET', path);

    expect([status, body]).toEqual([
      200,
      {
        versions: [
          { ...older, links: [self('/v2/')] },
          { ...current, links: [self('/v2.1/')] },
        ],
      },
    ]);
  });

  it.each([
    ['/v2.1', () => ({ ...current, links: [self('/v2.1/'), described] })],
    ['/v2.1/', () => ({ ...current, links: [self('/v2.1/'), described] })],
    ['/v2', () => ({ ...older, links: [self('/v2/'), described] })],
    ['/v2/', () => ({ ...older, links: [self('/v2/'), described] })],
  ])('describe one base at %s, without a token', async (path, version) => {
    const { status, body } = await ask(kiln, 'GET', path);

    expect([status, body]).toEqual([200, { version: { ...version(), 'media-types': mediaTypes } }]);
  });

  it('describe a base below a project with its slash, to who has a token', async () => {
    const answer = await alice.get(`/${ALPHA}/`);
    const without = await ask(kiln, 'GET', `/v2.1/${ALPHA}/`);
    const noSlash = await alice.get(`/${ALPHA}`);
    const foreign = await alice.get(`/${BETA}/`);

    expect([answer.status, answer.body.version.id]).toEqual([200, 'v2.1']);
    expect([without.status, noSlash.status, foreign.status]).toEqual([401, 404, 400]);
  });

  it.each(['/v3', '/images', '/v2.2/images', '/v1.1/', '/versions', '/v2.1x'])(
    'offer a choice at %s, which is below no base',
    async (path) => {
      const { status, body } = await ask(kiln, 'GET', path);

      expect([status, body]).toEqual([
        300,
        { choices: [{ id: 'v2.1', status: 'CURRENT', links: [self(`/v2.1${path}`)], 'media-types': mediaTypes }] },
      ]);
    },
  );

  it('are at the address of the catalogue', async () => {
    const reply = await fetch(`${kiln.url}/identity/v3/auth/catalog`, { headers: { 'x-auth-token': alice.token } });
    const { catalog } = (await reply.json()) as { catalog: { type: string; endpoints: { url: string }[] }[] };

    const urls = catalog.find(({ type }) => type === 'compute')?.endpoints.map(({ url }) => url);
    expect(new Set(urls)).toEqual(new Set([`${root}/v2.1`]));
  });
});

describe('a microversion', () => {
  const STANDARD = 'openstack-api-version';
  const LEGACY = 'x-openstack-nova-api-version';

  it.each<[Record<string, string>, string]>([
    [{}, '2.1'],
    [{ [STANDARD]: 'compute 2.35' }, '2.35'],
    [{ [STANDARD]: 'volume 3.1, compute 2.2' }, '2.2'],
    [{ [STANDARD]: 'volume 3.1' }, '2.1'],
    [{ [STANDARD]: 'compute 2.2', [LEGACY]: '2.3' }, '2.2'],
    [{ [LEGACY]: '2.35' }, '2.35'],
  ])('of %j is %s, as the answer says', async (headers, version) => {
    const answer = await alice.get('/images', headers);

    expect(answer.status).toBe(200);
    expect(answer.headers.get(STANDARD)).toBe(`compute ${version}`);
    expect(answer.headers.get(LEGACY)).toBe(version);
    expect(answer.headers.get('vary')).toBe('OpenStack-API-Version, X-OpenStack-Nova-API-Version');
  });

  it('is told in headers of their own, two of them Vary', async () => {
    const raw = await new Promise<string[]>((resolve, reject) => {
      get(`${root}/v2.1/images`, { headers: { 'x-auth-token': alice.token } }, (reply) => {
        reply.resume().on('end', () => resolve(reply.rawHeaders));
      }).on('error', reject);
    });

    const vary = raw.filter((_value, index) => index % 2 === 1 && raw[index - 1]!.toLowerCase() === 'vary');
    expect(vary).toEqual(['OpenStack-API-Version', 'X-OpenStack-Nova-API-Version']);
  });

  it.each(['9.9', '2.0', '3.1', '2.40', '1.35'])('%s is not supported', async (version) => {
    const headers: [string, string][] = [
      [STANDARD, `compute ${version}`],
      [LEGACY, version],
    ];
    for (const header of headers) {
      const answer = await alice.get('/images', Object.fromEntries([header]));

      expect(answer.status).toBe(406);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
      expect(answer.headers.get(STANDARD)).toBe(`compute ${version}`);
      expect(answer.body).toEqual({
        computeFault: {
          message: `Version ${version} is not supported by the API. Minimum is 2.1 and maximum is 2.39.`,
          code: 406,
        },
      });
    }
  });

  it.each(['abc', '2', '2.01', '2.1.1'])('%s is malformed', async (version) => {
    const answer = await alice.get('/images', { [LEGACY]: version });

    expect([answer.status, answer.body]).toEqual([
      400,
      {
        badRequest: {
          message: `API Version String ${version} is of invalid format. Must be of format MajorNum.MinorNum.`,
          code: 400,
        },
      },
    ]);
  });

  it('is looked at behind the token, and before everything else', async () => {
    const anonymous = await ask(kiln, 'GET', '/v2.1/images', { headers: { [LEGACY]: '9.9' } });
    const wrongProject = await alice.get(`/${BETA}/nothing/here`, { [LEGACY]: '9.9' });
    const document = await ask(kiln, 'GET', '/v2.1/', { headers: { [LEGACY]: '9.9' } });

    expect([anonymous.status, wrongProject.status, document.status]).toEqual([401, 406, 406]);
  });

  it.each([
    ['2.35', '2.36', ['/images', '/images/detail', '/images/{}', `/images/${UNKNOWN_ID}`]],
    ['2.38', '2.39', ['/images/{}/metadata', '/images/{}/metadata/a', `/images/${UNKNOWN_ID}/metadata`]],
  ])('up to %s has the calls that %s has not', async (last, gone, paths) => {
    for (const path of paths.map((each) => each.replace('{}', imageId))) {
      const [before, after, latest] = [
        await alice.get(path, { [LEGACY]: last }),
        await alice.get(path, { [LEGACY]: gone }),
        await alice.get(path, { [LEGACY]: 'latest' }),
      ];

      expect(before.body).not.toEqual(path.includes('/metadata/') ? IMAGE_NOT_FOUND : NOTHING_THERE);
      for (const { status, body } of [after, latest]) expect([status, body]).toEqual([404, NOTHING_THERE]);
    }
    expect((await alice.send('DELETE', `/images/${imageId}`, undefined, { [LEGACY]: '2.36' })).status).toBe(404);
    expect((await alice.get(`/images/${imageId}`)).status).toBe(200);
  });
});

describe('the older base', () => {
  it('has no microversions, and keeps every call', async () => {
    const legacy = alice.below('/v2');
    for (const asked of ['2.36', '2.39', '9.9', 'abc']) {
      const answer = await legacy.get('/images', { 'x-openstack-nova-api-version': asked });

      expect(answer.status).toBe(200);
      for (const name of ['openstack-api-version', 'x-openstack-nova-api-version', 'vary']) {
        expect(answer.headers.get(name)).toBeNull();
      }
    }
    expect((await legacy.get(`/images/${imageId}`)).body.image.links[0].href).toBe(`${root}/v2/images/${imageId}`);
  });
});

describe('every call', () => {
  const CALLS = [
    ['GET', '/images'],
    ['GET', '/images/detail'],
    ['GET', '/images/{}'],
    ['DELETE', '/images/{}'],
    ['GET', '/images/{}/metadata'],
    ['POST', '/images/{}/metadata'],
    ['PUT', '/images/{}/metadata'],
    ['GET', '/images/{}/metadata/a'],
    ['PUT', '/images/{}/metadata/a'],
    ['DELETE', '/images/{}/metadata/a'],
    ['GET', '/servers'],
    ['PATCH', '/images'],
  ] as const;

  it.each(CALLS)('%s %s needs a token that is good', async (method, path) => {
    for (const token of [undefined, 'nonsense']) {
      const answer = await ask(kiln, method, `/v2.1${path.replace('{}', imageId)}`, { token });

      expect([answer.status, answer.body]).toEqual([401, UNAUTHORIZED]);
      expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${kiln.url}/identity"`);
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    }
  });

  it('takes the project in the path only if it is that of the token', async () => {
    const own = alice.below(`/v2.1/${ALPHA}`);
    const foreign = alice.below(`/v2.1/${BETA}`);

    expect((await own.get('/images/detail')).status).toBe(200);
    for (const path of ['/images', '/images/detail', `/images/${imageId}`, `/images/${imageId}/metadata`]) {
      const answer = await foreign.get(path);

      expect([answer.status, answer.body]).toEqual([
        400,
        {
          badRequest: {
            message: `Malformed request URL: URL's project_id '${BETA}' doesn't match Context's project_id '${ALPHA}'`,
            code: 400,
          },
        },
      ]);
    }
    expect((await alice.below('/v2.1/alpha').get('/images')).status).toBe(404);
  });

  it('has a request id of its own, twice', async () => {
    const answers = [
      await alice.get('/images', { 'x-openstack-request-id': 'req-mine' }),
      await alice.get('/images/x'),
      await ask(kiln, 'GET', '/v2.1/images'),
      await alice.below('/v2').get('/images'),
    ];

    const ids = answers.map(({ headers }) => headers.get('x-openstack-request-id'));
    expect(new Set(ids).size).toBe(answers.length);
    for (const id of ids) expect(id).toMatch(/^req-[0-9a-f-]{36}$/);
    expect(answers.map(({ headers }) => headers.get('x-compute-request-id'))).toEqual(ids);
  });

  it.each([
    ['POST', '/images'],
    ['PUT', '/images'],
    ['HEAD', '/images'],
    ['OPTIONS', '/images'],
    ['PATCH', '/images/{}'],
    ['POST', '/images/{}'],
    ['DELETE', '/images/{}/metadata'],
    ['POST', '/images/{}/metadata/a'],
    ['GET', '/images/{}/metadata/a/b'],
    ['GET', '/images/'],
    ['GET', '/images/{}/'],
    ['GET', '/servers/detail'],
    ['POST', ''],
  ])('that is not there is 404: %s %s', async (method, path) => {
    const answer = await alice.send(method, path.replace('{}', imageId));

    expect(answer.status).toBe(404);
    if (method !== 'HEAD') expect(answer.body).toEqual(NOTHING_THERE);
  });

  it('that cannot be read is told so in this dialect', async () => {
    const broken = await alice.get('/images/%zz');
    const tooLarge = await alice.put(`/images/${imageId}/metadata`, `"${'x'.repeat(1024 * 1024)}"`);

    expect([broken.status, broken.body]).toEqual([400, fault('badRequest', 400)]);
    expect([tooLarge.status, tooLarge.body]).toEqual([413, fault('overLimit', 413)]);
  });
});
