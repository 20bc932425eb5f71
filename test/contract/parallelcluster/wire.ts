import { createHash, createHmac, randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';
import { stringify } from 'yaml';
import { type RunningKiln, STANDARD_BOOTSTRAP } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';
import { ImsClient } from '../ims/wire.js';

/** A name of four labels, of which the third is the region: what the reference's client signs for. */
export const HOST = 'kiln.execute-api.us-east-1.localhost';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; undefined if it is none. */
  readonly body: any;
}

export interface Question {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless it is text. */
  readonly body?: unknown;
}

/** Sends one request just as it is told, and holds the answer against the document. The path begins below the mount. */
export async function ask(kiln: RunningKiln, method: string, path: string, question: Question = {}): Promise<Answer> {
  const answer = await send(kiln, method, path, question);
  const { status, headers, text } = answer;
  await checkDocumented(kiln, {
    method,
    path: `/parallelcluster${path}`,
    sent: typeof question.body === 'string' ? undefined : question.body,
    status,
    headers: new Headers({ 'content-type': String(headers['content-type'] ?? '') }),
    text,
  });
  return answer;
}

function send(kiln: RunningKiln, method: string, path: string, question: Question): Promise<Answer> {
  const { body, headers = {} } = question;
  const text = textOf(body);
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(kiln.url);
    const sent = httpRequest({
      hostname,
      port,
      method,
      path: `/parallelcluster${path}`,
      headers: { host: HOST, ...headers },
    });
    sent.on('error', reject);
    sent.on('response', (reply) => {
      const chunks: Buffer[] = [];
      reply.on('data', (chunk: Buffer) => chunks.push(chunk));
      reply.on('error', reject);
      reply.on('end', () => {
        const found = Buffer.concat(chunks).toString();
        resolve({ status: reply.statusCode!, headers: reply.headers, text: found, body: asJson(found) });
      });
    });
    if (text !== undefined) sent.setHeader('content-length', Buffer.byteLength(text));
    sent.end(text);
  });
}

function textOf(body: unknown): string | undefined {
  return body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export interface KeyPair {
  readonly access: string;
  readonly secret: string;
}

/** What may be wrong about a signature. */
export interface SigningOptions {
  readonly at?: Date;
  readonly region?: string;
  readonly service?: string;
  readonly sessionToken?: string;
  /** Headers beside host and date, which are signed. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The headers of a request that AWS's own library has signed. */
export async function signedHeaders(
  key: KeyPair,
  method: string,
  path: string,
  body: unknown,
  options: SigningOptions = {},
): Promise<Record<string, string>> {
  const { region = 'us-east-1', service = 'execute-api', sessionToken, at = new Date(), headers = {} } = options;
  const signer = new SignatureV4({
    credentials: { accessKeyId: key.access, secretAccessKey: key.secret, sessionToken },
    region,
    service,
    sha256: Sha256,
    applyChecksum: false,
  });
  const url = new URL(`http://${HOST}/parallelcluster${path}`);
  const query: Record<string, string[]> = {};
  for (const [name, value] of url.searchParams) query[name] = [...(query[name] ?? []), value];
  const signed = await signer.sign(
    {
      method,
      protocol: 'http:',
      hostname: HOST,
      path: url.pathname,
      query,
      headers: { host: HOST, ...headers },
      body: textOf(body),
    },
    { signingDate: at },
  );
  return signed.headers;
}

/** The hash that the library is given to sign with. */
class Sha256 {
  private readonly hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.hash = secret === undefined ? createHash('sha256') : createHmac('sha256', asBytes(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.hash.update(asBytes(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.hash.digest();
  }

  reset(): void {
    throw new Error('one hash for one text');
  }
}

function asBytes(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** The API of a Kiln as one key sees it. Paths begin below `/v3/images`. */
export class Client {
  constructor(
    readonly kiln: RunningKiln,
    readonly key: KeyPair,
    private readonly base = '/v3/images',
  ) {}

  /** The same key in the dialect of the preview. */
  get preview(): Client {
    return new Client(this.kiln, this.key, '/preview/v3/images');
  }

  async send(method: string, path: string, body?: unknown, options: SigningOptions = {}): Promise<Answer> {
    const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = await signedHeaders(this.key, method, this.base + path, body, options);
    return ask(this.kiln, method, this.base + path, { headers: { ...json, ...headers }, body });
  }

  get = (path: string, options?: SigningOptions) => this.send('GET', path, undefined, options);
  delete = (path: string) => this.send('DELETE', path);
  build = (body: unknown, query = '') => this.send('POST', `/custom${query}`, body);
}

/** The standard bootstrap with a key for everybody. The secret of `x` is `signs-x`. */
export const SIGNING_BOOTSTRAP = {
  ...STANDARD_BOOTSTRAP,
  users: STANDARD_BOOTSTRAP.users.map((user) => ({
    ...user,
    access_keys: [{ ...keyOf(user.name), project: user.roles[0]!.project }],
  })),
};

export function keyOf(user: string): KeyPair {
  return { access: `AK${user.toUpperCase()}`, secret: `signs-${user}` };
}

/** One client a user of the bootstrap. */
export function clients(kiln: RunningKiln) {
  const of = (user: string) => new Client(kiln, keyOf(user));
  return { root: of('root'), alice: of('alice'), bob: of('bob'), rita: of('rita') };
}

export const amiOf = (id: string) => `ami-${id.replaceAll('-', '').slice(0, 17)}`;

/** The AMI id of a new image with a root file system. */
export async function aParent(kiln: RunningKiln, user: string): Promise<string> {
  const [ims, token, folder] = [new ImsClient(kiln), await kiln.token(user), randomUUID()];
  const path = await ims.upload('boot-images', `${folder}/rootfs`, 'a root file system', token);
  const type = 'application/vnd.cray.image.rootfs.squashfs';
  const manifest = { version: '1.0', artifacts: [{ link: { path, etag: '', type: 's3' }, type }] };
  const link = await ims.upload('boot-images', `${folder}/manifest.json`, JSON.stringify(manifest), token);
  const { status, body } = await ims.post(
    '/v3/images',
    { name: 'parent', link: { path: link, etag: '', type: 's3' } },
    token,
  );
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return amiOf(body.id);
}

/** A configuration of a build of that parent, with which nothing is wrong. */
export function configurationOf(parent: string, build: object = {}, more: object = {}): string {
  return stringify({ Build: { InstanceType: 'm6i.large', ParentImage: parent, ...build }, ...more });
}
