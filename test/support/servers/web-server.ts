import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = (request: IncomingMessage, reply: ServerResponse) => void;

/** A web server on loopback whose pages a test decides on. */
export interface WebServer {
  /** `host:port`, as an operator opens it to users' addresses. */
  readonly host: string;
  /** Requests that came, by path. */
  readonly asked: string[];
  /** The address of a page that answers so. */
  page(path: string, answer: Answer): string;
  /** The address of a page with these bytes. */
  bytes(path: string, data: Uint8Array): string;
  /** The address of a page with these bytes, the last of which nobody gets before `release`. */
  held(path: string, data: Uint8Array): { readonly url: string; release(): void };
  close(): Promise<void>;
}

export async function webServer(): Promise<WebServer> {
  const pages = new Map<string, Answer>();
  const asked: string[] = [];
  const server = createServer((request, reply) => {
    const path = request.url!;
    asked.push(path);
    const answer = pages.get(path);
    if (answer) answer(request, reply);
    else reply.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const page = (path: string, answer: Answer): string => {
    pages.set(path, answer);
    return `http://${host}${path}`;
  };
  return {
    host,
    asked,
    page,
    bytes: (path, data) =>
      page(path, (_request, reply) => void reply.writeHead(200, { 'content-length': data.length }).end(data)),
    held: (path, data) => {
      let release!: () => void;
      const released = new Promise<void>((resolve) => (release = resolve));
      const url = page(path, (_request, reply) => {
        reply.writeHead(200, { 'content-length': data.length });
        reply.write(data.subarray(0, -1));
        void released.then(() => reply.end(data.subarray(-1)));
      });
      return { url, release };
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
