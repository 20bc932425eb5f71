// Walks every route of the face with every role and state, and compares with the table of rules and the state machine.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { GLANCE_MOUNT } from '../../../src/apis/glance/glance.face.js';
import { ROUTE_RULES } from './route-rules.js';
import { FaceRegistry } from '../../../src/apis/shared/face-registry.js';
import { createHttpAdapter } from '../../../src/apis/shared/connections/http-application.js';
import { RouteTable } from '../../../src/apis/shared/route-table.js';
import { AppModule } from '../../../src/app.module.js';
import { BootstrapService } from '../../../src/bootstrap/index.js';
import { loadConfig } from '../../../src/config/config.js';
import { IMAGE_RULES, type ImageRule, type ImageStatus, type Visibility } from '../../../src/modules/images/index.js';
import { Actor, Policy, type PolicyTarget, type Role } from '../../../src/modules/tenancy/index.js';
import { Database } from '../../../src/platform/database/database.js';
import { Log } from '../../../src/platform/logging/log.js';
import { Metrics } from '../../../src/platform/telemetry/metrics.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { type Answer, ask } from './wire.js';

const PROJECTS = {
  owner: '10000000000000000000000000000001',
  stranger: '10000000000000000000000000000002',
  pending: '10000000000000000000000000000003',
  accepted: '10000000000000000000000000000004',
  rejected: '10000000000000000000000000000005',
  elsewhere: '10000000000000000000000000000006',
} as const;
type ProjectName = keyof typeof PROJECTS;
const MEMBERS = ['pending', 'accepted', 'rejected'] as const;

/** Who knocks: a role in a project, or somebody whose token is none. */
const PERSONAS: Readonly<Record<string, { project: ProjectName; role: Role } | null>> = {
  anonymous: null,
  garbage: null,
  expired: null,
  stranger: { project: 'stranger', role: 'member' },
  pending: { project: 'pending', role: 'member' },
  accepted: { project: 'accepted', role: 'member' },
  rejected: { project: 'rejected', role: 'member' },
  guest: { project: 'accepted', role: 'reader' },
  reader: { project: 'owner', role: 'reader' },
  member: { project: 'owner', role: 'member' },
  service: { project: 'elsewhere', role: 'service' },
  // Last: what it may do, it does.
  admin: { project: 'elsewhere', role: 'admin' },
};

interface Thing {
  readonly status: ImageStatus;
  readonly visibility: Visibility;
  readonly protected?: boolean;
  readonly hidden?: boolean;
  readonly deleted?: boolean;
}
const THINGS: readonly Thing[] = [
  ...(['private', 'shared', 'community', 'public'] as const).map(
    (visibility) => ({ status: 'active', visibility }) as const,
  ),
  ...(['queued', 'saving', 'uploading', 'importing', 'deactivated'] as const).map(
    (status) => ({ status, visibility: 'shared' }) as const,
  ),
  { status: 'queued', visibility: 'public' },
  { status: 'deactivated', visibility: 'public' },
  { status: 'active', visibility: 'shared', protected: true },
  { status: 'active', visibility: 'public', hidden: true },
  { status: 'active', visibility: 'shared', deleted: true },
];

const policy = Policy.of(IMAGE_RULES);

/** Somebody with a good token, and what the table says that he may. */
class Caller {
  readonly actor: Actor;
  readonly projectId: string;

  constructor({ project, role }: { project: ProjectName; role: Role }) {
    this.projectId = PROJECTS[project];
    this.actor = Actor.user({ id: 'u', name: 'u', projectId: this.projectId, projectName: project, roles: [role] });
  }

  get isAdmin(): boolean {
    return this.may('context_is_admin', {});
  }

  get ownsThings(): boolean {
    return this.isAdmin || this.projectId === PROJECTS.owner;
  }

  get isMember(): boolean {
    return MEMBERS.some((name) => PROJECTS[name] === this.projectId);
  }

  may(rule: ImageRule, target: PolicyTarget): boolean {
    return policy.allows(rule, this.actor, target);
  }

  target(
    { visibility }: Thing,
    member = this.isMember && visibility === 'shared' ? this.projectId : undefined,
  ): PolicyTarget {
    return { project_id: PROJECTS.owner, owner: PROJECTS.owner, visibility, member_id: member };
  }

