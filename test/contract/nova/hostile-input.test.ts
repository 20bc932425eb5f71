// Whatever a client sends is answered, never as a failure of the server, and what is refused changes nothing.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { ALPHA, BETA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { clients, type NovaClient, UNKNOWN_ID } from './wire.js';

let kiln: RunningKiln;
let alice: NovaClient;
let bob: NovaClient;
let imageId: string;
let glance: Awaited<ReturnType<typeof clients>>['glance'];
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ glance, alice, bob } = await clients(kiln));
  imageId = (await glance.alice.create({ name: 'target', visibility: 'community', kept: '1', other: '2' })).id;
});

afterAll(async () => {
  agent.destroy();
  await kiln?.stop();
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Sends it as it is: `fetch` would mend some of it. */
function send({ method, path, token, headers = {}, body }: Sent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const sent = request(
      kiln.url,
      {
        method,
        path: `/compute${path}`,
        agent,
        headers: { ...(token ? { 'x-auth-token': token } : {}), ...length, ...headers },
      },
      (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        reply.on('end', () => resolve({ status: reply.statusCode!, text })).on('error', reject);
      },
    );
    sent.on('error', reject).end(body);
  });
}

/** Answers what came back, which is JSON of this face or nothing. */
async function answered(sent: Sent): Promise<number> {
  const { status, text } = await send(sent);
  if (status >= 500) throw new Error(`${sent.method} ${sent.path}: ${status} ${text}`);
  if (text !== '') JSON.parse(text);
  return status;
}

