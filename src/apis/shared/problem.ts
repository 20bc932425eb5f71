import type { WireReply } from './face.js';

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
