import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';

/** Who asks; the last two have no token that counts. */
export const ACTORS = ['root', 'alice', 'bob', 'rita', 'nobody', 'stale'] as const;
export type Actor = (typeof ACTORS)[number];

/** One request as both services get it. */
export interface Question {
  /** What it is about, for the table. */
  readonly operation: string;
  readonly actor: Actor;
  readonly method: string;
  /** Below the mount. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Without a length. */
  readonly chunked?: boolean;
  /** An image whose import both services are given time to finish before anything else is asked. */
  readonly imports?: string;
}

export interface Answer {
  /** 0: it broke off. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** One of the two services. */
export interface Side {
  readonly url: string;
  readonly tokens: Readonly<Record<Actor, string | undefined>>;
}

/** Sends it as it is: `fetch` would mend some of it. */
export function ask(side: Side, question: Question): Promise<Answer> {
  const { pathname, origin } = new URL(side.url);
  const token = side.tokens[question.actor];
  const length =
    question.body === undefined || question.chunked ? {} : { 'content-length': String(question.body.length) };
  if (/[^!-~]/.test(question.path)) throw new Error(`not a path: ${question.path}`);
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      origin,
      {
        method: question.method,
        path: `${pathname.replace(/\/$/, '')}${question.path}`,
        // A connection each: what one service does to a connection must not touch the next request.
        agent: false,
        headers: { ...(token === undefined ? {} : { 'x-auth-token': token }), ...length, ...question.headers },
      },
      (reply) => {
        const parts: Buffer[] = [];
        reply.on('data', (part: Buffer) => parts.push(part));
        reply.on('end', () =>
          resolve({ status: reply.statusCode!, headers: reply.headers, body: Buffer.concat(parts) }),
        );
        reply.on('error', () => resolve({ status: 0, headers: reply.headers, body: Buffer.concat(parts) }));
      },
    );
    sent.on('error', (error) => reject(new Error(`${question.method} ${question.path}: ${error.message}`)));
    sent.end(question.body);
  });
}