  sees(thing: Thing): boolean {
    if (thing.deleted) return false;
    const open = thing.visibility === 'public' || thing.visibility === 'community';
    const shown = this.ownsThings || open || (thing.visibility === 'shared' && this.isMember);
    return shown && this.may('get_image', this.target(thing));
  }

  /** The row of the members that this caller asks for: its own where it has one. */
  get memberAsked(): string {
    return this.isMember ? this.projectId : PROJECTS.accepted;
  }
}

const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
const BYTES = { 'content-type': 'application/octet-stream' };
const WEB_DOWNLOAD = { method: { name: 'web-download', uri: 'http://198.41.0.4/disk' } };
const LOCATION = {
  url: WEB_DOWNLOAD.method.uri,
  validation_data: { os_hash_algo: 'md5', os_hash_value: 'ab'.repeat(16) },
};

interface Recipe {
  readonly body?: () => unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** The answer to whom nothing is in the way. */
  readonly ok: number | ((thing: Thing) => number);
  /** What the state of the image is in the way of; null: nothing. */
  readonly refusal?: (thing: Thing, caller: Caller) => number | null;
  /** Looked at before the rule is. */
  readonly stateFirst?: boolean;
  /** Only the project itself changes what it owns, whatever the rule says. */
  readonly own?: boolean;
  /** The rule is about the member that is asked for. */
  readonly ofMember?: boolean;
}

const unless = (allowed: readonly ImageStatus[], status: number) => (thing: Thing) =>
  allowed.includes(thing.status) ? null : status;
const unlessShared = (status: number) => (thing: Thing) => (thing.visibility === 'shared' ? null : status);
/** Other rows than one's own are shown to the owner only. */
const rowHidden = (caller: Caller): boolean => !caller.ownsThings && !caller.isMember;

const IMAGE_RECIPES: Readonly<Record<string, Recipe>> = {
  'GET /v2/images/:imageId': { ok: 200 },
  'PATCH /v2/images/:imageId': {
    body: () => [{ op: 'replace', path: '/name', value: 'new' }],
    headers: PATCH,
    ok: 200,
    own: true,
  },
  'DELETE /v2/images/:imageId': { ok: 204, own: true, refusal: (thing) => (thing.protected ? 403 : null) },
  'GET /v2/images/:imageId/file': {
    ok: ({ status }) => (status === 'active' || status === 'deactivated' ? 200 : 204),
    refusal: ({ status }, caller) => (status === 'deactivated' && !caller.isAdmin ? 403 : null),
  },
  'PUT /v2/images/:imageId/file': {
    body: () => 'bytes',
    headers: BYTES,
    ok: 204,
    own: true,
    refusal: unless(['queued'], 409),
  },
  'PUT /v2/images/:imageId/stage': {
    body: () => 'bytes',
    headers: BYTES,
    ok: 204,
    own: true,
    refusal: unless(['queued'], 409),
  },
  'POST /v2/images/:imageId/import': {
    body: () => WEB_DOWNLOAD,
    ok: 202,
    own: true,
    stateFirst: true,
    refusal: unless(['queued'], 409),
  },
  'GET /v2/images/:imageId/tasks': { ok: 200 },
  'GET /v2/images/:imageId/locations': { ok: 200 },
  'POST /v2/images/:imageId/locations': {
    body: () => LOCATION,
    ok: 202,
    own: true,
    refusal: unless(['queued'], 409),
  },
  'PUT /v2/cache/:imageId': { ok: 202, refusal: unless(['active'], 400) },
  'DELETE /v2/cache/:imageId': { ok: 204 },
  // The only copy stays: that is looked at last.
  'DELETE /v2/stores/:storeId/:imageId': { ok: 403, own: true, refusal: unless(['active'], 409) },
  'POST /v2/images/:imageId/actions/deactivate': {
    ok: 204,
    own: true,
    refusal: unless(['active', 'deactivated'], 403),
  },
  'POST /v2/images/:imageId/actions/reactivate': {
    ok: 204,
    own: true,
    refusal: unless(['active', 'deactivated'], 403),
  },
  'PUT /v2/images/:imageId/tags/:tag': { ok: 204, own: true },
  'DELETE /v2/images/:imageId/tags/:tag': { ok: 204, own: true },
  'GET /v2/images/:imageId/members': { ok: 200, refusal: unlessShared(403), stateFirst: true },
  'POST /v2/images/:imageId/members': {
    body: () => ({ member: 'new' }),
    ok: 200,
    own: true,
    refusal: unlessShared(403),
  },
  'GET /v2/images/:imageId/members/:member': {
    ok: 200,
    ofMember: true,
    stateFirst: true,
    refusal: (thing, caller) => unlessShared(404)(thing) ?? (rowHidden(caller) ? 404 : null),
  },
  'PUT /v2/images/:imageId/members/:member': {
    body: () => ({ status: 'rejected' }),
    ok: 200,
    ofMember: true,
    stateFirst: true,
    refusal: (thing, caller) => unlessShared(403)(thing) ?? (rowHidden(caller) ? 404 : null),
  },
  'DELETE /v2/images/:imageId/members/:member': { ok: 204, own: true, refusal: unlessShared(403) },
};

