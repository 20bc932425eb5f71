import type { StatusTable, WireReply } from './face.js';

/** Of the faces that are Kiln's own and have no reference to follow. */
export const OWN_STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  gone: 410,
  too_large: 413,
  quota_exceeded: 413,
  rate_limited: 429,
  unsupported: 415,
  range_unsatisfiable: 416,
  unprocessable: 422,
  unavailable: 503,
} as const satisfies StatusTable;

/** A problem document (RFC 9457) as an answer. */
export function problemReply(
  status: number,
  title: string,
  detail: string,
  more: { headers?: Record<string, string>; members?: Record<string, unknown> } = {},
): WireReply {
  return {
    status,
    contentType: 'application/problem+json',
    body: JSON.stringify({ status, title, detail, ...more.members }),
    headers: more.headers,
  };
}

/** `Allow` of an answer 405. */
export function allowHeader(details: Readonly<Record<string, unknown>>): Record<string, string> {
  return Array.isArray(details.allow) ? { allow: details.allow.join(', ') } : {};
}
