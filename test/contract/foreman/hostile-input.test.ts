// Whatever a client sends is answered in this face's JSON, never as a failure of the server, and what is refused changes nothing.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { SEED } from '../../support/seed.js';
import { basic, ForemanClient, given } from './wire.js';

let kiln: RunningKiln;
let alice: ForemanClient;
let ids: Awaited<ReturnType<typeof given>>;
let imageId: number;
let resourceId: number;
const agent = new Agent({ keepAlive: true });

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_FAILED_LOGINS: '0' } });
  alice = new ForemanClient(kiln, basic('alice', 's3cret-alice'));
  ids = await given(alice);
  resourceId = (await alice.create('/api/compute_resources', { name: 'target', provider: 'Libvirt' })).id;
  const image = {
    name: 'target',
    username: 'root',
    uuid: 'x',
    operatingsystem_id: ids.rocky,
    architecture_id: ids.x86,
  };
  imageId = (await alice.create(`/api/compute_resources/${resourceId}/images`, { image })).id;
});
afterAll(async () => {
  agent.destroy();
  await kiln?.stop();
});

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Sends it as it is: `fetch` would mend some of it. */
function send({ method, path, headers, body }: Sent): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const sent = request(kiln.url, { method, path, agent, headers: { ...length, ...headers } }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      reply.on('end', () => resolve({ status: reply.statusCode!, text })).on('error', reject);
    });
    sent.on('error', reject).end(body);
  });
}

const ODD_TEXTS = [
  ...['', ' ', '\0', 'a\0b', '\ud800', '\uffff', '\n', '😀'.repeat(128), 'a'.repeat(256), '__proto__', 'constructor'],
  ...["'; DROP TABLE provisioning_images; --", '%', '$1', '../../etc/passwd', '{}', '[]', '-0', '1e400', 'NaN'],
  ...[
    '9'.repeat(400),
    '2147483647',
    '2147483648',
    '-1',
    '11-',
    'name = ',
    '(',
    ')',
    '"',
    '\\',
    '!!',
    'id ~ 1',
    'has has',
  ],
];
const text = fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ unit: 'binary', maxLength: 30 }));
const scalar = fc.oneof(text, fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 2 ** 53, 1e308), fc.double());
const value = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(text, scalar, { maxKeys: 3 }),
);
const attribute = fc.constantFrom(
  ...['name', 'username', 'uuid', 'password', 'user_data', 'iam_role', 'operatingsystem_id', 'architecture_id'],
  ...['compute_resource_id', 'architecture_name', 'operatingsystem_name', 'compute_resource_name', 'provider', 'url'],
  ...[
    'location_ids',
    'architecture_ids',
    'major',
    'minor',
    'description',
    'location_id',
    'organization_id',
    '__proto__',
  ],
);
const object = fc
  .array(fc.tuple(attribute, value), { maxLength: 6 })
  .map((members) => `{${members.map(([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`).join(',')}}`);
const body = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('image', 'compute_resource', 'location', 'x'), object)
      .map(([key, each]) => `{"${key}":${each}}`),
  },
  { weight: 3, arbitrary: object },
  fc.json(),
  text,
  fc.constantFrom('['.repeat(5_000), `${'{"image":'.repeat(40)}1${'}'.repeat(40)}`),
);
const segment = fc.oneof(
  fc.constantFrom(
    'api',
    'apidoc',
    'v2',
    'images',
    'compute_resources',
    'operatingsystems',
    'architectures',
    'locations',
  ),
  fc.constantFrom(
    'organizations',
    'users',
    'alice',
    'personal_access_tokens',
    'available_images',
    'status',
    'Kiln',
    '1',
    '%',
  ),
  text.map((each) => encodeURIComponent(each.toString().replace(/[\ud800-\udfff]/g, ''))),
);
const path = fc.oneof(
  fc.array(segment, { minLength: 1, maxLength: 6 }).map((parts) => `/api/${parts.join('/')}`),
  fc
    .constantFrom('compute_resources', 'operatingsystems', 'architectures', 'locations', 'organizations')
    .map((each) => `/api/${each}`),
  fc
    .tuple(fc.constantFrom('target', 'Kiln', 'x86_64', '1', '2'), fc.constantFrom('compute_resources', 'architectures'))
    .map(([id, each]) => `/api/${each}/${id}/images`),
);
const parameter = fc.tuple(
  fc.constantFrom('search', 'order', 'page', 'per_page', 'location_id', 'organization_id', 'include_permissions', 'x'),
  fc.oneof(
    text.map((each) => encodeURIComponent(each.replace(/[\ud800-\udfff]/g, ''))),
    fc.constantFrom('%', '%ff', '%00', 'name+DESC'),
  ),
);
const query = fc.array(parameter, { maxLength: 4 }).map((pairs) => pairs.map((pair) => pair.join('=')).join('&'));
const credentials = fc.oneof(
  { weight: 12, arbitrary: fc.constant(basic('alice', 's3cret-alice')) },
  fc.constantFrom('Basic', 'Basic =', 'Basic Og==', 'Bearer x', 'OAuth oauth_version="1.0"', 'x'),
);
const sent: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'POST', 'PUT', 'PATCH', 'OPTIONS'),
  path: fc
    .tuple(fc.constantFrom('', '/foreman'), path, query)
    .map(([mount, each, asked]) => `${mount}${each}?${asked}`),
  headers: fc.record({
    authorization: credentials,
    'content-type': fc.constantFrom('application/json', 'application/json; charset=utf-8', 'text/plain', ''),
  }),
  body: fc.option(
    body.map((each) => Buffer.from(each)),
    { nil: undefined },
  ),
});

it('is refused or understood', async () => {
  const before = await state();

  await fc.assert(
    fc.asyncProperty(sent, async (each) => {
      const reply = await send(each);
      if (reply.status >= 500) throw new Error(`${each.method} ${each.path}: ${reply.status} ${reply.text}`);
      if (reply.text !== '') JSON.parse(reply.text);
    }),
    { numRuns: 800, seed: SEED },
  );

  expect(await state()).toEqual(before);
});

/** What no request above may change: nobody names it as it is named. */
async function state() {
  const image = await alice.get(`/api/compute_resources/${resourceId}/images/${imageId}`);
  const { body: resource } = await alice.get(`/api/compute_resources/${resourceId}`);
  return { image: image.body, resource: { name: resource.name, provider: resource.provider } };
}
