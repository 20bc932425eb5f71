// Walks every operation of the face with every caller and everything that can be wrong.
import { afterAll, beforeAll, describe } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { type Walk, walkOperations } from '../shared/walk.js';
import { basic, clients, ForemanClient, given } from './wire.js';

let kiln: RunningKiln;
let users: Awaited<ReturnType<typeof clients>>;
let ids: Awaited<ReturnType<typeof given>>;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  users = await clients(kiln);
  ids = await given(users.alice);
  for (const kind of KINDS) await users[kind.by ?? 'alice'].create(`/api/${kind.path}`, kind.wanted('taken'));
  await users.alice.create(`/api/compute_resources/${ids.kiln}/images`, await anImage('taken'));
});
afterAll(() => kiln?.stop());

let names = 0;
const aName = () => `thing-${(names += 1)}`;

/** What there is around images, and who keeps it. */
const KINDS: readonly {
  readonly path: string;
  readonly by?: 'root';
  readonly wanted: (name?: string) => object;
}[] = [
  { path: 'compute_resources', wanted: (name = aName()) => ({ compute_resource: { name, provider: 'Libvirt' } }) },
  { path: 'operatingsystems', by: 'root', wanted: (name = aName()) => ({ operatingsystem: { name, major: '9' } }) },
  { path: 'architectures', by: 'root', wanted: (name = aName()) => ({ architecture: { name } }) },
  { path: 'locations', by: 'root', wanted: (name = aName()) => ({ location: { name } }) },
];

const anImage = async (name = aName(), more: object = {}) => ({
  image: {
    name,
    username: 'root',
    uuid: (await users.glance.alice.createWithData(Buffer.from('x'))).id,
    operatingsystem_id: ids.debian,
    architecture_id: ids.x86,
    ...more,
  },
});

const PAGE = { status: 400, query: '?per_page=x' };
const SEARCH = { status: 400, query: '?search=bogus%20%3D%201' };
/** An organization that is not there. */
const CONTEXT = { status: 404, query: '?organization_id=x' };
const NO_OBJECT = { status: 400, body: '[1]' };
const READ = { success: 200, reader: 200 };

/** Makes it a part of an image, so that it cannot go. */
const uses: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
  compute_resources: async (id) => users.alice.create(`/api/compute_resources/${id}/images`, await anImage()),
  operatingsystems: async (id) =>
    users.alice.create(`/api/compute_resources/${ids.kiln}/images`, await anImage(aName(), { operatingsystem_id: id })),
  architectures: async (id) => {
    const { id: resource } = await users.alice.create('/api/compute_resources', KINDS[0]!.wanted());
    await users.alice.create(
      `/api/compute_resources/${resource}/images`,
      await anImage(aName(), { architecture_id: id }),
    );
  },
  locations: async (id) => {
    const at = `/api/compute_resources?location_id=${id}`;
    const { id: resource } = await users.alice.create(at, KINDS[0]!.wanted());
    await users.alice.create(`/api/compute_resources/${resource}/images`, await anImage());
  },
};

function walksOf({ path, by, wanted }: (typeof KINDS)[number]): Record<string, Walk> {
  const base = `/foreman/api/${path}`;
  const of = async () => [String((await users[by ?? 'alice'].create(`/api/${path}`, wanted())).id)];
  // Those of the administrators are there for everybody.
  const stranger = by ? 403 : 404;
  const change: Walk = {
    of,
    by,
    body: () => wanted(),
    success: 200,
    reader: 403,
    stranger,
    malformed: NO_OBJECT,
    conflicting: { status: 422, body: () => wanted('taken') },
  };
  return {
    [`GET ${base}`]: { ...READ, malformed: SEARCH },
    [`POST ${base}`]: { ...change, of: undefined, success: 201, stranger: by ? 403 : 201 },
    [`GET ${base}/{id}`]: { ...READ, of, by, stranger: by ? 200 : 404, malformed: CONTEXT },
    [`PUT ${base}/{id}`]: change,
    [`PATCH ${base}/{id}`]: change,
    [`DELETE ${base}/{id}`]: {
      ...change,
      body: undefined,
      malformed: CONTEXT,
      conflicting: { status: 422, first: (id) => uses[path]!(id) },
    },
  };
}

