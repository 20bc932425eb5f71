import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RunningKiln, startKiln } from '../../support/kiln.js';
import { describeWith } from '../../support/programs.js';
import { startRedis, type TestRedis } from '../../support/servers/redis.js';

const LIMIT = 20;

/** Statuses of many requests at once, shared out over several processes. */
async function flood(kilns: readonly RunningKiln[], path: string, token: string | null, requests = 6 * LIMIT) {
  const sent = Array.from({ length: requests }, (_, index) =>
    fetch(`${kilns[index % kilns.length]!.url}${path}`, { headers: token === null ? {} : { 'x-auth-token': token } }),
  );
  return Promise.all(sent);
}

const count = (replies: readonly Response[], status: number) =>
  replies.filter((reply) => reply.status === status).length;

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
    expect(count(await flood([one], '/healthz/live', null), 200)).toBe(6 * LIMIT);
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
    const kiln = await startKiln({ env: { KILN_ROLE: 'api', KILN_RATE_LIMIT: '5', KILN_REDIS_URL: redis.url } });
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

describe('without a limit', () => {
  it('nothing is refused', async () => {
    const kiln = await startKiln({ env: { KILN_ROLE: 'api' } });
    try {
      const replies = await flood([kiln], '/image/v2/images', await kiln.token('alice'));

      expect(count(replies, 200)).toBe(6 * LIMIT);
    } finally {
      await kiln.stop();
    }
  });
});
