// Walks every operation of the face with every caller, a record that is not there, and bodies that are none.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { FaceRegistry } from '../../../src/apis/shared/face-registry.js';
import { createHttpAdapter } from '../../../src/apis/shared/connections/http-application.js';
import { RouteTable } from '../../../src/apis/shared/route-table.js';
import { AppModule } from '../../../src/app.module.js';
import { BootstrapService } from '../../../src/bootstrap/index.js';
import { loadConfig } from '../../../src/config/config.js';
import { Log } from '../../../src/platform/logging/log.js';
import { Metrics } from '../../../src/platform/telemetry/metrics.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { signIn, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { type ImsAnswer, ImsClient, INVALID_FIELDS, NO_INPUT, NOT_FOUND, problem, UNKNOWN_ID } from './wire.js';

type Kind = 'images' | 'recipes' | 'public-keys' | 'jobs' | 'remote-build-nodes';
const UNDELETE = { operation: 'undelete' };

/** One operation; `{id}` in its path is that of a record. */
interface Operation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Whose records it is about, and whether those are deleted ones. */
  readonly kind?: Kind;
  readonly deleted?: boolean;
  readonly ok: number;
  /** Absent: no body is read. */
  readonly body?: () => object;
  /** Lists that can be asked for in pages. */
  readonly paged?: boolean;
  /** Of a record: what it leaves of it; null: nothing that the record's own path shows. */
  readonly leaves?: null;
}

const recordsAt = (base: string, kind: Kind, changes: boolean): Operation[] => [
  { method: 'GET', path: base, kind, ok: 200, paged: true },
  { method: 'POST', path: base, kind, ok: 201, body: () => wanted(kind) },
  { method: 'DELETE', path: base, kind, ok: 204 },
  { method: 'GET', path: `${base}/{id}`, kind, ok: 200 },
  ...(changes
    ? [{ method: 'PATCH', path: `${base}/{id}`, kind, ok: 200, body: () => change(kind) } satisfies Operation]
    : []),
  { method: 'DELETE', path: `${base}/{id}`, kind, ok: 204, leaves: null },
];

const deletedAt = (kind: Kind): Operation[] => {
  const [base, deleted] = [`/v3/deleted/${kind}`, true];
  return [
    { method: 'GET', path: base, kind, deleted, ok: 200, paged: true },
    { method: 'PATCH', path: base, kind, deleted, ok: 204, body: () => UNDELETE },
    { method: 'DELETE', path: base, kind, deleted, ok: 204 },
    { method: 'GET', path: `${base}/{id}`, kind, deleted, ok: 200 },
    { method: 'PATCH', path: `${base}/{id}`, kind, deleted, ok: 204, body: () => UNDELETE, leaves: null },
    { method: 'DELETE', path: `${base}/{id}`, kind, deleted, ok: 204, leaves: null },
  ];
};

const NODES = '/v3/remote-build-nodes';
const nodes: Operation[] = [
  ...recordsAt(NODES, 'remote-build-nodes', false).map((operation) => ({ ...operation, paged: false })),
  { method: 'GET', path: `${NODES}/status`, kind: 'remote-build-nodes', ok: 200 },
  { method: 'GET', path: `${NODES}/status/{id}`, kind: 'remote-build-nodes', ok: 200 },
];

/** The contract's table; jobs have one set of operations in all versions, and only version 3 has deleted records. */
const OPERATIONS: readonly Operation[] = [
  ...['/v3', '/v2', ''].flatMap((version): Operation[] => [
    ...recordsAt(`${version}/images`, 'images', true),
    ...recordsAt(`${version}/recipes`, 'recipes', true),
    ...recordsAt(`${version}/public-keys`, 'public-keys', false),
    ...recordsAt(`${version}/jobs`, 'jobs', true),
    { method: 'GET', path: `${version}/jobs/{id}/log`, kind: 'jobs', ok: 200 },
    { method: 'POST', path: `${version}/jobs/{id}/cancel`, kind: 'jobs', ok: 202 },
  ]),
  ...(['images', 'recipes', 'public-keys'] as const).flatMap(deletedAt),
  ...nodes,
];
const OPEN = ['GET /healthz/live', 'GET /healthz/ready', 'GET /version'];
const nameOf = ({ method, path }: Operation) => `${method} ${path}`;

