import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { startRedis, type TestRedis } from '../../support/servers/redis.js';
import { basic } from '../foreman/wire.js';

/** So few that a busy machine answers more in a second. */
const LIMIT = 10;
const MANY = 120;
/** What is let through in the second of all tests together that send it. */
const FEW = 1;

type Headers = Record<string, string>;

/** Answers to many requests at once, shared out over several processes; each may have headers of its own. */
async function floodWith(
  kilns: readonly RunningKiln[],
  path: string,
  headersOf: (index: number) => Headers,
  { requests = MANY, ...init }: RequestInit & { requests?: number } = {},
) {
  const sent = Array.from({ length: requests }, (_, index) =>
    fetch(`${kilns[index % kilns.length]!.url}${path}`, { ...init, headers: headersOf(index) }),
  );
  return Promise.all(sent);
}

const flood = (kilns: readonly RunningKiln[], path: string, token: string | null, requests?: number) => {
  const headers: Headers = token === null ? {} : { 'x-auth-token': token };
  return floodWith(kilns, path, () => headers, { requests });
};

const count = (replies: readonly Response[], status: number) =>
  replies.filter((reply) => reply.status === status).length;

/** The word with other capitals for every number. */
const capitalised = (word: string, number: number) =>
  [...word].map((letter, index) => (number & (1 << index) ? letter.toUpperCase() : letter)).join('');

