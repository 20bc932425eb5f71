import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

const LOOK_MS = 1_000;

/**
 * Lets a server close although a client went silent in the middle of a request: once it closes, a connection on which no
 * byte moved for `patienceMs` is ended. What still moves is waited for.
 */
export function endStalledConnections(instance: FastifyInstance, patienceMs = 10_000): void {
  const sockets = new Set<Socket>();
  instance.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  instance.addHook('preClose', (done) => {
    const seen = new Map<Socket, { bytes: number; since: number }>();
    const timer = setInterval(() => sockets.forEach((socket) => endIfStalled(socket, seen, patienceMs)), LOOK_MS);
    instance.server.once('close', () => clearInterval(timer));
    timer.unref();
    done();
  });
}

function endIfStalled(socket: Socket, seen: Map<Socket, { bytes: number; since: number }>, patienceMs: number): void {
  const bytes = socket.bytesRead + socket.bytesWritten;
  const last = seen.get(socket);
  if (!last || last.bytes !== bytes) seen.set(socket, { bytes, since: Date.now() });
  else if (Date.now() - last.since >= patienceMs) socket.destroy();
}
