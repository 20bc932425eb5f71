import { RangeUnsatisfiableError } from '../../../common/errors.js';
import { RequestInvalidError } from '../glance.errors.js';

/** Bytes `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The part of a file that a request asks for; null: all of it. Old clients say it in `Content-Range`, which belongs
 * into answers.
 *
 * @throws RequestInvalidError several ranges
 * @throws RangeUnsatisfiableError the file has no such part, or the unit is not bytes
 * @see Image API v2, "Download binary image data"
 */
export function requestedRange(
  headers: { readonly range?: string; readonly 'content-range'?: string | string[] },
  sizeBytes: number,
): ByteRange | null {
  if (headers.range !== undefined) return parseRange(headers.range, sizeBytes);
  const contentRange = headers['content-range'];
  return typeof contentRange === 'string' ? parseContentRange(contentRange, sizeBytes) : null;
}

function parseRange(header: string, sizeBytes: number): ByteRange {
  if (header.includes(',')) throw new RequestInvalidError('Requests with several ranges are not supported');
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  if (!match || (match[1] === '' && match[2] === '')) throw unsatisfiable(header, sizeBytes);
  if (match[1] === '') return within(Math.max(sizeBytes - Number(match[2]), 0), sizeBytes - 1, header, sizeBytes);
  return within(Number(match[1]), match[2] === '' ? sizeBytes - 1 : Number(match[2]), header, sizeBytes);
}

function parseContentRange(header: string, sizeBytes: number): ByteRange {
  const match = /^\s*bytes\s+(\d+)-(\d+)\/(\d+|\*)\s*$/i.exec(header);
  if (!match || Number(match[2]) >= sizeBytes) throw unsatisfiable(header, sizeBytes);
  return within(Number(match[1]), Number(match[2]), header, sizeBytes);
}

/** An end behind the file's is cut. */
function within(start: number, end: number, header: string, sizeBytes: number): ByteRange {
  if (start >= sizeBytes || end < start) throw unsatisfiable(header, sizeBytes);
  return { start, end: Math.min(end, sizeBytes - 1) };
}

function unsatisfiable(header: string, sizeBytes: number): RangeUnsatisfiableError {
  return new RangeUnsatisfiableError(`The range ${header.slice(0, 100)} cannot be had of ${sizeBytes} bytes`, {
    sizeBytes,
  });
}
