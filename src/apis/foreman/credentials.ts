import type { FastifyRequest } from 'fastify';
import { tokenOf } from '../shared/callers/credentials.js';

/** What a request brings to show whose it is. */
export type ForemanCredentials =
  | { readonly kind: 'basic'; readonly login: string; readonly secret: string }
  | { readonly kind: 'token'; readonly token: string };

/** HTTP Basic, or what every face takes; null: nothing. */
export function credentialsOf(request: FastifyRequest): ForemanCredentials | null {
  const encoded = /^Basic\s+([A-Za-z0-9+/=_-]*)\s*$/i.exec(request.headers.authorization ?? '')?.[1];
  if (encoded !== undefined) {
    const [login = '', ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
    // No user and no password has a zero character; the database would not even look for one.
    if (!`${login}${secret.join(':')}`.includes('\0')) return { kind: 'basic', login, secret: secret.join(':') };
    return { kind: 'basic', login: '', secret: '' };
  }
  const token = tokenOf(request);
  return token === null ? null : { kind: 'token', token };
}
