// The exchanges are those of the Image API v2 reference ("Image service versions") and of Glance 25.1; the error bodies
// are webob's.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, type Client, clients } from './wire.js';

let kiln: RunningKiln;
let alice: Client;
let rita: Client;
let root: Client;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ alice, rita, root } = await clients(kiln));
});

afterAll(() => kiln?.stop());

describe('versions', () => {
  const document = () => ({
    versions: [
      'v2.18',
      'v2.17',
      'v2.16',
      'v2.15',
      'v2.14',
      'v2.13',
      'v2.12',
      'v2.11',
      'v2.10',
      'v2.9',
      'v2.8',
      'v2.7',
      'v2.6',
      'v2.5',
      'v2.4',
      'v2.3',
      'v2.2',
      'v2.1',
      'v2.0',
    ].map((id, index) => ({
      id,
      status: index === 0 ? 'CURRENT' : 'SUPPORTED',
      links: [{ rel: 'self', href: `${kiln.url}/image/v2/` }],
    })),
  });

  it.each([
    ['', 300],
    ['/', 300],
    ['/versions', 200],
    ['/versions/', 200],
    ['/v1', 300],
    ['/v10', 300],
    ['/v2.99/images', 300],
    ['/va.1/images', 300],
  ])('are told at %j with %d, without a token', async (path, status) => {
    const answer = await ask(kiln, 'GET', path, { headers: { accept: 'text/plain' } });

    expect(answer.status).toBe(status);
    expect(answer.body).toEqual(document());
  });

  it('lead from /v2 to /v2/', async () => {
    const answer = await ask(kiln, 'GET', '/v2');

    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe(`${kiln.url}/image/v2/`);
  });

  it('are one API under every prefix that is listed, and under none with a fitting Accept', async () => {
    await alice.create({ name: 'same' });
    const paths = ['/v2/images', '/v2.0/images', '/v2.6/images', '/v2.7/images', '/v2.15/images'];
    const answers = await Promise.all(paths.map((path) => alice.ask('GET', path)));
    const byAccept = await alice.ask('GET', '/images', undefined, {
      accept: 'application/vnd.openstack.images-v2',
    });

    for (const { status, body } of [...answers, byAccept]) expect([status, body]).toEqual([200, answers[0]!.body]);
  });
});

it('says that it is healthy, without a token', async () => {
  const answer = await ask(kiln, 'GET', '/healthcheck');

  expect([answer.status, answer.text]).toEqual([200, 'OK']);
});

describe('credentials', () => {
  const PATHS = ['/v2/', '/v2/images', '/v2/images/x', '/v2/schemas/image', '/v2/info/stores', '/v2/nothing'];

  it('are asked for at / by who names the version there, where nothing is', async () => {
    const headers = { accept: 'application/vnd.openstack.images-v2' };

    expect((await ask(kiln, 'GET', '/', { headers })).status).toBe(401);
    expect((await alice.ask('GET', '/', undefined, headers)).status).toBe(404);
  });

  it.each(PATHS)('are asked for at %s', async (path) => {
    for (const token of [null, 'wrong']) {
      const answer = await ask(kiln, 'GET', path, { token });

      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe(`Keystone uri="${kiln.url}/identity"`);
    }
  });

  it('may come as a bearer token', async () => {
    const answer = await ask(kiln, 'GET', '/v2/images', { headers: { authorization: `Bearer ${alice.token}` } });

    expect(answer.status).toBe(200);
  });
});

