import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Sent } from './documents/answered.js';

const PIECE_CHARACTERS = 64 * 1024;

/**
 * Answers with a whole list as a bare JSON array, however long: records are taken from the source as fast as the client
 * reads, and never held together.
 */
export async function sendList<T, Wire extends object>(
  reply: FastifyReply,
  records: AsyncIterable<T>,
  present: (record: T) => Wire,
): Promise<Sent<Wire[]>> {
  const iterator = records[Symbol.asyncIterator]();
  // While nothing has been sent a failure can still be told.
  const first = await iterator.next();
  await reply
    .header('content-type', 'application/json; charset=utf-8')
    .send(Readable.from(jsonArray(first, iterator, present), { objectMode: false, highWaterMark: PIECE_CHARACTERS }));
  return undefined;
}

async function* jsonArray<T>(
  first: IteratorResult<T, unknown>,
  iterator: AsyncIterator<T>,
  present: (record: T) => object,
): AsyncGenerator<string> {
  let piece = '[';
  let separator = '';
  try {
    for (let next = first; !next.done; next = await iterator.next()) {
      piece += separator + JSON.stringify(present(next.value));
      separator = ',';
      if (piece.length >= PIECE_CHARACTERS) {
        yield piece;
        piece = '';
      }
    }
    yield `${piece}]`;
  } finally {
    // The client may have left in the middle.
    await iterator.return?.();
  }
}