let folder: string;
let testing: TestDatabase;
let app: NestFastifyApplication;
let ims: ImsClient;
let alice: string;
let bob: string;
let rita: string;
let recipe: { id: string };
let key: { id: string };
const routes = new RouteTable();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kiln-walk-'));
  testing = await testDatabase();
  const bootstrapFile = join(folder, 'bootstrap.yaml');
  await writeFile(bootstrapFile, stringify(STANDARD_BOOTSTRAP));
  const { config } = loadConfig({
    KILN_DATABASE_URL: testing.url,
    KILN_DATA_DIR: folder,
    KILN_BOOTSTRAP_FILE: bootstrapFile,
    KILN_ROLE: 'api',
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
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  ims = new ImsClient({ url });
  [alice, bob, rita] = [
    await signIn(url, 'alice', 'alpha'),
    await signIn(url, 'bob', 'beta'),
    await signIn(url, 'rita', 'alpha'),
  ];
  // What jobs are made of must outlive the deletes of all recipes and keys.
  const path = await ims.upload('ims', 'a.tar.gz', 'archive', alice);
  const link = { path, type: 's3' };
  [recipe, key] = [await created('recipes', { ...wanted('recipes'), link }), await created('public-keys')];
});
afterAll(async () => {
  await app?.close();
  await testing?.drop();
  await rm(folder, { recursive: true, force: true });
});

let names = 0;

function wanted(kind: Kind): Record<string, unknown> {
  switch (kind) {
    case 'images':
      return { name: 'i' };
    case 'recipes':
      return { name: 'r', recipe_type: 'kiwi-ng', linux_distribution: 'sles15' };
    case 'public-keys':
      return { name: 'k', public_key: 'ssh-ed25519 AAAA' };
    case 'jobs':
      return {
        job_type: 'create',
        artifact_id: recipe.id,
        public_key_id: key.id,
        image_root_archive_name: 'an image',
      };
    case 'remote-build-nodes':
      return { xname: `x${(names += 1)}` };
  }
}

const change = (kind: Kind) => (kind === 'jobs' ? { status: 'building_image' } : { arch: 'aarch64' });

async function created(kind: Kind, body = wanted(kind), token = alice): Promise<{ id: string }> {
  const answer = await ims.post(`/v3/${kind}`, body, token);
  expect([answer.status, answer.body]).toEqual([201, expect.any(Object)]);
  return kind === 'remote-build-nodes' ? { id: answer.body.xname } : answer.body;
}

/** A record of alice's that the operation is about. */
async function aRecord({ kind, deleted }: Operation): Promise<{ id: string }> {
  const record = await created(kind!);
  if (deleted) expect((await ims.delete(`/v3/${kind}/${record.id}`, alice)).status).toBe(204);
  return record;
}

const isOfOne = ({ path }: Operation) => path.includes('{id}');
const isRead = ({ method }: Operation) => method === 'GET';
/** Deletes and restores of all: with them, what jobs are made of would go too. */
const isOfAll = (operation: Operation) => !isOfOne(operation) && ['DELETE', 'PATCH'].includes(operation.method);

const pathOf = ({ path }: Operation, id: string) => path.replace('{id}', id);
const shownAt = ({ kind, deleted }: Operation, id: string) => `/v3/${deleted ? 'deleted/' : ''}${kind}/${id}`;

function call(operation: Operation, id: string, token?: string): Promise<ImsAnswer> {
  return ims.send(operation.method, pathOf(operation, id), token, operation.body?.());
}

function expectProblem({ status, headers, body }: ImsAnswer, expected: number): void {
  expect([status, body]).toEqual([
    expected,
    expect.objectContaining({ status: expected, title: expect.any(String), detail: expect.any(String) }),
  ]);
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(Object.keys(body).filter((name) => !['status', 'title', 'detail', 'errors'].includes(name))).toEqual([]);
}

it('has the operations of the contract and no others', () => {
  const served = routes
    .all()
    .filter(({ method, path }) => path.startsWith('/apis/ims') && method !== 'HEAD')
    .map(({ method, path }) => `${method} ${path.slice('/apis/ims'.length).replace(/:\w+/, '{id}')}`);

  expect([...new Set(served)].sort()).toEqual([...OPERATIONS.map(nameOf), ...OPEN].sort());
});

it.each(OPEN)('%s is for everybody', async (operation) => {
  const path = operation.slice('GET '.length);
  for (const token of [undefined, alice]) expect((await ims.get(path, token)).status).toBe(200);
  expect((await ims.send('PUT', path)).status).toBe(405);
});

