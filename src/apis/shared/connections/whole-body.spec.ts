import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { KilnError } from '../../../common/errors.js';
import { sendWire } from './lingering-reply.js';
import { wholeBody } from './whole-body.js';

let server: FastifyInstance | undefined;
/** Why the body was not taken. */
let failure: Promise<unknown>;
afterEach(() => server?.close());

/** A server that says how long a body is, or why it did not take it. */
async function serving(limitBytes: number, patienceMs: number): Promise<number> {
  server = fastify();
  let told!: (outcome: Promise<unknown>) => void;
  failure = new Promise((resolve) => (told = resolve));
  server.addContentTypeParser('*', (_request, payload, done) => {
    const body = wholeBody(payload, limitBytes, patienceMs);
    told(body.catch((error: unknown) => error));
    body.then(
      (whole) => done(null, whole),
      (error: Error) => done(error),
    );
  });
  server.setErrorHandler((error, request, reply) => {
    const body = error instanceof KilnError ? error.code : 'bug';
    sendWire(
      request,
      reply,
      { status: 400, contentType: 'text/plain', body },
      { totalMs: 200, totalBytes: 1e6, pauseMs: 100 },
    );
  });
  server.put('/', (request) => String((request.body as Buffer).length));
  await server.listen({ port: 0, host: '127.0.0.1' });
  return (server.server.address() as AddressInfo).port;
}

/** Sends the pieces with pauses in between; resolves with the answer when the server has closed the connection. */
async function put(port: number, announcedBytes: number, pieces: readonly string[], pauseMs: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  const closed = once(socket, 'close');
  let answer = '';
  socket.on('error', () => undefined).on('data', (data: Buffer) => (answer += data.toString()));
  socket.write(
    `PUT / HTTP/1.1\r\nHost: kiln\r\nConnection: close\r\nContent-Type: a/b\r\nContent-Length: ${announcedBytes}\r\n\r\n`,
  );
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await closed;
  return answer.split('\r\n\r\n')[1] ?? '';
}

describe('wholeBody', () => {
  it('collects what comes in pieces', async () => {
    expect(await put(await serving(100, 5_000), 6, ['ab', 'cd', 'ef'], 10)).toBe('6');
  });

  it('refuses a byte more than the limit', async () => {
    const port = await serving(5, 5_000);
    expect(await put(port, 5, ['abcde'], 0)).toBe('5');
    expect(await put(port, 6, ['abcdef'], 0)).toBe('request.body_too_large');
  });

  it('tells a client that went away from a fault of the server', async () => {
    const port = await serving(100, 5_000);
    const seen = once(server!.server, 'request');
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write('PUT / HTTP/1.1\r\nHost: kiln\r\nContent-Type: a/b\r\nContent-Length: 10\r\n\r\nabc');
    await seen;
    socket.destroy();
    expect(await failure).toMatchObject({ code: 'request.broken_body', kind: 'invalid' });
  });

  it('does not wait for ever, also not for a client that sends a byte now and then', async () => {
    const startedAt = Date.now();
    const answer = await put(await serving(100, 300), 100, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], 100);
    expect(answer).toBe('request.slow_body');
    expect(Date.now() - startedAt).toBeLessThan(20_000);
  });
});
