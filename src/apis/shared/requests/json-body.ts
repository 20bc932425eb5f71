import { UnparsableBodyError } from './request-errors.js';

/** Of JSON that is kept as it was given. It can be read much deeper than it can be written. */
const DEEPEST_KEPT = 100;
/** What PostgreSQL cannot hold: NUL, or half of a surrogate pair. Behind two backslashes it is text like any other. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(0000|d[89a-f])/i;

/**
 * Parses a raw body as JSON.
 * @throws UnparsableBodyError no body, not UTF-8, not JSON
 */
export function parseJsonBody(body: unknown): unknown {
  if (!Buffer.isBuffer(body) || body.length === 0) throw new UnparsableBodyError('there is none');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new UnparsableBodyError('it is not UTF-8', error);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new UnparsableBodyError((error as Error).message, error);
  }
}

/** Whether a request says or shows that it has a body. */
export function hasBody(headers: { 'content-length'?: string; 'transfer-encoding'?: string }): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** A JSON object, not a list and not null. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether objects and lists lie in each other deeper than that. Without recursion: such JSON would exhaust the stack. */
export function nestsDeeper(root: unknown, depth: number): boolean {
  let level: unknown[] = [root];
  for (let at = 0; level.length > 0; at += 1) {
    if (at > depth) return true;
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return false;
}

/** JSON as it would be kept; null: it cannot be, for how deep it nests or for its characters. */
export function storableText(value: unknown): string | null {
  if (nestsDeeper(value, DEEPEST_KEPT)) return null;
  const text = JSON.stringify(value);
  return UNSTORABLE.test(text) ? null : text;
}
