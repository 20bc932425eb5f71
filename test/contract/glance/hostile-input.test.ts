// Whatever a client sends is answered, and never as a failure of the server.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { ALPHA, type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Client, clients } from './wire.js';

let kiln: RunningKiln;
let alice: Client;
let root: Client;
let imageId: string;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  ({ alice, root } = await clients(kiln));
  imageId = (await alice.create({ disk_format: 'raw', container_format: 'bare', tags: ['a'] })).id;
});

afterAll(async () => {
  agent.destroy();
  await kiln?.stop();
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Sends it as it is: `fetch` would mend some of it. */
function send(client: Client, { method, path, headers = {}, body }: Sent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const sent = request(
      `${kiln.url}/image`,
      {
        method,
        path: `/image${path}`,
        agent,
        headers: { 'x-auth-token': client.token, ...length, ...headers },
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

async function expectAnswered(sent: Sent): Promise<void> {
  for (const client of [alice, root]) {
    const { status, text } = await send(client, sent);
    if (status >= 500) throw new Error(`${sent.method} ${sent.path}: ${status} ${text}`);
  }
}

const RUNS = { numRuns: 150 };
const ODD_TEXTS = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '\udfff\ud800',
  '\uffff',
  '😀'.repeat(128),
  'a'.repeat(300),
  'é'.repeat(255),
  '__proto__',
  'constructor',
  'toString',
  "'; DROP TABLE images; --",
  '%',
  '$1',
  '\\u0000',
  '../../etc/passwd',
  '-0',
  '1e400',
  'NaN',
  '9'.repeat(400),
];
const ATTRIBUTES = [
  'id',
  'name',
  'visibility',
  'protected',
  'os_hidden',
  'disk_format',
  'container_format',
  'min_disk',
  'min_ram',
  'tags',
  'owner',
  'status',
  'size',
  'checksum',
  'created_at',
  'locations',
  'kernel_id',
  'architecture',
  'kiln_job_id',
  'os_glance_x',
  'member',
];
const PARAMETERS = [
  ...ATTRIBUTES,
  'limit',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'tag',
  'member_status',
  'size_min',
  'size_max',
  'min_ram_max',
  'updated_at',
  'os_hash_value',
  'changes-since',
  'deleted',
];

const text = fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ unit: 'binary', maxLength: 40 }), fc.string());
const scalar = fc.oneof(
  text,
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 2 ** 31, 2 ** 53, 1e308, -1e308, randomUUID(), 'raw', 'bare'),
  fc.integer(),
  fc.double(),
);
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 5 }),
  fc.dictionary(text, scalar, { maxKeys: 4 }),
  fc.constantFrom<unknown>(
    Array.from({ length: 10_000 }, (_, index) => `tag ${index}`),
    Array.from({ length: 200 }, () => 'same'),
  ),
);
const name = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...ATTRIBUTES) }, text);
/** Written by hand, since an object has no key twice and no `__proto__` of its own. */
const objectText = fc
  .array(fc.tuple(name, value), { maxLength: 6 })
  .map((members) => `{${members.map(([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`).join(',')}}`);
const operation = fc.record(
  {
    op: fc.oneof(fc.constantFrom('add', 'replace', 'remove'), text),
    path: fc.oneof(
      name.map((each) => `/${each}`),
      text.map((each) => `/tags/${each}`),
      fc.constantFrom('/locations/-', '/locations/0', '/~', '/~01', '//'),
      scalar,
    ),
    value,
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  { weight: 4, arbitrary: objectText.map((each) => Buffer.from(each)) },
  {
    weight: 4,
    arbitrary: fc.array(operation, { maxLength: 6 }).map((patch) => Buffer.from(JSON.stringify(patch))),
  },
  value.map((each) => Buffer.from(JSON.stringify(each) ?? '')),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    Buffer.alloc(0),
    Buffer.from('[]'),
    Buffer.from('{'),
    Buffer.from('{"name":"a","name":"b"}'),
    Buffer.from('{"name":"\xff"}', 'latin1'),
    Buffer.from('\ufeff{}'),
    Buffer.from(`${'['.repeat(50_000)}${']'.repeat(50_000)}`),
    Buffer.from(`{"name":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`),
    Buffer.from('{"min_ram":1e999,"min_disk":-0}'),
    Buffer.from('{"__proto__":{"projectId":"x"},"name":"a"}'),
  ),
);
const encoded = (each: string): string => encodeURIComponent(Buffer.from(each).toString()).replaceAll('.', '%2E');
const segment = fc.oneof(
  fc.constantFrom('%', '%FF', '%00', '%ED%A0%80', '%2F', '..', '.', randomUUID(), ALPHA),
  text.map(encoded),
);
const id = fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, segment);
const target = fc
  .tuple(
    id,
    segment,
    fc.constantFrom('', '/file', '/members', '/members/{}', '/tags/{}', '/tags', '/actions/deactivate', '/{}'),
  )
  .map(([image, other, rest]) => `/v2/images/${image ?? imageId}${rest.replace('{}', other)}`);
const path = fc.oneof(
  { weight: 3, arbitrary: target },
  segment.map((each) => `/v2/schemas/${each}`),
  segment.map((each) => `/v2/info/${each}`),
  segment.map((each) => `/${each}`),
  segment.map((each) => `/v2/${each}`),
  fc.constantFrom('', '/', '/v2', '/v2/', '/v2/images', '/v2/images/', '/versions', '/v2//images', '/v2.99/images'),
);
const query = fc.array(
  fc.tuple(
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...PARAMETERS) }, text.map(encoded)),
    fc.oneof(
      text.map(encoded),
      fc.constantFrom('%FF', '%', '%00', 'in:', 'in:%22', 'in:a,%22b,c%22', 'eq:', 'gt:', 'lt:0000-00-00', '1'),
      fc.tuple(fc.constantFrom('in:', 'eq:', 'gte:', 'x:'), text.map(encoded)).map((parts) => parts.join('')),
      fc.date({ noInvalidDate: true }).map((date) => `neq:${encodeURIComponent(date.toISOString())}`),
    ),
  ),
  { maxLength: 4 },
);

describe('hostile input is answered below 500', () => {
  it.each([
    'POST /v2/images',
    'PATCH /v2/images/{}',
    'POST /v2/images/{}/members',
    `PUT /v2/images/{}/members/${ALPHA}`,
  ])(
    'as the body of %s',
    async (operationName) => {
      const [method, template] = operationName.split(' ') as [string, string];
      const minor = fc.constantFrom('0', '1');
      await fc.assert(
        fc.asyncProperty(body, minor, async (bytes, each) => {
          const headers = { 'content-type': `application/openstack-images-v2.${each}-json-patch` };
          await expectAnswered({ method, path: template.replace('{}', imageId), headers, body: bytes });
        }),
        RUNS,
      );
    },
    300_000,
  );

  it('as the query of a list', async () => {
    await fc.assert(
      fc.asyncProperty(query, (parameters) =>
        expectAnswered({
          method: 'GET',
          path: `/v2/images?${parameters.map(([key, each]) => `${key}=${each}`).join('&')}`,
        }),
      ),
      { numRuns: 400 },
    );
  }, 300_000);

  it('as a path, with any method and body', async () => {
    // No DELETE of the image that the others are about.
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'HEAD', 'OPTIONS', 'DELETE');
    await fc.assert(
      fc.asyncProperty(method, path, fc.option(body, { nil: undefined }), async (verb, where, bytes) => {
        fc.pre(!(verb === 'DELETE' && where === `/v2/images/${imageId}`));
        await expectAnswered({ method: verb, path: where, body: bytes });
      }),
      { numRuns: 400 },
    );
  }, 300_000);

  it('as headers', async () => {
    const printable = fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]{0,80}$/).map((each) => each.trim());
    const header = fc.constantFrom(
      'accept',
      'range',
      'content-range',
      'x-openstack-request-id',
      'x-auth-token',
      'authorization',
      'x-image-meta-store',
      'x-openstack-image-size',
      'content-type',
      'host',
    );
    const { id: withData } = await alice.createWithData(Buffer.from('0123456789'));
    const range = fc
      .tuple(fc.constantFrom('bytes=', 'bytes ', 'bits='), fc.stringMatching(/^[0-9,/*-]{0,30}$/))
      .map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(header, fc.oneof(printable, range), { maxKeys: 4 }),
        fc.constantFrom('GET', 'PUT'),
        (headers, method) =>
          expectAnswered({
            method,
            path: `/v2/images/${withData}/file`,
            headers,
            body: method === 'PUT' ? Buffer.from('x') : undefined,
          }),
      ),
      { numRuns: 300 },
    );
  }, 300_000);
});

it('leaves the image that all this was about in one piece', async () => {
  // As an administrator, who may have given it away.
  const { status, body: image } = await root.show(imageId);

  expect(status).toBe(200);
  expect(image).toMatchObject({ id: imageId, status: 'queued' });
});
