import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { Log } from '../../../platform/logging/log.js';
import { Metrics } from '../../../platform/telemetry/metrics.js';
import { Face } from '../face.js';
import { FaceRegistry } from '../face-registry.js';
import { createHttpAdapter, type HttpOptions } from './http-application.js';
import { problemReply } from '../problem.js';
import { RouteTable } from '../route-table.js';

class PlainFace extends Face {
  override readonly name = 'plain';
  override readonly title = 'Plain';
  override readonly mounts = [];
  override readonly serviceType = 'test';
  override readonly requestIdHeader = 'x-request-id';
  override readonly renderError = () => problemReply(400, 'Bad Request', 'No');
  override readonly renderBug = () => problemReply(500, 'Internal Server Error', 'No');
}

let server: FastifyInstance | undefined;
afterEach(() => server?.close());

async function serving(options: HttpOptions): Promise<number> {
  const faces = new FaceRegistry();
  faces.registerFallback(new PlainFace());
  const adapter = createHttpAdapter(faces, new RouteTable(), new Log('fatal'), new Metrics(), options);
  server = adapter.getInstance<FastifyInstance>();
  server.get('/', ({ ip, protocol, host }) => `${ip} ${protocol} ${host}`);
  server.put('/', (request) => String((request.body as Buffer).length));
  await server.listen({ port: 0, host: '127.0.0.1' });
  return (server.server.address() as AddressInfo).port;
}

describe('a connection', () => {
  it('is closed when nothing comes any more, and not while something does', async () => {
    const socket = connect({ port: await serving({ silenceMs: 4_000 }), host: '127.0.0.1' });
    const closed = once(socket, 'close');
    socket.on('error', () => undefined);
    socket.write('PUT / HTTP/1.1\r\nHost: kiln\r\nContent-Type: a/b\r\nContent-Length: 100\r\n\r\n');
    const startedAt = Date.now();
    for (let sent = 0; sent < 10; sent += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(socket.destroyed).toBe(false);
      socket.write('a');
    }

    await closed;

    const lastedMs = Date.now() - startedAt;
    expect(lastedMs).toBeGreaterThan(8_000);
    expect(lastedMs).toBeLessThan(60_000);
  });
});

describe('a request through a proxy', () => {
  it.each([
    ['is of whom a trusted one names', ['127.0.0.0/8'], '192.0.2.1', '192.0.2.1 https kiln.example.org'],
    [
      'is not of whom others name before it',
      ['127.0.0.0/8'],
      '198.51.100.1, 192.0.2.1',
      '192.0.2.1 https kiln.example.org',
    ],
    ['is of the proxy, if that is not trusted', ['10.0.0.0/8'], '192.0.2.1', /^127\.0\.0\.1 http 127\.0\.0\.1:/],
    ['is of the proxy, if none is trusted', [], '192.0.2.1', /^127\.0\.0\.1 http 127\.0\.0\.1:/],
  ])('%s', async (_, trustedProxies, forwardedFor, told) => {
    const port = await serving({ trustedProxies });

    const reply = await fetch(`http://127.0.0.1:${port}/`, {
      headers: {
        'x-forwarded-for': forwardedFor,
        'x-forwarded-host': 'kiln.example.org',
        'x-forwarded-proto': 'https',
      },
    });

    expect(await reply.text()).toMatch(told);
  });
});
