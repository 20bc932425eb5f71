import type { RunningKiln } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body as it came. */
  readonly text: string;
  /** The body as JSON; undefined if it is none. */
  readonly body: any;
}

export interface Question {
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is bytes or text. */
  readonly body?: unknown;
}

/** Sends one request to the Image API of a Kiln, and holds the answer against its document. The path begins below the mount. */
export async function ask(kiln: RunningKiln, method: string, path: string, question: Question = {}): Promise<Answer> {
  const { token, headers = {}, body } = question;
  const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  const reply = await fetch(`${kiln.url}/image${path}`, {
    method,
    redirect: 'manual',
    headers: { ...(token ? { 'x-auth-token': token } : {}), ...headers },
    body: (raw ? body : JSON.stringify(body)) as NonNullable<Parameters<typeof fetch>[1]>['body'],
  });
  const text = await reply.text();
  const sent = raw ? undefined : body;
  await checkDocumented(kiln, {
    method,
    path: `/image${path}`,
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

/** The Image API of a Kiln as one user sees it. */
export class Client {
  constructor(
    readonly kiln: RunningKiln,
    readonly token: string,
  ) {}

  ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return ask(this.kiln, method, path, { token: this.token, body, headers });
  }

  /** Creates an image, which must succeed. */
  async create(body: object = {}): Promise<any> {
    const answer = await this.ask('POST', '/v2/images', body);
    if (answer.status !== 201) throw new Error(`create: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  /** Creates an image with data, which must succeed. */
  async createWithData(data: Uint8Array, body: object = {}): Promise<any> {
    const image = await this.create({ disk_format: 'raw', container_format: 'bare', ...body });
    const answer = await this.upload(image.id, data);
    if (answer.status !== 204) throw new Error(`upload: ${answer.status} ${answer.text}`);
    return (await this.show(image.id)).body;
  }

  show(id: string): Promise<Answer> {
    return this.ask('GET', `/v2/images/${id}`);
  }

  patch(id: string, body: unknown, minor = 1): Promise<Answer> {
    return this.ask('PATCH', `/v2/images/${id}`, body, {
      'content-type': `application/openstack-images-v2.${minor}-json-patch`,
    });
  }

  upload(id: string, data: Uint8Array | string, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('PUT', `/v2/images/${id}/file`, data, { 'content-type': 'application/octet-stream', ...headers });
  }

  /** The names of the images of a list. */
  async names(query = ''): Promise<string[]> {
    const answer = await this.ask('GET', `/v2/images?${query}`);
    if (answer.status !== 200) throw new Error(`list: ${answer.status} ${answer.text}`);
    return answer.body.images.map((image: { name: string }) => image.name);
  }
}

/** One client a user of the standard bootstrap. */
export async function clients(kiln: RunningKiln) {
  const of = async (user: string) => new Client(kiln, await kiln.token(user));
  const [root, alice, bob, rita] = await Promise.all([of('root'), of('alice'), of('bob'), of('rita')]);
  return { root: root, alice: alice, bob: bob, rita: rita };
}
