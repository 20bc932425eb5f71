import type { FastifyReply } from 'fastify';
import type { Sent } from '../shared/documents/answered.js';
import type { ListQuery } from './ims-list-query.js';

export { sendList } from '../shared/whole-list.js';

/** Answers with one page; `records` holds one more than asked for if there is a next one. */
export async function sendPage<T extends { readonly id: string }, Wire extends object>(
  reply: FastifyReply,
  query: ListQuery,
  records: readonly T[],
  limit: number,
  present: (record: T) => Wire,
): Promise<Sent<Wire[]>> {
  const page = records.slice(0, limit);
  if (records.length > limit) void reply.header('link', `<${query.nextPage(page.at(-1)!.id)}>; rel="next"`);
  await reply.send(page.map(present));
  return undefined;
}