const OTHER_RECIPES: Readonly<Record<string, Recipe>> = {
  'GET /v2/images': { ok: 200 },
  'POST /v2/images': { body: () => ({}), ok: 201 },
  'POST /v2/cache/clean': { ok: 200 },
  'POST /v2/cache/prune': { ok: 200 },
  'GET /v2/cache/nodes/:imageId': { ok: 409 },
  'GET /v2/tasks': { ok: 200 },
  'POST /v2/tasks': {
    body: () => ({
      type: 'import',
      input: { import_from: WEB_DOWNLOAD.method.uri, import_from_format: 'raw', image_properties: {} },
    }),
    ok: 201,
  },
  'GET /v2/tasks/:taskId': { ok: 404 },
  'DELETE /v2/tasks/:taskId': { ok: 405 },
  'POST /v2/metadefs/namespaces': { body: () => ({ namespace: randomUUID() }), ok: 201 },
  'PUT /v2/metadefs/namespaces/:namespace': { body: () => ({ namespace: randomUUID() }), ok: 200 },
  'POST /v2/metadefs/namespaces/:namespace/objects': { body: () => ({ name: 'new' }), ok: 201 },
  'PUT /v2/metadefs/namespaces/:namespace/objects/:name': { body: () => ({ name: 'there' }), ok: 200 },
  'POST /v2/metadefs/namespaces/:namespace/properties': {
    body: () => ({ name: 'new', type: 'string', title: 'New' }),
    ok: 201,
  },
  'PUT /v2/metadefs/namespaces/:namespace/properties/:name': {
    body: () => ({ name: 'there', type: 'string', title: 'There' }),
    ok: 200,
  },
  'POST /v2/metadefs/namespaces/:namespace/tags': { body: () => ({ tags: [{ name: 'new' }] }), ok: 201 },
  'POST /v2/metadefs/namespaces/:namespace/tags/:name': { ok: 409 },
  'PUT /v2/metadefs/namespaces/:namespace/tags/:name': { body: () => ({ name: 'there' }), ok: 200 },
  'POST /v2/metadefs/namespaces/:namespace/resource_types': { body: () => ({ name: 'OS::New' }), ok: 201 },
};
const SIMPLE: Readonly<Record<string, Recipe>> = { GET: { ok: 200 }, DELETE: { ok: 204 } };

let folder: string;
let testing: TestDatabase;
let app: NestFastifyApplication;
let database: Database;
const routes = new RouteTable();
let server: { url: string };
const tokens: Record<string, string | null> = {};
/** An active image of the owner, of which all others are copies. */
let original: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-walk-'));
  testing = await testDatabase();
  const bootstrapFile = join(folder, 'bootstrap.yaml');
  const users = Object.entries({ ...PERSONAS, expired: PERSONAS.admin }).filter(([, persona]) => persona !== null);
  await writeFile(
    bootstrapFile,
    stringify({
      projects: Object.entries(PROJECTS).map(([name, id]) => ({ name, id })),
      users: users.map(([name, persona]) => ({
        name,
        password: 's3cret',
        roles: [{ project: persona!.project, role: persona!.role }],
      })),
    }),
  );
  const { config } = loadConfig({
    KILN_DATABASE_URL: testing.url,
    KILN_DATA_DIR: folder,
    KILN_BOOTSTRAP_FILE: bootstrapFile,
    KILN_ROLE: 'api',
    KILN_IMAGE_LOCATIONS: 'shown',
    KILN_LOG_LEVEL: 'fatal',
  });
  const [faces, metrics] = [new FaceRegistry(), new Metrics()];
  app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRole({ config, databaseUrl: testing.url, faces, routes, metrics }),
    createHttpAdapter(faces, routes, new Log('fatal'), metrics),
    { logger: false, abortOnError: false, bodyParser: false },
  );
  await app.get(BootstrapService).apply();
  await app.listen(0, '127.0.0.1');
  server = { url: `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}` };
  database = app.get(Database);

  for (const [name, persona] of users) tokens[name] = await signIn(name, persona!.project);
  tokens.garbage = 'gAAAAABgarbage';
  await database.run(
    `UPDATE tokens SET expires_at = now() - interval '1 minute' WHERE user_id IN (SELECT id FROM users WHERE name = 'expired')`,
    [],
  );
  // Signing in remembers a token for some seconds.
  await eventually(async () => expect((await send('expired', 'GET', '/v2/images', {})).status).toBe(401));
  // What is put into the tables below is counted beforehand, so that it can be deleted.
  await database.run('UPDATE project_usage SET used = used + 10000', []);
  original = (await send('member', 'POST', '/v2/images', { body: { disk_format: 'raw', container_format: 'bare' } }))
    .body.id;
  const upload = await send('member', 'PUT', `/v2/images/${original}/file`, { body: 'bytes', headers: BYTES });
  expect(upload.status).toBe(204);
}, 300_000);

