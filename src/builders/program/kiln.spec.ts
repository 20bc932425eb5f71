import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Kiln, LeaseLostError } from './kiln.js';

const NEVER = new AbortController().signal;

describe('what a builder program tells Kiln', () => {
  let server: Server;
  let answers: RequestListener[];
  let asked: string[];
  let log: string;
  beforeEach(async () => {
    answers = [];
    log = '';
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
    return new Kiln(order, giveUpMs, (text) => (log += text), NEVER);
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

  it.each([
    ['nobody takes it', 503, 'a report: it answered 503'],
    ['it is not understood', 400, 'a report was answered with 400'],
  ])('is left out when %s, and the log says so', async (_when, code, said) => {
    answers.push(status(code), status(code), status(code));

    await kiln(1_500).phase('building');

    expect(log).toContain(said);
    expect(log).toContain('the build goes on');
  });

  it('is told however long it takes where the build can do nothing without, until it is over', async () => {
    answers.push(status(503), status(503));
    await kiln(0).phase('waiting_on_user', NEVER);
    const over = new AbortController();
    answers.push((request) => {
      over.abort(new Error('the time is over'));
      request.socket.destroy();
    });

    const unheard = kiln(0).upload('rootfs', 3, () => Promise.resolve(Readable.from(['abc'])), over.signal);

    await expect(unheard).rejects.toThrow('the time is over');
    expect(asked).toEqual(['POST /report', 'POST /report', 'POST /report', 'PUT /files/rootfs']);
    expect(log).toMatch(/^kiln: Kiln cannot be reached for a report: it answered 503; trying again\n$/);
  });

  it('is over when the job is in other hands', async () => {
    answers.push(status(409));

    await expect(kiln().phase('building')).rejects.toThrow(LeaseLostError);
  });

  it('is sent again, however long the attempt took that failed', async () => {
    // Longer than the program is patient.
    answers.push((request) => void delay(1_500).then(() => request.socket.destroy()));
    answers.push(status(201, {}, '{"fileId":"a file"}'));

    const id = await kiln(1_200).upload('rootfs', 3, () => Promise.resolve(Readable.from(['abc'])), NEVER);

    expect(id).toBe('a file');
    expect(asked).toEqual(['PUT /files/rootfs', 'PUT /files/rootfs']);
  });
});

function status(code: number, headers = {}, body = ''): RequestListener {
  return (_request, reply) => void reply.writeHead(code, headers).end(body);
}
