import { formatQuery, type Parameters } from '../shared/requests/query-string.js';
import { QueryInvalidError } from './glance.errors.js';

export { type Parameters, parseParameters } from '../shared/requests/query-string.js';

const DEFAULT_LIMIT = 25;
const LARGEST_LIMIT = 1000;

/** A path with a query, as links of lists have it. */
export function link(path: string, parameters: Parameters): string {
  return parameters.length === 0 ? path : `${path}?${formatQuery(parameters)}`;
}

/** How many a page has. @throws QueryInvalidError */
export function readLimit(value: string | undefined): number {
  if (value === undefined) return DEFAULT_LIMIT;
  if (!/^\d+$/.test(value)) throw new QueryInvalidError('limit param must be an integer of 0 or more');
  return Math.min(Number(value), LARGEST_LIMIT);
}

/** The links of a page: to the first one and, if this one is full, to the next. */
export function pageLinks(
  path: string,
  parameters: Parameters,
  page: readonly { readonly id: string }[],
  limit: number,
): { first: string; next?: string } {
  const kept = parameters.filter(([name]) => name !== 'marker');
  const marker = page.at(-1)?.id;
  const first = link(path, kept);
  return marker !== undefined && page.length === limit
    ? { first, next: link(path, [...kept, ['marker', marker]]) }
    : { first };
}
