import { connect } from 'node:net';

/** Bytes for a server, and whether it has to understand that they are a request. */
export interface RawRequest {
  /** For people who look for what went wrong. */
  readonly what: string;
  readonly bytes: Buffer;
  /** Whether an answer is due; else the connection may be closed without one. */
  readonly answered: boolean;
}

/** What came back; null: the connection was closed without an answer. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

const PATIENCE_MS = 30_000;
const MOST_BYTES = 200_000;

/** Sends bytes on a connection of their own and reads until it is closed. @throws Error nothing happens for too long */
export function sendRaw(url: string, { what, bytes, answered }: RawRequest): Promise<RawAnswer | null> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect({ host: hostname, port: Number(port) });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end within ${PATIENCE_MS / 1_000} s: ${what}`));
    }, PATIENCE_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve(parse(received.toString()));
    };
    socket.on('data', (chunk) => {
      if (received.length < MOST_BYTES) received = Buffer.concat([received, chunk]);
    });
    // What is refused early may be answered before it is all written.
    socket.on('error', () => undefined);
    socket.once('close', done);
    // The end of what is no request may be a part of what is wrong with it; whoever waits for an answer does not hang up.
    if (answered) socket.write(bytes);
    else socket.end(bytes);
  });
}

function parse(text: string): RawAnswer | null {
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
  if (status === undefined) return null;
  const end = text.indexOf('\r\n\r\n');
  return { status: Number(status), head: text.slice(0, end), body: text.slice(end + 4) };
}
