import type { FastifyRequest } from 'fastify';
import type { LogRange } from '../../../modules/jobs/index.js';
import { parseTime } from '../../shared/wire-time.js';
import { BadInputError } from '../parallelcluster.errors.js';
import { Query, quoted } from '../query.js';

/** @see CloudWatch Logs, GetLogEvents */
const MOST_EVENTS = 10_000;
/** Behind the last line of any log. */
const END = 10 ** 15 - 1;
/** What a page says of the lines behind and before it. */
const TOKEN = /^([fb])\/(\d{1,15})$/;

/** What a request for the events of a log asks for. @throws BadInputError */
export function toLogQuery({ url }: Pick<FastifyRequest, 'url'>) {
  const query = new Query(url);
  const range: LogRange = {
    place: readPlace(query),
    since: readTime(query, 'startTime'),
    until: readTime(query, 'endTime'),
  };
  if (range.since && range.until && range.since >= range.until) {
    throw new BadInputError('startTime must be before endTime');
  }
  return { region: query.text('region'), range, limit: readLimit(query) };
}

/** A token goes before the end that is named. */
function readPlace(query: Query): LogRange['place'] {
  const [fromHead, token] = [query.boolean('startFromHead') ?? false, query.text('nextToken')];
  if (token === undefined) return fromHead ? { after: 0 } : { before: END };
  const [, way, line] = TOKEN.exec(token) ?? [];
  if (way === undefined) throw new BadInputError(`${quoted(token)} is no token of this log (nextToken)`);
  return way === 'f' ? { after: Number(line) } : { before: Number(line) };
}

function readTime(query: Query, name: string): Date | null {
  const text = query.text(name);
  if (text === undefined) return null;
  const time = parseTime(text);
  if (time === null) throw new BadInputError(`${quoted(text)} is not a time of ISO 8601 (${name})`);
  return new Date(time);
}

function readLimit(query: Query): number {
  const text = query.text('limit');
  if (text === undefined) return MOST_EVENTS;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit === 0) throw new BadInputError(`${quoted(text)} is not a positive integer (limit)`);
  return Math.min(limit, MOST_EVENTS);
}