afterAll(async () => {
  await app?.close();
  await testing?.drop();
  await rm(folder, { recursive: true, force: true });
});

async function signIn(name: string, project: string): Promise<string> {
  const domain = { id: 'default' };
  const identity = { methods: ['password'], password: { user: { name, domain, password: 's3cret' } } };
  const reply = await fetch(`${server.url}/identity/v3/auth/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ auth: { identity, scope: { project: { name: project, domain } } } }),
  });
  expect([name, reply.status]).toEqual([name, 201]);
  return reply.headers.get('x-subject-token')!;
}

function send(
  who: string,
  method: string,
  path: string,
  question: { body?: unknown; headers?: Record<string, string> },
) {
  return ask(server as Parameters<typeof ask>[0], method, path, { token: tokens[who] ?? null, ...question });
}

/** A new image in that state, with a tag and members. */
async function make(thing: Thing): Promise<string> {
  const id = randomUUID();
  const filled = thing.status === 'active' || thing.status === 'deactivated';
  await database.run(
    `INSERT INTO images (id, project_id, status, visibility, protected, hidden, tags, disk_format, container_format,
       size_bytes, md5, hash_algorithm, hash_value, store_ids, primary_file_id, origin, deleted_at)
     SELECT $1, project_id, $2, $3, $4, $5, '{there}', disk_format, container_format,
       CASE WHEN $6 THEN size_bytes END, md5, hash_algorithm, hash_value, store_ids,
       CASE WHEN $6 THEN primary_file_id END, origin, CASE WHEN $7 THEN now() END
     FROM images WHERE id = $8`,
    [
      id,
      thing.status,
      thing.visibility,
      thing.protected ?? false,
      thing.hidden ?? false,
      filled,
      thing.deleted ?? false,
      original,
    ],
  );
  if (filled) {
    await database.run(
      `INSERT INTO image_copies (image_id, store_id, stored_file_id)
       SELECT $1, store_id, stored_file_id FROM image_copies WHERE image_id = $2`,
      [id, original],
    );
  }
  for (const status of MEMBERS) {
    await database.run(
      'INSERT INTO image_members (image_id, member, status, image_created_at) SELECT id, $2, $3, created_at FROM images WHERE id = $1',
      [id, PROJECTS[status], status],
    );
  }
  return id;
}

/** A new namespace of the owner with one of everything. */
async function makeNamespace(visibility: 'public' | 'private'): Promise<string> {
  const namespace = randomUUID();
  const property = { type: 'string', title: 'There' };
  const answer = await send('admin', 'POST', '/v2/metadefs/namespaces', {
    body: {
      namespace,
      visibility,
      owner: PROJECTS.owner,
      objects: [{ name: 'there' }],
      properties: { there: property },
      tags: [{ name: 'there' }],
      resource_type_associations: [{ name: 'there' }],
    },
  });
  expect([answer.status, answer.text]).toEqual([201, expect.anything()]);
  return namespace;
}

function expectedOfImage(route: string, recipe: Recipe, thing: Thing, caller: Caller | null): number {
  if (!caller) return 401;
  if (!caller.sees(thing)) return 404;
  const { rule } = ROUTE_RULES[route]!;
  const target = caller.target(thing, recipe.ofMember ? caller.memberAsked : undefined);
  const bound = recipe.own
    ? caller.ownsThings
    : !recipe.ofMember || route.startsWith('GET') || caller.isAdmin || caller.isMember;
  const ruled = bound && caller.may(rule!, target) ? null : 403;
  const refused = recipe.refusal?.(thing, caller) ?? null;
  const [first, second] = recipe.stateFirst ? [refused, ruled] : [ruled, refused];
  return first ?? second ?? (typeof recipe.ok === 'number' ? recipe.ok : recipe.ok(thing));
}

function expectedOfOther(
  route: string,
  recipe: Recipe,
  visibility: 'public' | 'private',
  caller: Caller | null,
): number {
  if (!caller) return 401;
  const { rule, of } = ROUTE_RULES[route]!;
  const target =
    of === 'namespace'
      ? { project_id: PROJECTS.owner, owner: PROJECTS.owner, visibility }
      : { project_id: caller.projectId, owner: caller.projectId };
  if (of === 'namespace' && !caller.may('get_metadef_namespace', target)) return 404;
  return rule !== null && !caller.may(rule, target) ? 403 : (recipe.ok as number);
}

const callers = Object.fromEntries(
  Object.entries(PERSONAS).map(([name, persona]) => [name, persona && new Caller(persona)]),
);

/** What is not as it should be; empty when all is well. */
const wrong = (who: string, on: object, answer: Answer, expected: number): string[] =>
  answer.status === expected ? [] : [`${who} ${JSON.stringify(on)}: ${answer.status} instead of ${expected}`];

const rowsOf = (...kinds: string[]) =>
  Object.keys(ROUTE_RULES).filter((route) => kinds.includes(ROUTE_RULES[route]!.of));

describe('the table of routes', () => {
  it('has a row for every route of the running face, and none that is not there', () => {
    const prefix = `${GLANCE_MOUNT}/v2/`;
    const served = routes
      .all()
      .filter(({ method, path }) => path.startsWith(prefix) && !path.endsWith('*') && method !== 'HEAD')
      .map(({ method, path }) => `${method} ${path.slice(GLANCE_MOUNT.length)}`);

    expect([...new Set(served)].sort()).toEqual(Object.keys(ROUTE_RULES).sort());
  });

  it('says of every route on images how it is walked', () => {
    expect(Object.keys(IMAGE_RECIPES).sort()).toEqual(rowsOf('image').sort());
  });
});

describe('a route on an image', () => {
  it.each(rowsOf('image'))(
    '%s answers every role in every state as the table says',
    async (route) => {
      const recipe = IMAGE_RECIPES[route]!;
      const [method, path] = route.split(' ') as [string, string];
      const found: string[] = [];
      for (const thing of THINGS) {
        const walks = Object.entries(callers).map(async ([who, caller]) => {
          const filled = path
            .replace(':imageId', await make(thing))
            .replace(':storeId', 'default')
            .replace(':tag', 'there')
            .replace(':member', caller?.memberAsked ?? PROJECTS.accepted);
          const answer = await send(who, method, filled, { body: recipe.body?.(), headers: recipe.headers });
          return wrong(who, thing, answer, expectedOfImage(route, recipe, thing, caller ?? null));
        });
        found.push(...(await Promise.all(walks)).flat());
      }

      expect(found).toEqual([]);
    },
    300_000,
  );
});

describe('a route on anything else', () => {
  it.each(rowsOf('nothing', 'namespace'))(
    '%s answers every role as the table says',
    async (route) => {
      const [method, path] = route.split(' ') as [string, string];
      const recipe = OTHER_RECIPES[route] ?? SIMPLE[method]!;
      const found: string[] = [];
      for (const visibility of ['public', 'private'] as const) {
        const namespace = ROUTE_RULES[route]!.of === 'namespace' ? await makeNamespace(visibility) : '';
        const filled = path
          .replace(':namespace', namespace)
          .replace(':taskId', randomUUID())
          .replace('/schemas/metadefs/:name', '/schemas/metadefs/namespace')
          .replace('/schemas/:name', '/schemas/image')
          .replace(':name', 'there');
        for (const [who, caller] of Object.entries(callers)) {
          const answer = await send(who, method, filled, { body: recipe.body?.(), headers: recipe.headers });
          found.push(...wrong(who, { visibility }, answer, expectedOfOther(route, recipe, visibility, caller ?? null)));
        }
      }

      expect(found).toEqual([]);
    },
    300_000,
  );
});
