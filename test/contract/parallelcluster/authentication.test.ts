// The rules are those of Signature Version 4 as AWS documents them; requests are signed by AWS's own library.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { ask, type Client, clients, HOST, keyOf, SIGNING_BOOTSTRAP, signedHeaders } from './wire.js';

const LIST = '/v3/images/custom?imageStatus=AVAILABLE';
const MINUTE_MS = 60_000;

let kiln: RunningKiln;
let alice: Client;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_FAILED_LOGINS: '40' }, bootstrap: SIGNING_BOOTSTRAP });
  ({ alice } = clients(kiln));
});

afterAll(() => kiln?.stop());

function expectRefusal(answer: { status: number; body: unknown; headers: object }): void {
  expect(answer).toMatchObject({ status: 401, body: { message: expect.any(String) } });
  expect(answer.headers).toMatchObject({ 'content-type': expect.stringContaining('application/json') });
}

describe('a signature', () => {
  it.each([
    ['in the released dialect', LIST],
    ['in the preview', '/preview/v3/images/custom?imageStatus=AVAILABLE'],
    ['with a query in disorder', '/v3/images/custom?region=us-east-1&imageStatus=AVAILABLE&a=%2F%20x&a=b'],
  ])('is taken %s', async (_what, path) => {
    const headers = await signedHeaders(keyOf('alice'), 'GET', path, undefined);

    expect((await ask(kiln, 'GET', path, { headers })).status).toBe(200);
  });

  it('may be of any region, and four minutes old', async () => {
    const at = new Date(Date.now() - 4 * MINUTE_MS);

    expect((await alice.get('/custom?imageStatus=FAILED', { region: '0', at })).status).toBe(200);
  });

  it('covers what further headers say', async () => {
    const headers = await signedHeaders(keyOf('alice'), 'GET', LIST, undefined, { headers: { 'x-more': 'a   b' } });

    expect((await ask(kiln, 'GET', LIST, { headers })).status).toBe(200);
    expectRefusal(await ask(kiln, 'GET', LIST, { headers: { ...headers, 'x-more': 'a c' } }));
  });

  it.each([
    ['six minutes old', { at: -6 }],
    ['six minutes ahead', { at: 6 }],
  ])('is refused when it is %s', async (_what, { at }) => {
    expectRefusal(await alice.get('/custom?imageStatus=FAILED', { at: new Date(Date.now() + at * MINUTE_MS) }));
  });

  it.each([
    ['another service', { service: 's3' }],
    ['a session that the key does not have', { sessionToken: 'session' }],
  ])('is refused for %s', async (_what, options) => {
    expectRefusal(await alice.get('/custom?imageStatus=FAILED', options));
  });

  it.each([
    ['an unknown key', { access: 'AKNOBODY', secret: 'signs-alice' }],
    ['another secret', { access: 'AKALICE', secret: 'signs-bob' }],
  ])('is refused by %s', async (_what, key) => {
    const headers = await signedHeaders(key, 'GET', LIST, undefined);

    expectRefusal(await ask(kiln, 'GET', LIST, { headers }));
  });

  it('is good for one path, query, method, host and body', async () => {
    const key = keyOf('alice');
    const headers = await signedHeaders(key, 'GET', LIST, undefined);

    expectRefusal(await ask(kiln, 'GET', LIST.replace('AVAILABLE', 'FAILED'), { headers }));
    expectRefusal(await ask(kiln, 'GET', LIST.replace('custom', 'official'), { headers }));
    expectRefusal(await ask(kiln, 'DELETE', LIST, { headers }));
    expectRefusal(await ask(kiln, 'GET', LIST, { headers: { ...headers, host: `other.${HOST}` } }));
    const body = { imageId: 'one', imageConfiguration: 'x' };
    const post = {
      ...(await signedHeaders(key, 'POST', '/v3/images/custom', body)),
      'content-type': 'application/json',
    };
    expectRefusal(await ask(kiln, 'POST', '/v3/images/custom', { headers: post, body: { ...body, imageId: 'two' } }));
  });

  it('agrees with an announced hash of the body', async () => {
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
    const announcing = (hash: string) =>
      signedHeaders(keyOf('alice'), 'GET', LIST, undefined, { headers: { 'x-amz-content-sha256': hash } });

    expect((await ask(kiln, 'GET', LIST, { headers: await announcing(sha256('')) })).status).toBe(200);
    for (const hash of [sha256('x'), 'UNSIGNED-PAYLOAD']) {
      expectRefusal(await ask(kiln, 'GET', LIST, { headers: await announcing(hash) }));
    }
  });

  it.each([
    ['no scheme that is known', (value: string) => value.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1')],
    ['no signature', (value: string) => value.replace(/, Signature=.*/, '')],
    ['a part too many', (value: string) => `${value}, More=1`],
    ['a part twice', (value: string) => value.replace(/, Signature=/, ', Credential=a/b, Signature=')],
    ['a signature of other digits', (value: string) => value.replace(/Signature=.{8}/, 'Signature=00000000')],
    ['a short signature', (value: string) => value.slice(0, -2)],
    ['an unsigned date', (value: string) => value.replace('host;x-amz-date', 'host')],
    ['headers in disorder', (value: string) => value.replace('host;x-amz-date', 'x-amz-date;host')],
    ['a header that is not sent', (value: string) => value.replace('host;x-amz-date', 'host;x-amz-date;x-more')],
    ['a scope that ends otherwise', (value: string) => value.replace('aws4_request', 'aws5_request')],
    ['another date', (value: string) => value.replace(/\/\d{8}\//, '/20200101/')],
    ['half a date', (value: string) => value.replace(/\/(\d{4})\d{4}\//, '/$1/')],
    ['nothing else', () => 'AWS4-HMAC-SHA256'],
  ])('is refused with %s', async (_what, spoil) => {
    const headers = await signedHeaders(keyOf('alice'), 'GET', LIST, undefined);

    const answer = await ask(kiln, 'GET', LIST, {
      headers: { ...headers, authorization: spoil(headers.authorization!) },
    });

    expectRefusal(answer);
  });

  it('counts as long as its key does', async () => {
    const token = await kiln.token('alice');
    const { user } = (
      (await (
        await fetch(`${kiln.url}/identity/v3/auth/tokens`, {
          headers: { 'x-auth-token': token, 'x-subject-token': token },
        })
      ).json()) as { token: { user: { id: string } } }
    ).token;
    const keys = `${kiln.url}/identity/v3/users/${user.id}/credentials/OS-EC2`;
    const headers = { 'x-auth-token': token };
    const { projects } = (await (await fetch(`${kiln.url}/identity/v3/auth/projects`, { headers })).json()) as any;
    const made = await fetch(keys, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ tenant_id: projects[0].id }),
    });
    const { credential } = (await made.json()) as any;
    const use = async () => {
      const signed = await signedHeaders(credential, 'GET', LIST, undefined);
      return ask(kiln, 'GET', LIST, { headers: signed });
    };

    expect((await use()).status).toBe(200);
    await fetch(`${keys}/${credential.access}`, { method: 'DELETE', headers });
    expectRefusal(await use());
  });
});

describe('a token of Kiln', () => {
  it.each([
    ['X-Auth-Token', (token: string) => ({ 'x-auth-token': token })],
    ['a bearer', (token: string) => ({ authorization: `Bearer ${token}` })],
  ])('is taken as %s', async (_what, headersWith) => {
    const headers = headersWith(await kiln.token('alice'));

    expect((await ask(kiln, 'GET', LIST, { headers })).status).toBe(200);
  });

  it('is refused when it is none', async () => {
    expectRefusal(await ask(kiln, 'GET', LIST, { headers: { 'x-auth-token': 'none' } }));
    expectRefusal(await ask(kiln, 'GET', LIST));
  });
});

describe('whoever is unknown', () => {
  it.each([
    ['GET', '/v3/images/custom'],
    ['PUT', '/v3/images/custom'],
    ['GET', '/v3/clusters'],
    ['GET', '/preview'],
    ['GET', ''],
  ])('is not told whether there is %s %s', async (method, path) => {
    expectRefusal(await ask(kiln, method, path));
  });
});

it('tells whoever is known what there is not', async () => {
  expect(await alice.get('/none')).toMatchObject({ status: 404, body: { message: expect.any(String) } });
  const wrong = await alice.send('PUT', '/custom');
  expect(wrong).toMatchObject({ status: 405, body: { message: expect.any(String) } });
  expect(wrong.headers.allow).toBe('GET, POST');
  expect((await alice.preview.send('POST', '/official')).status).toBe(405);
});

// Last, since nobody else signs in from here afterwards.
it('looks at no further key after too many wrong signatures, but at those that were good', async () => {
  const wrong = { access: 'AKALICE-2', secret: 'guessed' };
  expect(
    (await ask(kiln, 'GET', LIST, { headers: await signedHeaders(keyOf('bob'), 'GET', LIST, undefined) })).status,
  ).toBe(200);

  await eventually(async () => {
    const refused = await ask(kiln, 'GET', LIST, { headers: await signedHeaders(wrong, 'GET', LIST, undefined) });
    expectRefusal(refused);
    expect(refused.body.message).toContain('Too many failed attempts');
  });

  expectRefusal(await ask(kiln, 'GET', LIST, { headers: await signedHeaders(keyOf('rita'), 'GET', LIST, undefined) }));
  const again = await signedHeaders(keyOf('bob'), 'GET', LIST, undefined);
  expect((await ask(kiln, 'GET', LIST, { headers: again })).status).toBe(200);
});