function walksOfImages(): Record<string, Walk> {
  const of = (parent: () => number) => async () => {
    const { id } = await users.alice.create(`/api/compute_resources/${ids.kiln}/images`, await anImage());
    return [String(parent()), String(id)];
  };
  const ofList = (parent: () => number) => async () => [String(parent())];
  const base = '/foreman/api/compute_resources/{parentId}/images';
  const change: Walk = {
    of: of(() => ids.kiln),
    body: () => ({ image: { name: aName() } }),
    success: 200,
    reader: 403,
    malformed: NO_OBJECT,
    conflicting: { status: 422, body: { image: { name: 'taken' } } },
  };
  const lists = (
    [
      ['compute_resources', () => ids.kiln, 404],
      ['operatingsystems', () => ids.debian, 200],
      ['architectures', () => ids.x86, 200],
    ] as const
  ).map(([path, parent, stranger]): Record<string, Walk> => {
    const below = `/foreman/api/${path}/{parentId}/images`;
    return {
      [`GET ${below}`]: { ...READ, of: ofList(parent), stranger, malformed: PAGE },
      [`GET ${below}/{id}`]: { ...READ, of: of(parent), malformed: CONTEXT },
    };
  });
  return {
    ...Object.assign({}, ...lists),
    [`POST ${base}`]: {
      ...change,
      of: ofList(() => ids.kiln),
      body: () => anImage(),
      success: 201,
      conflicting: { status: 422, body: () => anImage('taken') },
    },
    [`PUT ${base}/{id}`]: change,
    [`PATCH ${base}/{id}`]: change,
    [`DELETE ${base}/{id}`]: { ...change, body: undefined, malformed: CONTEXT, conflicting: undefined },
  };
}

const TOKENS = '/foreman/api/users/{userId}/personal_access_tokens';
const token = async () => {
  const { id } = await users.alice.create('/api/users/alice/personal_access_tokens', { name: aName() });
  return ['alice', String(id)];
};
const OPEN: Walk = { ...READ, malformed: CONTEXT };

const WALKS: Readonly<Record<string, Walk>> = {
  ...Object.assign({}, ...KINDS.map(walksOf)),
  ...walksOfImages(),
  'GET /foreman/api/compute_resources/{id}/available_images': {
    ...READ,
    of: async () => [String(ids.kiln)],
    malformed: CONTEXT,
  },
  'GET /foreman/api/organizations': { ...READ, malformed: SEARCH },
  'GET /foreman/api/organizations/{id}': {
    ...READ,
    of: async () => [String(await users.alice.idOf('/api/organizations', 'name = alpha'))],
    malformed: CONTEXT,
  },
  [`GET ${TOKENS}`]: { ...READ, of: async () => ['alice'], reader: 404, malformed: PAGE },
  [`POST ${TOKENS}`]: {
    of: async () => ['alice'],
    body: () => ({ name: aName() }),
    success: 201,
    reader: 404,
    malformed: NO_OBJECT,
    conflicting: {
      status: 422,
      body: { name: 'taken' },
      first: () => users.alice.create('/api/users/alice/personal_access_tokens', { name: 'taken' }),
    },
  },
  [`GET ${TOKENS}/{id}`]: { ...READ, of: token, reader: 404, malformed: CONTEXT },
  [`DELETE ${TOKENS}/{id}`]: { of: token, success: 200, reader: 404, malformed: CONTEXT },
  'GET /foreman/api': OPEN,
  'GET /foreman/api/status': OPEN,
  'GET /foreman/api/ping': { ...OPEN, malformed: { status: 404, query: '/x' } },
  'GET /foreman/apidoc/apipie_checksum': { ...OPEN, malformed: { status: 404, query: '/x' } },
  'GET /foreman/apidoc/{file}': {
    ...READ,
    of: async () => ['v2.json'],
    stranger: 200,
    malformed: { status: 404, query: '/x' },
  },
};

describe('the operations of images in Foreman', () =>
  walkOperations(
    () => kiln,
    'foreman',
    (user, method, path, { body, headers }) =>
      new ForemanClient(kiln, basic(user, `s3cret-${user}`)).send(method, path.slice('/foreman'.length), body, headers),
    WALKS,
    '999999',
  ));
