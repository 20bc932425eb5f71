// What every operation refuses in the same way: walks all that the documents tell of. What each of them answers to other
// tenants, for what is missing, malformed or in conflict stands in the walks of the faces.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';
import { basic } from '../foreman/wire.js';
import { keyOf, SIGNING_BOOTSTRAP, signedHeaders } from '../parallelcluster/wire.js';

const FACES = ['identity', 'glance', 'nova', 'ims', 'parallelcluster', 'foreman', 'artifacts'] as const;
/** Its credential is its body. */
const SIGN_IN = 'POST /identity/v3/auth/tokens';

interface Documented {
  readonly face: string;
  /** `GET /compute/v2.1/images/{imageId}` */
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly answers: readonly string[];
  /** Type of the body that it takes. */
  readonly type?: string;
}

let kiln: RunningKiln;
/** Takes one request a second. */
let limited: RunningKiln;
let operations: Documented[];
let root: string;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api' }, bootstrap: SIGNING_BOOTSTRAP });
  limited = await startKiln({ beside: kiln, env: { KILN_ROLE: 'api', KILN_RATE_LIMIT: '1' } });
  operations = (await Promise.all(FACES.map(documentedOf))).flat();
  root = await kiln.token('root');
});
afterAll(async () => {
  await limited?.stop();
  await kiln?.stop();
});

async function documentedOf(face: string): Promise<Documented[]> {
  const { paths } = (await (await fetch(`${kiln.url}/docs/openapi/${face}.json`)).json()) as any;
  return Object.entries<any>(paths).flatMap(([path, methods]) =>
    Object.entries<any>(methods).map(([method, { responses, requestBody }]) => ({
      face,
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      answers: Object.keys(responses),
      type: Object.keys(requestBody?.content ?? {})[0],
    })),
  );
}

/** One request, with its answer held against the documents. */
async function send(
  at: RunningKiln,
  { method, path }: Documented,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; text: string }> {
  const asked = pathOfNothing(path);
  const reply = await fetch(at.url + asked, { method, redirect: 'manual', headers, body });
  const text = await reply.text();
  await checkDocumented(at, { method, path: asked, status: reply.status, headers: reply.headers, text });
  return { status: reply.status, text };
}

/** The path of nothing. */
const pathOfNothing = (path: string) => path.replace('{file}', 'v2.json').replaceAll(/\{\w+\}/g, randomUUID());

describe.each(FACES)('the operations of %s', (face) => {
  const each = async (
    wanted: (operation: Documented) => boolean,
    fault: (operation: Documented) => Promise<string | null>,
  ) => {
    const found = operations.filter((operation) => operation.face === face && wanted(operation));
    expect(found.length).toBeGreaterThan(0);
    const faults = [];
    for (const operation of found) faults.push(await fault(operation));
    expect(faults.filter((one) => one !== null)).toEqual([]);
  };
  const unless = (status: number, { name }: Documented, answer: { status: number; text: string }) =>
    answer.status === status ? null : `${name}: ${answer.status} ${answer.text.slice(0, 200)}`;

  it('refuse a credential that is wrong, and none, unless they are for everybody', async () => {
    await each(
      ({ name, answers }) => answers.includes('401') && name !== SIGN_IN,
      async (operation) => {
        for (const headers of await wrongCredentials(operation)) {
          const fault = unless(401, operation, await send(kiln, operation, headers));
          if (fault !== null) return `${fault} for ${JSON.stringify(headers)}`;
        }
        return null;
      },
    );
  });

  // What artifacts take may be as large as the store.
  if (face !== 'artifacts') {
    it('refuse a body that is too large', async () => {
      await each(
        ({ type }) => type?.includes('json') ?? false,
        async (operation) => {
          const headers = { 'x-auth-token': root, 'content-type': operation.type! };
          return unless(413, operation, await send(kiln, operation, headers, `{"name": "${'x'.repeat(2 ** 20)}"}`));
        },
      );
    });
  }

  it('refuse one request too many', async () => {
    await each(
      () => true,
      async (operation) => {
        // One a second passes.
        let answer = await send(limited, operation, { 'x-auth-token': root });
        for (let more = 0; more < 5 && answer.status !== 429; more += 1) {
          answer = await send(limited, operation, { 'x-auth-token': root });
        }
        return unless(429, operation, answer);
      },
    );
  });
});

async function wrongCredentials({ face, method, path }: Documented): Promise<Record<string, string>[]> {
  const usual: Record<string, string>[] = [{}, { 'x-auth-token': 'wrong' }];
  if (face === 'foreman') return [...usual, { authorization: basic('alice', 'wrong') }];
  if (face !== 'parallelcluster') return usual;
  const asked = pathOfNothing(path).slice('/parallelcluster'.length);
  return [...usual, await signedHeaders({ ...keyOf('alice'), secret: 'wrong' }, method, asked, undefined)];
}
