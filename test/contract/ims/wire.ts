import type { RunningKiln } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';

/** An answer of the IMS face; `body` is its JSON, or its text when it is none. */
export interface ImsAnswer {
  readonly status: number;
  readonly headers: Headers;

  readonly body: any;
}

/** Sentences of the API description that clients search for. */
export const NO_INPUT =
  'No input provided. Determine the specific information that is missing or invalid and then re-run the request with valid information.';
export const NOT_FOUND = 'Requested resource does not exist. Re-run request with valid ID.';
export const INVALID_FIELDS =
  'Input data was understood, but failed validation. Re-run request with valid input values for the fields indicated in the response.';

export const UNKNOWN_ID = '11111111-1111-4111-8111-111111111111';
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A client of the IMS face: `ims.get('/v3/recipes', alice)`. */
export class ImsClient {
  constructor(private readonly kiln: Pick<RunningKiln, 'url'>) {}

  get = (path: string, token?: string) => this.send('GET', path, token);
  delete = (path: string, token?: string) => this.send('DELETE', path, token);
  post = (path: string, body: unknown, token?: string) => this.send('POST', path, token, body);
  patch = (path: string, body: unknown, token?: string) => this.send('PATCH', path, token, body);

  /** @param body JSON, unless `contentType` says otherwise: then text as it is */
  async send(
    method: string,
    path: string,
    token?: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<ImsAnswer> {
    const json = body !== undefined && headers['content-type'] === undefined;
    const reply = await fetch(`${this.kiln.url}/apis/ims${path}`, {
      method,
      headers: {
        ...(token ? { 'x-auth-token': token } : {}),
        ...(json ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : json ? JSON.stringify(body) : (body as string),
    });
    const text = await reply.text();
    await checkDocumented(this.kiln, {
      method,
      path: `/apis/ims${path}`,
      sent: json ? body : undefined,
      status: reply.status,
      headers: reply.headers,
      text,
    });
    return { status: reply.status, headers: reply.headers, body: parse(text) };
  }

  /** Puts an object where records can link to it. Returns its address. */
  async upload(bucket: string, key: string, bytes: string | Uint8Array, token: string): Promise<string> {
    const reply = await fetch(`${this.kiln.url}/artifacts/${bucket}/${key}`, {
      method: 'PUT',
      headers: { 'x-auth-token': token },
      body: bytes,
    });
    if (reply.status !== 201) throw new Error(`PUT answered ${reply.status}: ${await reply.text()}`);
    return `s3://${bucket}/${key}`;
  }
}

/** A problem document of the IMS face. */
export function problem(status: number, title: string, detail: unknown) {
  return { status, title, detail };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
