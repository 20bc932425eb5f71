import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { WireReply } from '../face.js';
import { hasBody } from '../requests/json-body.js';

/** What is read of a body after its answer, at most. */
export interface LingerBounds {
  readonly totalMs: number;
  readonly totalBytes: number;
  /** The longest pause. */
  readonly pauseMs: number;
}

const BOUNDS: LingerBounds = { totalMs: 30_000, totalBytes: 4 * 1024 ** 3, pauseMs: 5_000 };

/**
 * Sends an answer, also to a client that is still sending its body.
 *
 * Many clients send all of a body before they look for an answer, and closing a connection on which bytes wait unread
 * resets it: instead of why it was refused the client would see a broken pipe. So the answer goes out at once, and what
 * still comes is read and dropped until the client is done or goes, or has had enough of our time. Only then the
 * connection is closed.
 */
export function sendWire(request: FastifyRequest, reply: FastifyReply, wire: WireReply, bounds = BOUNDS): void {
  void reply
    .status(wire.status)
    .headers(wire.headers ?? {})
    .header('content-type', wire.contentType);
  if (request.raw.complete || !hasBody(request.headers)) {
    void reply.send(wire.body);
    return;
  }
  // The rest of an unread body would be taken for the next request on this connection.
  void reply.header('connection', 'close').header('content-length', Buffer.byteLength(wire.body));
  void reply.send(Readable.from(answerThenDrain(request.raw, wire.body, bounds), { objectMode: false }));
}

async function* answerThenDrain(request: IncomingMessage, body: string, bounds: LingerBounds): AsyncGenerator<Buffer> {
  yield Buffer.from(body);
  await drain(request, bounds);
}

/** Reads and drops what comes, within bounds. */
function drain(request: IncomingMessage, { totalMs, totalBytes, pauseMs }: LingerBounds): Promise<void> {
  return new Promise((resolve) => {
    let dropped = 0;
    const enough = setTimeout(done, totalMs);
    const pause = setTimeout(done, pauseMs);
    request.on('data', drop).once('end', done).once('close', done).once('error', done);
    request.resume();
    if (request.destroyed) done();

    function drop(chunk: Buffer): void {
      dropped += chunk.length;
      if (dropped > totalBytes) done();
      else pause.refresh();
    }
    function done(): void {
      clearTimeout(enough);
      clearTimeout(pause);
      request.off('data', drop);
      resolve();
    }
  });
}
