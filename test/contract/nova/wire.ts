import type { RunningKiln } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';
import { clients as imageClients } from '../glance/wire.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body as it came. */
  readonly text: string;
  /** The body as JSON; undefined if it is none. */
  readonly body: any;
}

export interface Question {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is text. */
  readonly body?: unknown;
}

export const UNKNOWN_ID = '11111111-1111-4111-8111-111111111111';
export const IMAGE_NOT_FOUND = { itemNotFound: { message: 'Image not found.', code: 404 } };
export const NOTHING_THERE = { itemNotFound: { message: 'The resource could not be found.', code: 404 } };

/** The body of an error of this face. */
export function fault(name: string, code: number, message: unknown = expectText) {
  return { [name]: { message, code } };
}

/** Any text, for `toEqual`. */
const expectText = {
  asymmetricMatch: (other: unknown) => typeof other === 'string' && other !== '',
  toString: () => 'text',
};

/** Sends one request to the Compute API of a Kiln, and holds the answer against its document. The path begins below the mount. */
export async function ask(kiln: RunningKiln, method: string, path: string, question: Question = {}): Promise<Answer> {
  const { token, headers = {}, body } = question;
  const isText = body === undefined || typeof body === 'string';
  const reply = await fetch(`${kiln.url}/compute${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(token ? { 'x-auth-token': token } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: isText ? body : JSON.stringify(body),
  });
  const text = await reply.text();
  const sent = isText ? undefined : body;
  await checkDocumented(kiln, {
    method,
    path: `/compute${path}`,
    sent,
    status: reply.status,
    headers: reply.headers,
    text,
  });
  return { status: reply.status, headers: reply.headers, text, body: asJson(text) };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Image calls of a Kiln as one user sees them. Paths begin below the base. */
export class NovaClient {
  constructor(
    readonly kiln: RunningKiln,
    readonly token: string,
    private readonly base = '/v2.1',
  ) {}

  /** The same user below another base. */
  below(base: string): NovaClient {
    return new NovaClient(this.kiln, this.token, base);
  }

  send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return ask(this.kiln, method, this.base + path, { token: this.token, body, headers });
  }

  get = (path: string, headers?: Record<string, string>) => this.send('GET', path, undefined, headers);
  delete = (path: string) => this.send('DELETE', path);
  post = (path: string, body: unknown, headers?: Record<string, string>) => this.send('POST', path, body, headers);
  put = (path: string, body: unknown, headers?: Record<string, string>) => this.send('PUT', path, body, headers);

  /** The metadata of an image, which must be there. */
  async metadata(id: string): Promise<Record<string, unknown>> {
    const { status, body, text } = await this.get(`/images/${id}/metadata`);
    if (status !== 200) throw new Error(`metadata: ${status} ${text}`);
    return body.metadata;
  }

  /** The names of the images of a list. */
  async names(query = ''): Promise<string[]> {
    const { status, body, text } = await this.get(`/images/detail?${query}`);
    if (status !== 200) throw new Error(`list: ${status} ${text}`);
    return body.images.map(({ name }: { name: string }) => name);
  }
}

/** One client a user of the standard bootstrap, and those of the Image API, which makes images. */
export async function clients(kiln: RunningKiln) {
  const glance = await imageClients(kiln);
  const of = (user: keyof typeof glance) => new NovaClient(kiln, glance[user].token);
  return { glance, root: of('root'), alice: of('alice'), bob: of('bob'), rita: of('rita') };
}
