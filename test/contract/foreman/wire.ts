import pg from 'pg';
import { eventually } from '../../support/eventually.js';
import type { RunningKiln } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';
import { clients as imageClients } from '../glance/wire.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined if it is none. */
  readonly body: any;
}

/** `2026-03-09 11:04:27 UTC` */
export const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/;
export const UNKNOWN_UUID = '11111111-1111-4111-8111-111111111111';

export const notFound = (resource: string, id: string) => ({
  error: { message: `Resource ${resource} not found by id '${id}'` },
});

export const denied = (permission: string) => ({
  error: {
    message: 'Access denied',
    details: `Missing one of the required permissions: ${permission}`,
    missing_permissions: [permission],
  },
});

export function basic(login: string, secret: string): string {
  return `Basic ${Buffer.from(`${login}:${secret}`, 'utf8').toString('base64')}`;
}

/** Foreman's API as one user sees it, with its answers held against its document. Paths begin below the mount. */
export class ForemanClient {
  constructor(
    readonly kiln: RunningKiln,
    readonly authorization: string | null,
    private readonly mount = '/foreman',
  ) {}

  get = (path: string, headers?: Record<string, string>) => this.send('GET', path, undefined, headers);
  post = (path: string, body: unknown, headers?: Record<string, string>) => this.send('POST', path, body, headers);
  put = (path: string, body: unknown, headers?: Record<string, string>) => this.send('PUT', path, body, headers);
  delete = (path: string, body?: unknown) => this.send('DELETE', path, body);

  /** @param body JSON, unless it is text */
  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const reply = await fetch(`${this.kiln.url}${this.mount}${path}`, {
      method,
      headers: {
        ...(this.authorization === null ? {} : { authorization: this.authorization }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await reply.text();
    await checkDocumented(this.kiln, {
      method,
      path: this.mount + path,
      sent: typeof body === 'string' ? undefined : body,
      status: reply.status,
      headers: reply.headers,
      text,
    });
    return { status: reply.status, headers: reply.headers, text, body: asJson(text) };
  }

  /** The rows of a list, which must be there. */
  async list(path: string, query: Record<string, string> = {}): Promise<any[]> {
    const { status, body, text } = await this.get(`${path}?${new URLSearchParams(query).toString()}`);
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
    return body.results;
  }

  /** The number of the row that a search finds. */
  async idOf(path: string, search: string): Promise<number> {
    const [row] = await this.list(path, { search });
    if (!row) throw new Error(`${path}: nothing is ${search}`);
    return row.id;
  }

  /** As a request that must make something. */
  async create(path: string, body: unknown): Promise<any> {
    const reply = await this.post(path, body);
    if (reply.status !== 201) throw new Error(`${path}: ${reply.status} ${reply.text}`);
    return reply.body;
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What a request gets that must wait for another change: that one is made, the request sent, and the change committed once the
 * request waits for it, or was answered already.
 */
export async function answeredAfter(
  kiln: RunningKiln,
  [change, ...values]: readonly [string, ...unknown[]],
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const [changer, watcher] = [1, 2].map(() => new pg.Client({ connectionString: kiln.databaseUrl }));
  try {
    await Promise.all([changer!.connect(), watcher!.connect()]);
    await changer!.query('BEGIN');
    await changer!.query(change, values);
    const asking = ask();
    const waiting = eventually(async () => {
      const { rowCount } = await watcher!.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rowCount! > 0;
    });
    await Promise.race([asking, waiting]);
    await changer!.query('COMMIT');
    const answer = await asking;
    await waiting;
    return answer;
  } finally {
    await Promise.all([changer!.end(), watcher!.end()]);
  }
}

/** One client a user of the standard bootstrap, nobody, and those of the Image API, which makes images. */
export async function clients(kiln: RunningKiln) {
  const of = (user: string) => new ForemanClient(kiln, basic(user, `s3cret-${user}`));
  return {
    glance: await imageClients(kiln),
    root: of('root'),
    alice: of('alice'),
    bob: of('bob'),
    rita: of('rita'),
    nobody: new ForemanClient(kiln, null),
  };
}

/** What every fresh deployment has, by number. */
export async function given(client: ForemanClient) {
  return {
    kiln: await client.idOf('/api/compute_resources', 'name = Kiln'),
    debian: await client.idOf('/api/operatingsystems', 'title = "Debian 12"'),
    rocky: await client.idOf('/api/operatingsystems', 'title = "Rocky 9"'),
    x86: await client.idOf('/api/architectures', 'name = x86_64'),
    arm: await client.idOf('/api/architectures', 'name = aarch64'),
  };
}
