// Whatever is sent to whatever route of whatever face: it is answered, never as a failure of the server, and changes nothing.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Dice } from '../support/dice.js';
import { type RunningKiln, startKiln } from '../support/kiln.js';
import { SEED } from '../support/seed.js';
import { BadRequests, type Callers, type Target } from './bad-requests.js';
import { type RawAnswer, sendRaw } from './raw-request.js';
import { someOfEverything } from './some-of-everything.js';
import { stateOf } from './state.js';

/** As many as a minute allows, unless `npm run fuzz` wants more. */
const COUNT = Number(process.env.KILN_TEST_FUZZ_REQUESTS ?? 1_500);
const BATCH = 500;
const TOGETHER = 12;

let kiln: RunningKiln;
let targets: Target[];
let callers: Callers;

beforeAll(async () => {
  kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_IMAGE_LOCATIONS: 'shown' } });
  targets = await documentedTargets();
  const known = await someOfEverything(kiln);
  callers = {
    member: await kiln.token('alice'),
    reader: await kiln.token('rita'),
    host: new URL(kiln.url).host,
    known: ({ path }, parameter) => known.find((one) => one.parameter === parameter && one.path.test(path))?.value,
  };
}, 300_000);
afterAll(() => kiln?.stop());

/** Every operation of every document. */
async function documentedTargets(): Promise<Target[]> {
  const page = await (await fetch(`${kiln.url}/docs`)).text();
  const addresses = [...page.matchAll(/href="(\/docs\/openapi\/([^"]+)\.json)"/g)];
  const found = await Promise.all(
    addresses.map(async ([, address, face]) => {
      const document: any = await (await fetch(kiln.url + address!)).json();
      const resolve = (value: any): any => {
        if (Array.isArray(value)) return value.map(resolve);
        if (typeof value !== 'object' || value === null) return value;
        if (typeof value.$ref === 'string') return resolve(document.components.schemas[value.$ref.split('/').pop()]);
        return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, resolve(member)]));
      };
      return Object.entries<any>(document.paths).flatMap(([path, methods]) =>
        Object.entries<any>(methods).map(([method, { parameters, requestBody }]): Target => {
          const bodies = Object.entries<any>(requestBody?.content ?? {}).map(([type, { schema }]) => [
            type,
            resolve(schema),
          ]);
          const query = parameters.filter((one: any) => one.in === 'query').map((one: any) => one.name as string);
          return {
            face: face!,
            method,
            path,
            query,
            bodies: bodies.length > 0 ? Object.fromEntries(bodies) : undefined,
          };
        }),
      );
    }),
  );
  return found.flat();
}

it(
  'no bad request fails the server, hangs or changes anything',
  async () => {
    expect(new Set(targets.map(({ face }) => face)).size).toBeGreaterThanOrEqual(6);
    const requests = new BadRequests(new Dice(SEED), targets, callers);
    const before = await stateOf(kiln);
    const statuses = new Map<number | null, number>();
    const faults: string[] = [];
    for (let sent = 0; sent < COUNT; sent += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, COUNT - sent) }, () => requests.next());
      const taken: string[] = [];
      await inTurns(batch, async (request) => {
        const answer = await sendRaw(kiln.url, request).catch((error: Error) => error);
        if (answer instanceof Error) return void faults.push(answer.message);
        statuses.set(answer?.status ?? null, (statuses.get(answer?.status ?? null) ?? 0) + 1);
        if (isFailure(answer, request.answered))
          faults.push(`${answer?.status ?? 'no answer'} ${answer?.body.slice(0, 300) ?? ''} to ${request.what}`);
        if (answer && answer.status < 300 && !/^[^:]*: (GET|HEAD|OPTIONS) /.test(request.what))
          taken.push(`${answer.status} to ${request.what}`);
      });
      const after = await stateOf(kiln);
      const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
      if (changed.length > 0)
        throw new Error(`${changed.join(', ')} changed; taken was:\n${taken.join('\n') || 'nothing'}`);
    }

    expect(faults.slice(0, 20)).toEqual([]);
    // Requests that never get anywhere would prove little.
    for (const status of [400, 401, 403, 404, 413, 415])
      expect([status, statuses.get(status) ?? 0]).not.toEqual([status, 0]);
    expect((await fetch(`${kiln.url}/healthz/ready`)).status).toBe(200);
  },
  60_000 + COUNT * 100,
);

function isFailure(answer: RawAnswer | null, due: boolean): boolean {
  return answer === null ? due : answer.status >= 500;
}

async function inTurns<T>(list: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const rest = list.values();
  await Promise.all(
    Array.from({ length: TOGETHER }, async () => {
      for (const one of rest) await work(one);
    }),
  );
}