const ODD_TEXTS = [
  ...['', ' ', '\0', 'a\0b', '\ud800', '\udfff\ud800', '\uffff', '\n', 'a\n', '😀'.repeat(128), 'a'.repeat(256)],
  ...['__proto__', 'constructor', 'toString', "'; DROP TABLE images; --", '%', '$1', '../../etc/passwd', '{}', '[]'],
  ...['-0', '1e400', 'NaN', '9'.repeat(400), 'kiln_job_id', 'os_glance_x', 'architecture', 'name', 'status', 'owner'],
];
const text = fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ unit: 'binary', maxLength: 30 }), fc.string());
const scalar = fc.oneof(text, fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 2 ** 53, 1e308), fc.double());
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 4 }),
  fc.dictionary(text, scalar, { maxKeys: 4 }),
);
/** Written by hand, since an object has no key twice and no `__proto__` of its own. */
const mapText = fc
  .array(fc.tuple(fc.oneof(text, fc.constantFrom('kept', 'a', 'b')), value), { maxLength: 5 })
  .map((members) => `{${members.map(([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`).join(',')}}`);
const member = fc.oneof({ weight: 5, arbitrary: fc.constantFrom('metadata', 'meta') }, text);
const body = fc
  .oneof(
    {
      weight: 8,
      arbitrary: fc.tuple(
        member,
        fc.oneof(
          { weight: 5, arbitrary: mapText },
          value.map((each) => JSON.stringify(each)),
        ),
      ),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constant(null), fc.uint8Array({ maxLength: 40 })) },
    {
      weight: 2,
      arbitrary: fc.tuple(
        fc.constant(null),
        fc.constantFrom(
          ...[
            '',
            '[]',
            '{',
            'null',
            '\ufeff{}',
            '{"metadata":{"a":"1"},"metadata":[]}',
            '{"__proto__":{"metadata":{}}}',
          ],
          ...['['.repeat(50_000), `{"metadata":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`],
        ),
      ),
    },
  )
  .map(([name, content]) => Buffer.from(name === null ? content : `{${JSON.stringify(name)}:${content}}`));

const encoded = (each: string): string => encodeURIComponent(Buffer.from(each).toString()).replaceAll('.', '%2E');
const segment = fc.oneof(
  fc.constantFrom('%', '%FF', '%00', '%ED%A0%80', '%2F', '..', '.', '', UNKNOWN_ID, ALPHA, 'detail', 'metadata'),
  text.map(encoded),
);
const base = fc.constantFrom(
  '/v2.1',
  '/v2.1',
  '/v2',
  `/v2.1/${ALPHA}`,
  `/v2.1/${BETA}`,
  '/v2.1/abc',
  '/v3',
  '',
  '/%762.1',
);
const path = fc
  .tuple(
    base,
    fc.oneof(
      fc.constantFrom('/images', '/images/detail', '/images/{}', '/images/{}/metadata', '/images/{}/metadata/kept'),
      segment.map((key) => `/images/{}/metadata/${key}`),
      segment.map((id) => `/images/${id}`),
      segment.map((id) => `/images/${id}/metadata`),
      fc.tuple(segment, segment).map(([first, second]) => `/${first}/${second}`),
    ),
  )
  .map(([where, what]) => where + what.replace('{}', UNKNOWN_ID));
const PARAMETERS = [
  ...['limit', 'marker', 'name', 'status', 'server', 'type', 'minRam', 'minDisk', 'changes-since', 'page_size'],
  ...['property-a', 'property-', 'property-__proto__', 'property-instance_uuid', '__proto__', 'limit[]', 'visibility'],
];
const query = fc
  .array(
    fc.tuple(
      fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...PARAMETERS) }, text.map(encoded)),
      fc.oneof(
        text.map(encoded),
        fc.constantFrom('%FF', '%', '%00', '-1', '1', '0', '0000-00-00', UNKNOWN_ID, '2020-02-30T25:61:61Z'),
        fc.date({ noInvalidDate: true }).map((date) => encodeURIComponent(date.toISOString())),
      ),
    ),
    { maxLength: 4 },
  )
  .map((pairs) => pairs.map((pair) => pair.join('=')).join('&'));
const headers = fc.dictionary(
  fc.constantFrom('openstack-api-version', 'x-openstack-nova-api-version', 'content-type', 'accept', 'host'),
  fc.oneof(
    fc.constantFrom('compute 2.35', 'compute latest', 'latest', '2.39', 'compute 9.9', 'compute', ',', '2.1,2.2'),
    fc.constantFrom('application/json', 'text/xml', 'application/json;charset=utf-16', 'x'),
    fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]{0,60}$/).map((each) => each.trim()),
  ),
  { maxKeys: 3 },
);

describe('hostile input is answered below 500', () => {
  it.each([
    ['POST', ''],
    ['PUT', ''],
    ['PUT', '/kept'],
  ])(
    'as the body of %s …/metadata%s, and nothing changes when it is refused',
    async (method, key) => {
      const { id, ...made } = await glance.alice.create({ name: 'written', visibility: 'private' });
      await fc.assert(
        fc.asyncProperty(body, async (bytes) => {
          const before = await alice.metadata(id);
          const sent = { method, path: `/v2.1/images/${id}/metadata${key}`, token: alice.token, body: bytes };
          const status = await answered(sent);

          const after = await alice.metadata(id);
          if (status >= 400) expect(after).toEqual(before);
          for (const each of Object.values(after)) expect(typeof each).toBe('string');
        }),
        { numRuns: 300 },
      );
      const { name, visibility, owner, status, protected: isProtected, tags } = (await glance.alice.show(id)).body;
      expect({ name, visibility, owner, status, protected: isProtected, tags }).toEqual({
        name: 'written',
        visibility: 'private',
        owner: made.owner,
        status: 'queued',
        protected: false,
        tags: [],
      });
    },
    240_000,
  );

  it('as the query of a list', async () => {
    await fc.assert(
      fc.asyncProperty(query, fc.constantFrom('/images', '/images/detail'), async (parameters, list) => {
        await answered({ method: 'GET', path: `/v2.1${list}?${parameters}`, token: alice.token });
      }),
      { numRuns: 800 },
    );
  }, 240_000);

  it('as method, path, headers and body', async () => {
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'HEAD', 'OPTIONS', 'DELETE');
    const token = fc.constantFrom<'alice' | 'bob' | 'none'>('alice', 'alice', 'bob', 'none');
    await fc.assert(
      fc.asyncProperty(
        method,
        path,
        headers,
        fc.option(body, { nil: undefined }),
        token,
        async (verb, where, more, bytes, who) => {
          const credential = { alice: alice.token, bob: bob.token, none: undefined }[who];
          await answered({ method: verb, path: where, headers: more, body: bytes, token: credential });
        },
      ),
      { numRuns: 1_200 },
    );
  }, 240_000);

  it('from a project that may only look, and the image stays as it is', async () => {
    const before = (await glance.alice.show(imageId)).body;
    const target = fc.constantFrom('', '/metadata', '/metadata/kept', '/metadata/new');
    const method = fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE');
    await fc.assert(
      fc.asyncProperty(method, target, body, async (verb, where, bytes) => {
        const status = await answered({
          ...{ method: verb, path: `/v2.1/images/${imageId}${where}`, body: bytes, token: bob.token },
        });
        expect([400, 403, 404]).toContain(status);
      }),
      { numRuns: 400 },
    );
    expect((await glance.alice.show(imageId)).body).toEqual(before);
  }, 240_000);
});
