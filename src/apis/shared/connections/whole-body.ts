import type { Readable } from 'node:stream';
import { KilnError } from '../../../common/errors.js';
import { BodyTooLargeError, BrokenBodyError, SlowBodyError } from '../requests/request-errors.js';

/** Nobody needs longer for a small document. Uploads, which may, are streams and not collected. */
const PATIENCE_MS = 60_000;

/**
 * The whole of a small body.
 * @throws BodyTooLargeError, SlowBodyError, BrokenBodyError; what still comes is unread then
 */
export async function wholeBody(payload: Readable, limitBytes: number, patienceMs = PATIENCE_MS): Promise<Buffer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new SlowBodyError(patienceMs)), patienceMs);
  });
  try {
    return await Promise.race([collect(payload, limitBytes), late]);
  } catch (error) {
    throw error instanceof KilnError ? error : new BrokenBodyError(error);
  } finally {
    clearTimeout(timer);
  }
}

async function collect(payload: Readable, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // Not destroyed when it is too long: the client must be answered, and what it still sends be read.
  for await (const chunk of payload.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new BodyTooLargeError(limitBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