describe('the id of a request', () => {
  const idOf = async (given?: string): Promise<string | null> => {
    const headers: Record<string, string> = given === undefined ? {} : { 'x-openstack-request-id': given };
    return (await ask(kiln, 'GET', '/v2/images', { token: alice.token, headers })).headers.get(
      'x-openstack-request-id',
    );
  };

  it('is given by the server, else taken over with its prefix', async () => {
    expect(await idOf()).toMatch(/^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(await idOf('req-mine')).toBe('req-mine');
    expect(await idOf('mine')).toBe('req-mine');
    expect(await idOf('x'.repeat(65))).toMatch(/^req-[0-9a-f-]{36}$/);
  });

  it('stands in errors too', async () => {
    const answer = await alice.ask('GET', '/v2/nothing', undefined, { 'x-openstack-request-id': 'req-mine' });

    expect([answer.status, answer.headers.get('x-openstack-request-id')]).toEqual([404, 'req-mine']);
  });
});

describe('an error', () => {
  const explanation = 'No image found with ID &lt;x&gt;';
  const html = [
    '<html> <head> <title>404 Not Found</title> </head>',
    `<body> <h1>404 Not Found</h1> ${explanation}<br /><br /> </body> </html>`,
  ].join(' ');

  it.each([undefined, '*/*', 'text/html', 'application/xhtml+xml, text/html;q=0.9', 'application/json;q=0.5, */*'])(
    'is HTML for Accept %j',
    async (accept) => {
      const answer = await alice.ask('GET', '/v2/images/%3Cx%3E', undefined, accept ? { accept } : {});

      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=UTF-8');
      expect(answer.text.replace(/\s+/g, ' ')).toBe(html);
    },
  );

  it('is flat JSON for who asks for it', async () => {
    const answer = await alice.ask('GET', '/v2/images/x', undefined, { accept: 'application/json' });

    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(answer.body).toEqual({ message: 'No image found with ID x', code: '404 Not Found', title: 'Not Found' });
  });

  it('is plain text for who takes nothing else', async () => {
    const answer = await alice.ask('GET', '/v2/images/x', undefined, { accept: 'text/plain' });

    expect(answer.headers.get('content-type')).toBe('text/plain; charset=UTF-8');
    expect(answer.text).toBe('404 Not Found\n\nNo image found with ID x\n');
  });

  it('tells of a target that cannot be read', async () => {
    for (const path of ['/v2/images/%FF', '/v2/images/%zz/tags/x', '/v2/images/x/tags/%C3']) {
      const answer = await alice.ask('GET', path, undefined, { accept: 'application/json' });

      expect([answer.status, answer.body.title]).toEqual([400, 'Bad Request']);
    }
  });
});

describe('methods', () => {
  const ID = '00000000-0000-4000-8000-000000000000';
  const ALLOW: readonly (readonly [string, string])[] = [
    ['/v2/images', 'GET, POST'],
    [`/v2/images/${ID}`, 'GET, PATCH, DELETE'],
    [`/v2/images/${ID}/file`, 'GET, PUT'],
    [`/v2/images/${ID}/tags/t`, 'PUT, DELETE'],
    [`/v2/images/${ID}/locations`, 'GET, POST'],
    [`/v2/images/${ID}/members`, 'GET, POST'],
    [`/v2/images/${ID}/members/m`, 'GET, PUT, DELETE'],
    ['/v2/schemas/image', 'GET'],
    ['/v2/schemas/members', 'GET'],
    ['/v2/info/stores', 'GET'],
    ['/v2/info/stores/detail', 'GET'],
  ];
  const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
  const wrong = ALLOW.flatMap(([path, allow]) =>
    METHODS.filter((method) => !allow.split(', ').includes(method)).map((method) => [method, path, allow] as const),
  );

  it.each(wrong)('%s is not for %s, which takes %s', async (method, path, allow) => {
    const answer = await alice.ask(method, path);

    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow]);
  });

  it.each(ALLOW)('OPTIONS answers at %s without a token', async (path) => {
    const answer = await ask(kiln, 'OPTIONS', path);

    expect([answer.status, answer.text]).toEqual([200, '']);
  });

  it.each(['/v2/nothing', '/v2/images/a/b', '/v2/schemas/nothing', '/v2/tasks/a/b', '/v2/cache/a/b'])(
    '%s does not exist',
    async (path) => {
      expect((await alice.ask('GET', path)).status).toBe(404);
    },
  );

  it.each([
    ['DELETE', `/v2/images/${ID}`],
    ['PUT', `/v2/images/${ID}/tags/t`],
    ['DELETE', `/v2/images/${ID}/tags/t`],
    ['DELETE', `/v2/images/${ID}/members/m`],
  ])('%s %s takes no body', async (method, path) => {
    expect((await alice.ask(method, path, {})).status).toBe(400);
  });
});

describe('schemas', () => {
  it('describe an image, its attributes and what deployments add', async () => {
    const { status, body } = await rita.ask('GET', '/v2/schemas/image');

    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'image', additionalProperties: { type: 'string' } });
    expect(body.properties).toMatchObject({
      visibility: { type: 'string', enum: ['community', 'private', 'public', 'shared'] },
      checksum: { type: ['null', 'string'], maxLength: 32, readOnly: true },
      os_distro: { type: 'string', is_base: false },
    });
    const shown = Object.keys(await alice.create());
    for (const name of shown) expect(Object.keys(body.properties)).toContain(name);
  });

  it.each(['image', 'member'])('of a collection hold the schema of its %s', async (name) => {
    const item = (await alice.ask('GET', `/v2/schemas/${name}`)).body;
    const collection = (await alice.ask('GET', `/v2/schemas/${name}s`)).body;

    expect(collection.name).toBe(`${name}s`);
    expect(collection.properties[`${name}s`]).toEqual({ type: 'array', items: item });
    expect(collection.links.at(-1)).toEqual({ rel: 'describedby', href: '{schema}' });
  });
});

describe('stores', () => {
  it('are told to everybody', async () => {
    const answer = await rita.ask('GET', '/v2/info/stores');

    expect([answer.status, answer.body]).toEqual([200, { stores: [{ id: 'default', default: 'true' }] }]);
  });

  it('are told in detail to administrators', async () => {
    const answer = await root.ask('GET', '/v2/info/stores/detail');

    expect(answer.body).toEqual({
      stores: [{ id: 'default', default: 'true', type: 'file', weight: 0, properties: {} }],
    });
    expect((await alice.ask('GET', '/v2/info/stores/detail')).status).toBe(403);
  });
});
