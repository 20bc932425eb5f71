import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RunningKiln, startKiln } from '../../support/kiln.js';

let kiln: RunningKiln;
let documents: Record<string, any>;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
  const page = await (await fetch(`${kiln.url}/docs`)).text();
  const found = [...page.matchAll(/href="(\/docs\/openapi\/([^"]+)\.json)"/g)];
  const read = found.map(async ([, path, face]) => [face, await (await fetch(kiln.url + path!)).json()]);
  documents = Object.fromEntries(await Promise.all(read));
});
afterAll(() => kiln?.stop());

/** Every operation of every document, as `face method path`. */
const operations = () =>
  Object.entries(documents).flatMap(([face, { paths }]) =>
    Object.entries<any>(paths).flatMap(([path, methods]) =>
      Object.entries<any>(methods).map(([method, operation]) => ({
        name: `${face} ${method} ${path}`,
        operation,
        face,
      })),
    ),
  );

describe('the documents', () => {
  it('are those of all faces, and have every route that the build saw', () => {
    const seen = JSON.parse(readFileSync(join('dist', 'src', 'apis', 'root', 'documentation', 'routes.json'), 'utf8'));
    const handlers = Object.values<any>(seen).flatMap(({ routes }) => Object.keys(routes));
    const told = new Set(operations().map(({ operation }) => operation.operationId.split(':')[0]));

    expect(Object.keys(documents)).toEqual(
      expect.arrayContaining(['foreman', 'parallelcluster', 'glance', 'nova', 'ims', 'identity', 'artifacts', 'root']),
    );
    // What answers to whatever is not there is no operation.
    expect(handlers.filter((handler) => !told.has(handler) && !/\.(refuse\w*|choices)$/.test(handler))).toEqual([]);
  });

  it('say of every operation what it answers, and how every body is', () => {
    const silent = operations().filter(({ operation: { responses } }) => {
      const good = Object.entries<any>(responses).filter(([status]) => Number(status) < 400);
      return good.some(([status, { content }]) => ['200', '201'].includes(status) && content === undefined);
    });
    const bodiless = operations().filter(
      ({ name, operation }) => / (post|put|patch) /.test(name) && !operation.requestBody && !takesNone(name),
    );

    // HEAD has no body, and PUT of bytes answers with headers.
    expect(silent.map(({ name }) => name).filter((name) => !/ head |^artifacts put /.test(name))).toEqual([]);
    expect(bodiless.map(({ name }) => name)).toEqual([]);
  });

  it('say how lists of Foreman are asked for, and that its clients sign in with HTTP Basic', () => {
    const { paths, components } = documents.foreman;
    const lists = Object.entries<any>(paths).filter(
      ([path]) => /s$/.test(path) && !/\/(status|available_images)$/.test(path),
    );
    const asked = lists.map(
      ([path, { get }]) => [path, get.parameters.filter((one: any) => one.in === 'query')] as const,
    );

    expect(lists).toHaveLength(9);
    for (const [path, parameters] of asked) {
      expect([path, parameters.map(({ name }: { name: string }) => name).sort()]).toEqual([
        path,
        ['location_id', 'order', 'organization_id', 'page', 'per_page', 'search'],
      ]);
    }
    expect(components.securitySchemes.basic).toEqual({ type: 'http', scheme: 'basic' });
    expect(paths['/foreman/api/locations'].get.security).toContainEqual({ basic: [] });
    expect(documents.glance.components.securitySchemes).not.toHaveProperty('basic');
  });

  it('have a parameter for every name in a path, and for no other', () => {
    const inPath = ({ parameters = [] }: any) =>
      parameters.filter((one: any) => one.in === 'path' && one.required).map(({ name }: any) => name);
    const wrong = operations().filter(({ name, operation }) => {
      const named = [...name.matchAll(/\{(\w+)\}/g)].map(([, one]) => one);
      return inPath(operation).sort().join() !== named.sort().join();
    });

    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('say how ParallelCluster is signed, and what it does not do without', () => {
    const { paths, components } = documents.parallelcluster;
    const { get, post } = paths['/parallelcluster/v3/images/custom'];

    expect(components.securitySchemes.signature).toMatchObject({
      type: 'apiKey',
      in: 'header',
      name: 'Authorization',
      'x-amazon-apigateway-authtype': 'awsSigv4',
    });
    expect(get.security).toContainEqual({ signature: [] });
    expect(get.parameters).toContainEqual({
      name: 'imageStatus',
      in: 'query',
      required: true,
      schema: { type: 'string', enum: ['AVAILABLE', 'PENDING', 'FAILED'] },
    });
    const { anyOf } = post.requestBody.content['application/json'].schema;
    expect(anyOf.map(({ required }: any) => required)).toEqual([
      ['imageId', 'imageConfiguration'],
      ['id', 'imageConfiguration'],
    ]);
  });

  it('say how microversions are asked for, and which other bases there are', () => {
    const { parameters } = documents.nova.paths['/compute/v2.1/images'].get;
    const names = parameters.map((one: any) => `${one.in} ${one.name}`);

    expect(names).toEqual(
      expect.arrayContaining([
        'header OpenStack-API-Version',
        'header X-OpenStack-Nova-API-Version',
        'query page_size',
      ]),
    );
    expect(documents.nova.info.description).toContain('`/compute/v2.1/{project_id}`, `/compute/v2`');
    expect(documents.foreman.info.description).toContain('`/foreman/api/v2`, `/api`');
  });

  it('promise no refusal by health and metrics', () => {
    const told = operations().filter(({ face }) => face === 'root');

    expect(told.length).toBeGreaterThan(0);
    for (const { name, operation } of told) {
      expect([name, Object.keys(operation.responses)]).toEqual([name, expect.not.arrayContaining(['400'])]);
      expect([name, Object.keys(operation.responses)]).toEqual([name, expect.not.arrayContaining(['429'])]);
    }
  });

  it('refer to nothing that is not there', () => {
    for (const document of Object.values(documents)) {
      for (const [, pointer] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
        const found = pointer!.split('/').reduce((value, part) => value?.[part], document);
        expect([pointer, typeof found]).toEqual([pointer, 'object']);
      }
    }
  });
});

/** Calls that mean what they are called. */
const takesNone = (name: string): boolean => /actions|cancel|\/tags\/\{(tag|name)\}|cache|roles\/\{roleId\}/.test(name);

describe('the pages', () => {
  it('are there for everybody, and load nothing from elsewhere', async () => {
    const page = await fetch(`${kiln.url}/docs/browse`);
    const html = await page.text();
    const settings = await (await fetch(`${kiln.url}/docs/browse/swagger-ui-init.js`)).text();
    const scripts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address!);
    const loaded = await Promise.all(
      scripts.map(async (address) => (await fetch(new URL(address, `${kiln.url}/docs/browse`))).status),
    );

    expect(page.status).toBe(200);
    expect(new Set(loaded)).toEqual(new Set([200]));
    expect(scripts.filter((address) => /^(https?:)?\/\//.test(address))).toEqual([]);
    expect(settings).toContain('/docs/openapi/glance.json');
    expect(settings).toMatch(/"validatorUrl": null/);
    expect(settings).toMatch(/"supportedSubmitMethods": \[\]/);
  });

  it.each(['/docs', '/docs/', '/docs/openapi/glance.json'])('tell by HEAD of %s what GET gives', async (path) => {
    const [got, told] = await Promise.all(
      ['GET', 'HEAD'].map((method) => fetch(kiln.url + path, { method, redirect: 'manual' })),
    );

    expect([got!.status, told!.status]).toEqual([200, 200]);
    expect(told!.headers.get('content-type')).toBe(got!.headers.get('content-type'));
    expect(await told!.text()).toBe('');
  });

  it('say 404 of a document that is not there, and take no other method', async () => {
    const [missing, posted] = await Promise.all([
      fetch(`${kiln.url}/docs/openapi/nothing.json`),
      fetch(`${kiln.url}/docs/openapi/glance.json`, { method: 'POST' }),
    ]);

    expect([missing.status, posted.status]).toEqual([404, 405]);
    expect(missing.headers.get('content-type')).toContain('application/problem+json');
  });
});
