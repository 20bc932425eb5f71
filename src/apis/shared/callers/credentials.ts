import type { FastifyRequest } from 'fastify';

/** The token of a request: `X-Auth-Token`, `X-Storage-Token` or `Authorization: Bearer`; null when it brings none. */
export function tokenOf(request: FastifyRequest): string | null {
  const header = request.headers['x-auth-token'] ?? request.headers['x-storage-token'];
  if (typeof header === 'string' && header.trim() !== '') return header.trim();
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '');
  return bearer?.[1] ?? null;
}
