import type { RunningKiln } from '../../support/kiln.js';
import { checkDocumented } from '../../support/openapi.js';

/** An answer as a client sees it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; whoever reads it says what must be there. */
  readonly body: any;
}

export interface Asking {
  readonly token?: string;
  readonly subject?: string;
  readonly json?: unknown;
  readonly raw?: string;
  readonly headers?: Record<string, string>;
}

/** Asks the identity face, and holds the answer against its document. @param path below its mount */
export async function ask(kiln: RunningKiln, method: string, path: string, asking: Asking = {}): Promise<Answer> {
  const reply = await fetch(`${kiln.url}/identity${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(asking.token === undefined ? {} : { 'x-auth-token': asking.token }),
      ...(asking.subject === undefined ? {} : { 'x-subject-token': asking.subject }),
      ...(asking.json === undefined ? {} : { 'content-type': 'application/json' }),
      ...asking.headers,
    },
    body: asking.json === undefined ? asking.raw : JSON.stringify(asking.json),
  });
  const text = await reply.text();
  const { status, headers } = reply;
  await checkDocumented(kiln, { method, path: `/identity${path}`, sent: asking.json, status, headers, text });
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return { status: reply.status, headers: reply.headers, text, body };
}

const DOMAIN = { id: 'default' };

/** A body that signs a user in with a password. */
export function byPassword(name: string, scope?: unknown, password = `s3cret-${name}`) {
  return {
    auth: {
      identity: { methods: ['password'], password: { user: { name, domain: DOMAIN, password } } },
      ...(scope === undefined ? {} : { scope }),
    },
  };
}

/** The scope of a project by name. */
export function project(name: string) {
  return { project: { name, domain: { name: 'Default' } } };
}

/** An error in Keystone's form. */
export function errorOf(code: number, title: string, message: unknown) {
  return { error: { code, title, message } };
}
