// Walks every operation of the face with every caller and everything that can be wrong.
import { afterAll, beforeAll, describe } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { basic, ForemanClient, given } from '../foreman/wire.js';
import { type Walk, walkOperations } from '../shared/walk.js';
import { ask, clients, UNKNOWN_ID } from './wire.js';

let kiln: RunningKiln;
let users: Awaited<ReturnType<typeof clients>>;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  users = await clients(kiln);
});
afterAll(() => kiln?.stop());

const image = async () => [(await users.glance.alice.createWithData(Buffer.from('x'), { kind: 'x' })).id as string];
const entry = async () => [...(await image()), 'kind'];

/** A Foreman image that points at it. */
async function used(id: string): Promise<void> {
  const foreman = new ForemanClient(kiln, basic('alice', 's3cret-alice'));
  const { kiln: resource, debian, x86 } = await given(foreman);
  await foreman.create(`/api/compute_resources/${resource}/images`, {
    image: { name: id, username: 'root', uuid: id, operatingsystem_id: debian, architecture_id: x86 },
  });
}

const MALFORMED = { status: 400, headers: { 'openstack-api-version': 'compute x' } };
const NO_MAP = { status: 400, body: { metadata: 'x' } };
/** Names that begin so are Kiln's own. */
const RESERVED = { status: 403, body: { metadata: { kiln_job_id: 'x' } } };
const BASE = '/compute/v2.1/images';
const WRITE: Walk = {
  of: image,
  body: () => ({ metadata: { kind: 'y' } }),
  success: 200,
  reader: 403,
  malformed: NO_MAP,
  conflicting: RESERVED,
};
const VERSIONS: Walk = { success: 200, reader: 200, malformed: { status: 404, query: '/x' } };

const WALKS: Readonly<Record<string, Walk>> = {
  'GET /compute': { ...VERSIONS, malformed: { status: 300, query: '/x' } },
  'GET /compute/v2': VERSIONS,
  'GET /compute/v2.1': VERSIONS,
  [`GET ${BASE}`]: { success: 200, reader: 200, malformed: { status: 400, query: '?limit=x' } },
  [`GET ${BASE}/detail`]: { success: 200, reader: 200, malformed: { status: 400, query: '?changes-since=x' } },
  [`GET ${BASE}/{imageId}`]: { of: image, success: 200, reader: 200, malformed: MALFORMED },
  [`DELETE ${BASE}/{imageId}`]: {
    of: image,
    success: 204,
    reader: 403,
    malformed: MALFORMED,
    conflicting: { status: 409, first: (id) => used(id) },
  },
  [`GET ${BASE}/{imageId}/metadata`]: { of: image, success: 200, reader: 200, malformed: MALFORMED },
  [`POST ${BASE}/{imageId}/metadata`]: WRITE,
  [`PUT ${BASE}/{imageId}/metadata`]: WRITE,
  [`GET ${BASE}/{imageId}/metadata/{key}`]: { of: entry, success: 200, reader: 200, malformed: MALFORMED },
  [`PUT ${BASE}/{imageId}/metadata/{key}`]: {
    of: entry,
    body: () => ({ meta: { kind: 'y' } }),
    success: 200,
    reader: 403,
    // A key that is not there may be written, but not under the name of another.
    missing: [404, 400],
    malformed: { status: 400, body: { meta: 'x' } },
    conflicting: { status: 400, body: { meta: { other: 'y' } } },
  },
  [`DELETE ${BASE}/{imageId}/metadata/{key}`]: { of: entry, success: 204, reader: 403, malformed: MALFORMED },
};

describe('the operations of images in the Compute API', () =>
  walkOperations(
    () => kiln,
    'nova',
    (user, method, path, question) =>
      ask(kiln, method, path.slice('/compute'.length), { token: users[user].token, ...question }),
    WALKS,
    UNKNOWN_ID,
  ));