function limits(env: () => Readonly<Record<string, string>>): void {
  let one: RunningKiln;
  let other: RunningKiln;
  let alice: string;
  let bob: string;

  beforeAll(async () => {
    one = await startKiln({ env: { KILN_ROLE: 'api', KILN_RATE_LIMIT: String(LIMIT), ...env() } });
    other = await startKiln({ beside: one, env: { KILN_ROLE: 'api', KILN_RATE_LIMIT: String(LIMIT), ...env() } });
    [alice, bob] = [await one.token('alice'), await one.token('bob')];
  });
  afterAll(async () => {
    await other?.stop();
    await one?.stop();
  });

  it('counts what one credential sends to all processes, and refuses the rest', async () => {
    const start = performance.now();

    const replies = await flood([one, other], '/image/v2/images', alice);

    // As many windows as it took, begun ones included.
    const windows = Math.ceil((performance.now() - start) / 1_000) + 1;
    expect(count(replies, 200) + count(replies, 429)).toBe(replies.length);
    expect(count(replies, 429)).toBeGreaterThan(0);
    expect(count(replies, 200)).toBeGreaterThanOrEqual(LIMIT);
    expect(count(replies, 200)).toBeLessThanOrEqual(windows * LIMIT);
    expect(replies.find((reply) => reply.status === 429)!.headers.get('retry-after')).toBe('1');
  });

  it('does not let one credential use up what another may send', async () => {
    const [flooded, calm] = await Promise.all([
      flood([one, other], '/image/v2/images', alice),
      flood([other], '/image/v2/images', bob, LIMIT / 2),
    ]);

    expect(count(flooded, 429)).toBeGreaterThan(0);
    expect(count(calm, 200)).toBe(LIMIT / 2);
  });

  it.each([
    ['/identity/v3/auth/projects', 'application/json', /"code":429/],
    ['/image/v2/images', 'text/html; charset=UTF-8', /<title>429 Too Many Requests<\/title>/],
    ['/compute/v2.1/images', 'application/json', /"overLimit":\{.*"code":429,"retryAfter":"1"/],
    ['/foreman/api/compute_resources', 'application/json', /"error":\{"message":"Too many requests/],
    ['/parallelcluster/v3/images/official', 'application/json', /"message":"Too many requests/],
    ['/apis/ims/v3/images', 'application/problem+json', /"status":429/],
    ['/artifacts/ims/nothing', 'application/problem+json', /"status":429/],
    ['/foreman/api/status', 'application/json', /^{"error":{"message":"Too many requests/],
  ])('says so at %s in the dialect of the face', async (path, type, body) => {
    const replies = await flood([one], path, alice);
    const refused = replies.find((reply) => reply.status === 429)!;

    expect(refused.headers.get('content-type')).toContain(type);
    expect(await refused.text()).toMatch(body);
  });

  it('counts who brings no credential by address, and never refuses to tell how it is', async () => {
    expect(count(await flood([one], '/identity/v3', null), 429)).toBeGreaterThan(0);
    expect(count(await flood([one], '/parallelcluster/v3/images/official', null), 429)).toBeGreaterThan(0);
    expect(count(await flood([one], '/healthz/live', null), 200)).toBe(MANY);
  });
}

describe('the rate limit on PostgreSQL', () => limits(() => ({})));

describeWith(['redis-server'], 'the rate limit on Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  limits(() => ({ KILN_REDIS_URL: redis.url }));

  it('goes on in each process when Redis goes away', async () => {
    const kiln = await startKiln({
      env: { KILN_ROLE: 'api', KILN_RATE_LIMIT: String(LIMIT), KILN_REDIS_URL: redis.url },
    });
    try {
      const token = await kiln.token('alice');
      await redis.stop();

      const replies = await flood([kiln], '/image/v2/images', token);

      expect(count(replies, 200)).toBeGreaterThan(0);
      expect(count(replies, 429)).toBeGreaterThan(0);
      expect(count(replies, 500)).toBe(0);
    } finally {
      await kiln.stop();
    }
  });
});

describe('what is counted together', () => {
  let kiln: RunningKiln;
  let alice: string;
  let bob: string;

  beforeAll(async () => {
    kiln = await startKiln({
      env: { KILN_ROLE: 'api', KILN_RATE_LIMIT: String(LIMIT), KILN_TRUSTED_PROXIES: '127.0.0.1/32' },
    });
    [alice, bob] = [await kiln.token('alice'), await kiln.token('bob')];
  });
  afterAll(() => kiln?.stop());

  it.each<[string, string, (token: string, index: number) => Headers]>([
    ['blanks', '/image/v2/images', (token, index) => ({ authorization: `Bearer${' '.repeat(index + 1)}${token}` })],
    ['capitals', '/image/v2/images', (token, index) => ({ authorization: `${capitalised('bearer', index)} ${token}` })],
    [
      'a second header',
      '/image/v2/images',
      (token, index) => ({ 'x-storage-token': token, authorization: `${index}` }),
    ],
    [
      'a token beside a password',
      '/foreman/api/status',
      (_token, index) => ({ authorization: basic('alice', 's3cret-alice'), 'x-auth-token': `made-up-${index}` }),
    ],
    [
      'the padding of a password',
      '/foreman/api/status',
      (_token, index) => ({ authorization: basic('alice', 's3cret-alice') + '='.repeat(index) }),
    ],
  ])('counts a credential as one however it is spelled: %s', async (_, path, headersOf) => {
    // The first Basic takes its time.
    await fetch(kiln.url + path, { headers: headersOf(alice, 0) });
    const start = performance.now();

    const replies = await floodWith([kiln], path, (index) => headersOf(alice, index));

    const windows = Math.ceil((performance.now() - start) / 1_000) + 1;
    expect(count(replies, 200) + count(replies, 429)).toBe(replies.length);
    expect(count(replies, 200)).toBeLessThanOrEqual(windows * LIMIT);
    expect(count(replies, 429)).toBeGreaterThan(0);
  });

  it.each<[string, (token: string) => Headers]>([
    ['X-Storage-Token', (token) => ({ 'x-storage-token': token })],
    ['Bearer beside an empty X-Auth-Token', (token) => ({ 'x-auth-token': ' ', authorization: `Bearer ${token}` })],
  ])('tells credentials apart that come as %s', async (_, headersOf) => {
    const [flooded, calm] = await Promise.all([
      floodWith([kiln], '/image/v2/images', () => headersOf(alice)),
      floodWith([kiln], '/image/v2/images', () => headersOf(bob), { requests: FEW }),
    ]);

    expect(count(flooded, 429)).toBeGreaterThan(0);
    expect(count(calm, 200)).toBe(FEW);
  });

  it.each([
    '/identity/v3/auth/projects',
    '/image/v2/images',
    '/compute/v2.1/images',
    '/foreman/api/status',
    '/parallelcluster/v3/images/official',
    '/apis/ims/v3/images',
    '/artifacts/ims/nothing',
    '/builder/jobs/00000000-0000-4000-8000-000000000000/source',
  ])('counts made-up credentials at %s by address, and holds them against no other', async (path) => {
    const madeUp = (index: number) => ({ 'x-auth-token': `made-up-${index}` });
    const [guesses, calm] = await Promise.all([
      floodWith([kiln], path, madeUp),
      flood([kiln], '/image/v2/images', bob, FEW),
    ]);

    expect(count(guesses, 401) + count(guesses, 429)).toBe(guesses.length);
    expect(count(guesses, 429)).toBeGreaterThan(0);
    expect(count(calm, 200)).toBe(FEW);
  });

  it.each([
    ['sign-ins', '/identity/v3/auth/tokens', { method: 'POST', body: '{}' }],
    ['version documents', '/compute', {}],
    ['signed links', '/artifacts/ims/nothing?expires=1&signature=made-up', {}],
  ])('counts %s by address, whatever headers they bring', async (_, path, init) => {
    const replies = await floodWith([kiln], path, (index) => ({ 'x-auth-token': `made-up-${index}` }), init);

    expect(count(replies, 429)).toBeGreaterThan(0);
  });

  it('tells addresses apart behind a trusted proxy, whatever those themselves claim, and links to its name', async () => {
    const through = (index: number, address: string) => ({
      'x-forwarded-for': `198.51.100.${index}, ${address}`,
      'x-forwarded-host': 'kiln.example.org',
      'x-forwarded-proto': 'https',
    });
    const [flooded, calm] = await Promise.all([
      floodWith([kiln], '/compute', (index) => through(index, '192.0.2.1')),
      floodWith([kiln], '/compute', (index) => through(index, '192.0.2.2'), { requests: FEW }),
    ]);

    expect(count(flooded, 429)).toBeGreaterThan(0);
    expect(count(calm, 200)).toBe(FEW);
    expect(await calm[0]!.text()).toContain('"https://kiln.example.org/compute/v2.1/"');
  });
});

describe('without a limit', () => {
  it('nothing is refused', async () => {
    const kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
    try {
      const replies = await flood([kiln], '/image/v2/images', await kiln.token('alice'));

      expect(count(replies, 200)).toBe(MANY);
    } finally {
      await kiln.stop();
    }
  });
});