describe.each(OPERATIONS.map((operation) => [nameOf(operation), operation] as const))('%s', (_name, operation) => {
  it('answers its members and nobody else', async () => {
    const { id } = await aRecord(operation);

    for (const token of [undefined, 'gAAAAABgarbage']) expectProblem(await call(operation, id, token), 401);
    const reader = await call(operation, id, rita);
    if (isRead(operation)) expect(reader.status).toBe(operation.ok);
    else expectProblem(reader, 403);
    expect((await ims.get(shownAt(operation, id), alice)).status).toBe(200);

    if (isOfAll(operation) && ['recipes', 'public-keys'].includes(operation.kind!) && !operation.deleted) return;
    const { status, headers, body } = await call(operation, id, alice);
    expect(status).toBe(operation.ok);
    if (status === 204) expect(body).toBe('');
    else if (!operation.path.endsWith('/log')) expect(headers.get('content-type')).toContain('application/json');
    if (operation.leaves === null) expect((await ims.get(shownAt(operation, id), alice)).status).toBe(404);
  });

  it('keeps to the tenant of the caller', async () => {
    const { id } = await aRecord(operation);

    const answer = await call(operation, id, bob);

    if (isOfOne(operation)) expect(answer.body).toEqual(problem(404, 'Not Found', NOT_FOUND));
    else if (operation.method === 'POST' && operation.kind === 'jobs') expectProblem(answer, 400);
    else expect(answer.status).toBe(operation.ok);
    if (isRead(operation)) expect(JSON.stringify(answer.body)).not.toContain(id);
    expect((await ims.get(shownAt(operation, id), alice)).status).toBe(200);
  });

  it('has no PUT, and no final slash', async () => {
    const path = pathOf(operation, UNKNOWN_ID);

    expectProblem(await ims.send('PUT', path, alice, {}), 405);
    expectProblem(await ims.send(operation.method, `${path}/`, alice, operation.body?.()), 404);
  });

  if (isOfOne(operation)) {
    it('knows no record that is not there, whatever the body', async () => {
      const { id } = await aRecord(operation);
      for (const missing of [UNKNOWN_ID, 'no-uuid', '%00', id.toUpperCase(), `${id}0`]) {
        if (missing === id) continue;
        for (const answer of [
          await call(operation, missing, alice),
          await ims.send(operation.method, pathOf(operation, missing), alice),
        ]) {
          expect(answer.body).toEqual(problem(404, 'Not Found', NOT_FOUND));
        }
      }
    });
  }

  if (operation.body) {
    it('refuses bodies that are none, step by step, and changes nothing', async () => {
      const { id } = await aRecord(operation);
      const before = (await ims.get(shownAt(operation, id), alice)).body;
      const send = (text: string | undefined, type?: string) =>
        ims.send(operation.method, pathOf(operation, id), alice, text, type ? { 'content-type': type } : {});
      const json = 'application/json';

      expectProblem(await send(undefined), 415);
      expectProblem(await send('{}', 'text/plain'), 415);
      expectProblem(await send(undefined, json), 400);
      expectProblem(await send('{', json), 400);
      for (const nothing of ['{}', '[]', 'null', '""', '0', 'false']) {
        expect((await send(nothing, json)).body).toEqual(problem(400, 'Bad Request', NO_INPUT));
      }
      for (const [bad, errors] of [
        ['[1]', { _schema: [expect.any(String)] }],
        ['"text"', { _schema: [expect.any(String)] }],
        [JSON.stringify({ ...operation.body!(), more: 1 }), { more: [expect.any(String)] }],
        [JSON.stringify({ ...operation.body!(), id: UNKNOWN_ID }), { id: [expect.any(String)] }],
      ] as const) {
        expect((await send(bad, json)).body).toEqual({
          ...problem(422, 'Unprocessable Entity', INVALID_FIELDS),
          errors,
        });
      }
      expect((await ims.get(shownAt(operation, id), alice)).body).toEqual(before);
    });
  }

  if (operation.paged) {
    it('names the parameter of a list that it cannot read, and ignores what it does not know', async () => {
      for (const query of [
        'limit=0',
        'limit=1001',
        'limit=x',
        `marker=${UNKNOWN_ID}`,
        'marker=x',
        'sort=x',
        'sort_dir=x',
      ]) {
        const answer = await ims.get(`${operation.path}?${query}`, alice);
        expectProblem(answer, 400);
        expect(answer.body.detail).toContain(query.split('=')[0]);
      }
      expect((await ims.get(`${operation.path}?owner=somebody`, alice)).status).toBe(403);
      expect((await ims.get(`${operation.path}?nonsense=1`, alice)).status).toBe(200);
    });
  }
});
