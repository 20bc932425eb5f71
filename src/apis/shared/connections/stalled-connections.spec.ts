import { expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import fastify from 'fastify';
import { endStalledConnections } from './stalled-connections.js';

/** A server that answers once the body has ended. */
async function waiting(patienceMs: number) {
  const server = fastify();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  server.put('/', async (request) => {
    for await (const chunk of request.body as AsyncIterable<Buffer>) void chunk;
    return 'all of it';
  });
  endStalledConnections(server, patienceMs);
  await server.listen({ port: 0, host: '127.0.0.1' });
  const socket = connect((server.server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('PUT / HTTP/1.1\r\nHost: kiln\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n');
  await once(server.server, 'request');
  return { server, socket };
}

it('closes although a client went silent in the middle of its body', async () => {
  const { server, socket } = await waiting(500);
  const hungUp = once(socket.resume(), 'close');

  await server.close();

  await hungUp;
});

it('waits for a body that still comes', async () => {
  const { server, socket } = await waiting(6_000);
  let answer = '';
  socket.on('data', (data: Buffer) => (answer += data.toString()));
  const drip = setInterval(() => socket.write('1\r\nx\r\n'), 250);
  setTimeout(() => {
    clearInterval(drip);
    socket.write('0\r\n\r\n');
  }, 9_000);

  await server.close();

  expect(answer).toContain('all of it');
});
