import type { FastifyReply } from 'fastify';
import type { Sent } from '../shared/documents/answered.js';
import type { ListQuery } from './ims-list-query.js';

export { sendList } from '../shared/whole-list.js';

/** A page that is as large gets no further record, whatever was asked for. */
const PAGE_CHARACTERS = 4 * 1024 * 1024;

/**
 * Answers with one page of a list: the first `limit` records, or as many of them as a page may be large. The link to
 * the next page is there if there is another record.
 * @param read the list, of which so many records will be taken
 */
export async function sendPage<T extends { readonly id: string }, Wire extends object>(
  reply: FastifyReply,
  query: ListQuery,
  read: (wanted: number) => AsyncIterable<T>,
  limit: number,
  present: (record: T) => Wire,
): Promise<Sent<Wire[]>> {
  const page: string[] = [];
  let characters = 0;
  let lastId = '';
  for await (const record of read(limit + 1)) {
    if (page.length === limit || characters >= PAGE_CHARACTERS) {
      void reply.header('link', `<${query.nextPage(lastId)}>; rel="next"`);
      break;
    }
    const text = JSON.stringify(present(record));
    page.push(text);
    characters += text.length;
    lastId = record.id;
  }
  await reply.header('content-type', 'application/json; charset=utf-8').send(`[${page.join(',')}]`);
  return undefined;
}
