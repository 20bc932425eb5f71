import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Kiln, KilnUnreachableError, LeaseLostError } from './kiln.js';

const NEVER = new AbortController().signal;

describe('what a builder program tells Kiln', () => {
  let server: Server;
  let answers: RequestListener[];
  let asked: string[];
  beforeEach(async () => {
    answers = [];
    asked = [];
    server = createServer((request, reply) => {
      asked.push(`${request.method} ${request.url}`);
      request.resume();
      (answers.shift() ?? status(204))(request, reply);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const kiln = (giveUpMs = 30_000) => {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const address = (path: string) => ({ url: `${base}/${path}`, headers: {} });
    const order = { source: address('source'), upload: address('files'), report: address('report'), authorities: [] };
    return new Kiln(order, giveUpMs, NEVER);
  };

  it.each([500, 503, 429])('comes again after a %i', async (code) => {
    answers.push(status(code));

    await kiln().phase('building');

    expect(asked).toEqual(['POST /report', 'POST /report']);
  });

  it('waits as long as it is asked to', async () => {
    answers.push(status(429, { 'retry-after': '2' }));
    const before = performance.now();

    await kiln().phase('building');

    expect(performance.now() - before).toBeGreaterThan(1_900);
  });

  it('is given up when nobody takes it', async () => {
    answers.push(status(503), status(503), status(503), status(503));

    await expect(kiln(1_500).phase('building')).rejects.toThrow(KilnUnreachableError);
  });

  it('is over when the job is in other hands', async () => {
    answers.push(status(409));

    await expect(kiln().phase('building')).rejects.toThrow(LeaseLostError);
  });

  it('is sent again, however long the attempt took that failed', async () => {
    // Longer than the program is patient.
    answers.push((request) => void delay(1_500).then(() => request.socket.destroy()));
    answers.push(status(201, {}, '{"fileId":"a file"}'));

    const id = await kiln(1_200).upload('rootfs', 3, () => Promise.resolve(Readable.from(['abc'])));

    expect(id).toBe('a file');
    expect(asked).toEqual(['PUT /files/rootfs', 'PUT /files/rootfs']);
  });
});

function status(code: number, headers = {}, body = ''): RequestListener {
  return (_request, reply) => void reply.writeHead(code, headers).end(body);
}
