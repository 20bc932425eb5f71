import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { Clock } from '../../common/clock.js';
import { loadConfig } from '../../config/config.js';
import { Log } from '../logging/log.js';
import { KeystoneClient } from './keystone-client.js';

type Fault = (reply: ServerResponse) => void;

interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body?: any;
}

const HOUR_MS = 3_600_000;
const unavailable = { kind: 'unavailable', code: 'keystone.unavailable' };
const status =
  (code: number): Fault =>
  (reply) =>
    reply.writeHead(code).end();
const silence: Fault = () => undefined;
const hangUp: Fault = (reply) => reply.destroy();

class MovableClock extends Clock {
  aheadMs = 0;
  override now(): Date {
    return new Date(Date.now() + this.aheadMs);
  }
}

describe('KeystoneClient', () => {
  let server: Server;
  let clock: MovableClock;
  let client: KeystoneClient;
  let log: string;
  /** What was asked, in order. */
  let signIns: Question[];
  let validations: Question[];
  /** Faults still to come; after them all is well. */
  let signInFaults: Fault[];
  let validationFaults: Fault[];
  let tokenLifeMs: number;

  beforeEach(async () => {
    [signIns, validations, signInFaults, validationFaults] = [[], [], [], []];
    tokenLifeMs = HOUR_MS;
    clock = new MovableClock();
    log = '';
    server = createServer((request, reply) => void answer(request, reply));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = clientOf({ attemptMs: 5_000, totalMs: 20_000 });
  });

  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  function clientOf(patience: { attemptMs: number; totalMs: number }): KeystoneClient {
    const { config } = loadConfig({
      KILN_KEYSTONE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      KILN_KEYSTONE_USERNAME: 'kiln',
      KILN_KEYSTONE_PASSWORD: 's3cret-kiln',
      KILN_KEYSTONE_PROJECT: 'service',
    });
    return new KeystoneClient(config.keystone!, clock, new Log('info', { write: (line) => (log += line) }), patience);
  }

  /** Knows the token `good`, of alice, and signs in whoever asks. */
  async function answer(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = request;
    const signingIn = method === 'POST';
    if (signingIn) signIns.push({ method, path, headers, body: await json(request) });
    else validations.push({ method, path, headers });
    const fault = (signingIn ? signInFaults : validationFaults).shift();
    if (fault) return fault(reply);
    if (!signingIn && headers['x-subject-token'] !== 'good') return status(404)(reply);
    const token = signingIn ? { 'x-subject-token': `own-${signIns.length}` } : {};
    reply.writeHead(signingIn ? 201 : 200, { 'content-type': 'application/json', ...token }).end(
      JSON.stringify({
        token: {
          issued_at: clock.now().toISOString(),
          expires_at: new Date(clock.now().getTime() + tokenLifeMs).toISOString(),
          user: { id: 'a11ce', name: 'alice', domain: { id: 'default', name: 'Default' } },
        },
      }),
    );
  }

  it('signs in once and asks about many tokens', async () => {
    await expect(client.validate('good', false)).resolves.toMatchObject({ user: { id: 'a11ce' } });
    await expect(client.validate('unknown', true)).resolves.toBeNull();

    expect(signIns).toMatchObject([{ path: '/v3/auth/tokens?nocatalog' }]);
    expect(signIns[0]!.body.auth).toEqual({
      identity: {
        methods: ['password'],
        password: { user: { name: 'kiln', domain: { name: 'Default' }, password: 's3cret-kiln' } },
      },
      scope: { project: { name: 'service', domain: { name: 'Default' } } },
    });
    expect(validations).toMatchObject([
      {
        path: '/v3/auth/tokens?nocatalog',
        headers: { 'x-auth-token': 'own-1', 'x-subject-token': 'good', 'openstack-identity-access-rules': '1' },
      },
      { path: '/v3/auth/tokens?nocatalog&allow_expired=1', headers: { 'x-subject-token': 'unknown' } },
    ]);
  });

  it('signs in once for all who ask at the same time', async () => {
    await Promise.all(Array.from({ length: 10 }, () => client.validate('good', false)));

    expect([signIns.length, validations.length]).toEqual([1, 10]);
  });

  it('signs in anew before its own token ends', async () => {
    await client.validate('good', false);

    clock.aheadMs = HOUR_MS - 61_000;
    await client.validate('good', false);
    expect(signIns).toHaveLength(1);

    clock.aheadMs = HOUR_MS - 59_000;
    await client.validate('good', false);
    expect(validations.at(-1)!.headers['x-auth-token']).toBe('own-2');
  });

  it('keeps an own token of a short life for half of that', async () => {
    tokenLifeMs = 10_000;
    await client.validate('good', false);

    clock.aheadMs = 4_000;
    await client.validate('good', false);
    expect(signIns).toHaveLength(1);

    clock.aheadMs = 6_000;
    await client.validate('good', false);
    expect(signIns).toHaveLength(2);
  });

  it('signs in anew when its own token is refused, and asks again', async () => {
    validationFaults = [status(401)];

    await expect(client.validate('good', false)).resolves.toMatchObject({ user: { id: 'a11ce' } });

    expect(validations.map(({ headers }) => headers['x-auth-token'])).toEqual(['own-1', 'own-2']);
  });

  it('does not sign in for ever when every own token is refused', async () => {
    validationFaults = [status(401), status(401), status(401)];

    await expect(client.validate('good', false)).rejects.toMatchObject(unavailable);

    expect([signIns.length, validations.length]).toEqual([2, 2]);
    expect(log).toContain('Keystone refused asking about a token');
  });

  it.each([
    ['errors of the server', [status(500), status(502), status(503)]],
    ['connections that end', [hangUp, hangUp, hangUp]],
  ])('gets over three %s', async (_what, faults) => {
    validationFaults = [...faults];

    await expect(client.validate('good', false)).resolves.toMatchObject({ user: { id: 'a11ce' } });
    expect(validations).toHaveLength(4);
  });

  it('gives up after four attempts, and starts afresh with the next question', async () => {
    validationFaults = Array.from({ length: 4 }, () => status(503));

    await expect(client.validate('good', false)).rejects.toMatchObject(unavailable);
    expect(validations).toHaveLength(4);
    expect(log).toContain('Keystone does not answer');

    await expect(client.validate('good', false)).resolves.toMatchObject({ user: { id: 'a11ce' } });
  });

  it('gets over an answer that takes too long', async () => {
    client = clientOf({ attemptMs: 200, totalMs: 20_000 });
    validationFaults = [silence];

    await expect(client.validate('good', false)).resolves.toMatchObject({ user: { id: 'a11ce' } });
  });

  it('waits no longer than its whole patience, whatever it is told', async () => {
    client = clientOf({ attemptMs: 20_000, totalMs: 300 });
    signInFaults = [silence];
    const startedAt = Date.now();

    await expect(client.validate('good', false)).rejects.toMatchObject(unavailable);

    expect(Date.now() - startedAt).toBeLessThan(5_000);
    expect(signIns).toHaveLength(1);
  });

  it('says when it is not let in itself, and tries again with the next question', async () => {
    signInFaults = [status(401)];

    await expect(client.validate('good', false)).rejects.toMatchObject(unavailable);
    expect(log).toContain('Keystone refused signing in');
    expect(log).not.toContain('s3cret');

    await expect(client.validate('good', false)).resolves.toMatchObject({ user: { id: 'a11ce' } });
  });

  it.each<[string, Fault]>([
    ['is no JSON', (reply) => reply.writeHead(200).end('<html>')],
    ['has no token', (reply) => reply.writeHead(200).end('{}')],
    ['has no time at which it ends', (reply) => reply.writeHead(200).end('{"token":{"user":{"id":"a"}}}')],
    ['refuses the question', status(403)],
  ])('takes an answer for none that %s', async (_what, fault) => {
    validationFaults = [fault];

    await expect(client.validate('good', false)).rejects.toMatchObject(unavailable);
  });

  it('takes its tokens to no other place', async () => {
    validationFaults = Array.from(
      { length: 4 },
      (): Fault => (reply) => reply.writeHead(302, { location: '/elsewhere' }).end(),
    );

    await expect(client.validate('good', false)).rejects.toMatchObject(unavailable);

    expect(validations.map(({ path }) => path)).not.toContain('/elsewhere');
  });
});
