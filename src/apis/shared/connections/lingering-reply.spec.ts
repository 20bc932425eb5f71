import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { type LingerBounds, sendWire } from './lingering-reply.js';

const CHUNK = Buffer.alloc(256 * 1024);
const GENEROUS: LingerBounds = { totalMs: 90_000, totalBytes: 1024 ** 3, pauseMs: 90_000 };

let server: FastifyInstance | undefined;

afterEach(() => server?.close());

/** A server that refuses every body unread. */
async function refusing(bounds: Partial<LingerBounds> = {}): Promise<number> {
  server = fastify();
  server.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  server.put('/', (request, reply) => {
    sendWire(request, reply, { status: 413, contentType: 'text/plain', body: 'too much' }, { ...GENEROUS, ...bounds });
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  return (server.server.address() as AddressInfo).port;
}

/** A client that looks for no answer before all is sent. Resolves with what it was answered when the server hangs up. */
async function put(port: number, chunks: number, announcedBytes = chunks * CHUNK.length) {
  const socket = connect({ port, host: '127.0.0.1' }).pause();
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let broken = false;
  socket.on('error', () => (broken = true));
  socket.write(`PUT / HTTP/1.1\r\nHost: kiln\r\nContent-Length: ${announcedBytes}\r\n\r\n`);
  let sent = 0;
  for (; sent < chunks && !socket.destroyed; sent += 1) {
    if (!socket.write(CHUNK)) await Promise.race([once(socket, 'drain'), closed]).catch(() => undefined);
  }
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += data.toString())).resume();
  await closed;
  return { answer, broken, sent };
}

describe('sendWire', () => {
  it('lets a client send all of its body before it reads the answer', async () => {
    const { answer, broken } = await put(await refusing(), 200);

    expect(broken).toBe(false);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/connection: close/i);
    expect(answer.endsWith('\r\n\r\ntoo much')).toBe(true);
  });

  it('answers before the body has come, and waits for no more than a pause', async () => {
    const begin = Date.now();
    const { answer } = await put(await refusing({ pauseMs: 200 }), 1, 10 * CHUNK.length);

    expect(answer).toMatch(/too much$/);
    expect(Date.now() - begin).toBeLessThan(60_000);
  });

  it('reads so much and no more', async () => {
    const { sent } = await put(await refusing({ totalBytes: 4 * CHUNK.length }), 2_000);

    expect(sent).toBeLessThan(2_000);
  });

  it('reads so long and no longer', async () => {
    const port = await refusing({ totalMs: 300 });
    const socket = connect({ port, host: '127.0.0.1' });
    let answer = '';
    socket.on('error', () => undefined).on('data', (data: Buffer) => (answer += data.toString()));
    const begin = Date.now();
    socket.write(`PUT / HTTP/1.1\r\nHost: kiln\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const drip = setInterval(() => socket.write('1\r\nx\r\n'), 20);

    await once(socket, 'close').finally(() => clearInterval(drip));

    expect(answer).toMatch(/too much/);
    expect(Date.now() - begin).toBeLessThan(60_000);
  });
});
