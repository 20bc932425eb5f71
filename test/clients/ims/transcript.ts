import { expect } from '@jest/globals';
import { Agent, request } from 'node:http';
import type { RunningKiln } from '../../support/kiln.js';

/** One request of a client, and the answer that it must get; or an object that it puts into its S3 store. */
type Step =
  | { readonly put: string; readonly content: string }
  | {
      readonly method: string;
      readonly path: string;
      readonly body: string | null;
      readonly status: number;
      readonly answer: string;
    };

/**
 * A transcript: `> METHOD path`, on the next line perhaps a body as the client writes it, `< status` with the answer on the
 * lines that follow; `! put bucket/key content` is an object. `#` begins a comment. `<image:1>` stands for an id, the same
 * one wherever it stands, `<time>` for a time, `<any>` for any text.
 */
export function readTranscript(text: string): Step[] {
  const blocks = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/^(?=[>!] )/m)
    .filter((block) => block.trim() !== '');
  return blocks.map((block) => {
    const put = /^! put (\S+) (.*)\n/.exec(block);
    if (put) return { put: put[1]!, content: put[2]! };
    const asked = /^> (\S+) (\S+)\n([^]*?)< (\d{3})\n([^]*)$/.exec(block);
    if (!asked) throw new Error(`not a step of a transcript: ${block}`);
    const [, method, path, body, status, answer] = asked;
    return {
      method: method!,
      path: path!,
      body: body!.trim() === '' ? null : body!.trimEnd(),
      status: Number(status),
      answer: answer!.trim(),
    };
  });
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}';
const TIME = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
const PLACEHOLDER = /<([a-z]+(?::\d+)?)>/g;

/** Plays a client: sends what it sends, byte for byte, and compares every answer. */
export class Replay {
  private readonly bound = new Map<string, string>();

  /**
   * @param headers those of the client, in its order and spelling, with the credential
   * @param token with which objects are put
   */
  constructor(
    private readonly kiln: RunningKiln,
    private readonly headers: readonly (readonly [string, string])[],
    private readonly token: string,
  ) {}

  async play(step: Step): Promise<void> {
    if ('put' in step) return this.put(step.put, step.content);
    const { method, path, body, status, answer } = step;
    const got = await this.send(method, this.known(path), body === null ? null : this.known(body));
    const actual: unknown = got.text === '' ? null : JSON.parse(got.text);
    const expected: unknown = answer === '' ? null : JSON.parse(answer);
    expect({ method, path, status: got.status, answer: actual }).toEqual({
      method,
      path,
      status,
      answer: this.resolved(expected, actual),
    });
    const type = status === 204 ? undefined : status < 400 ? 'application/json' : 'application/problem+json';
    expect(got.contentType?.split(';')[0]).toBe(type);
  }

  private async put(place: string, content: string): Promise<void> {
    const reply = await fetch(`${this.kiln.url}/artifacts/${this.known(place)}`, {
      method: 'PUT',
      headers: { 'x-auth-token': this.token },
      body: this.known(content),
    });
    expect([place, reply.status]).toEqual([place, 201]);
  }

  private send(method: string, path: string, body: string | null) {
    const { port } = new URL(this.kiln.url);
    const headers = [
      ...this.headers,
      ...(body === null
        ? []
        : [
            ['Content-Length', String(Buffer.byteLength(body))],
            ['Content-Type', 'application/json'],
          ]),
    ];
    return new Promise<{ status: number; contentType: string | undefined; text: string }>((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          // The header says what the client says; no connection outlives its answer all the same.
          agent: new Agent({ keepAlive: false }),
          port,
          method,
          path: `/apis/ims${path}`,
          headers: [`Host`, `127.0.0.1:${port}`, ...headers.flat()],
        },
        (reply) => {
          const chunks: Buffer[] = [];
          reply.on('data', (chunk: Buffer) => chunks.push(chunk));
          reply.on('error', reject);
          reply.on('end', () => {
            const contentType = reply.headers['content-type'];
            resolve({ status: reply.statusCode!, contentType, text: Buffer.concat(chunks).toString() });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body ?? undefined);
    });
  }

  /** A text of the client, with the ids that it has learnt. */
  private known(text: string): string {
    return text.replace(PLACEHOLDER, (placeholder, name: string) => this.bound.get(name) ?? placeholder);
  }

  /** What is expected, with what stands for ids and times taken from the answer where that fits. */
  private resolved(expected: unknown, actual: unknown): unknown {
    if (typeof expected === 'string') return this.resolvedText(expected, actual);
    if (Array.isArray(expected)) {
      return expected.map((element, index) => this.resolved(element, (actual as unknown[] | null)?.[index]));
    }
    if (typeof expected !== 'object' || expected === null) return expected;
    const entries = Object.entries(expected).map(([key, value]) => [
      key,
      this.resolved(value, (actual as Record<string, unknown> | null)?.[key]),
    ]);
    return Object.fromEntries(entries);
  }

  private resolvedText(expected: string, actual: unknown): string {
    const names: string[] = [];
    const pattern = expected.split(PLACEHOLDER).map((part, index) => {
      if (index % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      if (part === 'time') return TIME;
      if (part === 'any') return '.*';
      const bound = this.bound.get(part);
      if (bound !== undefined) return bound;
      if (names.includes(part)) return `\\${names.indexOf(part) + 1}`;
      names.push(part);
      return `(${UUID})`;
    });
    const match = typeof actual === 'string' ? new RegExp(`^${pattern.join('')}$`).exec(actual) : null;
    if (!match) return this.known(expected);
    names.forEach((name, index) => this.bound.set(name, match[index + 1]!));
    return match[0];
  }
}
