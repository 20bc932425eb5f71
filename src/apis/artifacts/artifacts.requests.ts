import type { IncomingHttpHeaders } from 'node:http';
import { InvalidError, RangeUnsatisfiableError } from '../../common/errors.js';
import type { Address } from '../../modules/artifacts/index.js';
import type { FastifyRequest } from 'fastify';
import { parseParameters } from '../shared/requests/query-string.js';
import { RouteNotFoundError } from '../shared/requests/request-errors.js';

/** Bytes `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A path whose percent signs stand for nothing. */
class UndecodablePathError extends InvalidError {
  override readonly code = 'artifacts.undecodable_path';
  constructor() {
    super('The path is not percent-encoded UTF-8');
  }
}

/** A checksum header that is none. */
class MalformedChecksumError extends InvalidError {
  override readonly code = 'artifacts.malformed_checksum';
  constructor() {
    super('Content-MD5 must be the base64 text of 16 bytes');
  }
}

/** A part cannot be put in its place, and must not be taken for the whole. */
class PartOfObjectError extends InvalidError {
  override readonly code = 'artifacts.part_of_object';
  constructor() {
    super('Content-Range is not taken: an object is put whole');
  }
}

/**
 * The address in `/artifacts/<bucket>/<key>`. Bucket and key are decoded once; what is in the key then is text, so `..`
 * and `//` mean nothing.
 *
 * @param url as the request has it, with its query
 */
export function addressOf(url: string): Address {
  const match = /^\/artifacts\/([^/?]*)\/([^?]*)/.exec(url);
  if (!match) throw new RouteNotFoundError(url);
  try {
    return { bucket: decodeURIComponent(match[1]!), key: decodeURIComponent(match[2]!) };
  } catch {
    throw new UndecodablePathError();
  }
}

/**
 * What makes the address of a GET a link that Kiln signed; null: it is none.
 * @throws UnreadableQueryError
 */
export function linkOf({ method, url }: Pick<FastifyRequest, 'method' | 'url'>) {
  const parameters = new Map(parseParameters(url));
  const [expires, signature] = [parameters.get('expires'), parameters.get('signature')];
  return method === 'GET' && expires !== undefined && signature !== undefined ? { expires, signature } : null;
}

/**
 * @throws PartOfObjectError
 * @see RFC 9110 §14.5
 */
export function refusePart(headers: IncomingHttpHeaders): void {
  if (headers['content-range'] !== undefined) throw new PartOfObjectError();
}

/** The announced md5 in hexadecimal; undefined when there is none. @see RFC 1864 */
export function announcedMd5(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[A-Za-z0-9+/]{22}==$/.test(header)) throw new MalformedChecksumError();
  return Buffer.from(header, 'base64').toString('hex');
}

/**
 * The part of a file that `Range` asks for; null: all of it, also for forms that need not be understood.
 * @throws RangeUnsatisfiableError the file has no such part
 * @see RFC 9110 §14.2
 */
export function requestedRange(header: string | undefined, sizeBytes: number): ByteRange | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const [first, last] = [match[1]!, match[2]!];
  const start = first === '' ? Math.max(sizeBytes - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  if (start >= sizeBytes) {
    throw new RangeUnsatisfiableError(`The object has ${sizeBytes} bytes and not the range asked for`, { sizeBytes });
  }
  return { start, end };
}
