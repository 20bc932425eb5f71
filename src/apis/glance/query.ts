import { QueryInvalidError } from './glance.errors.js';

const DEFAULT_LIMIT = 25;
const LARGEST_LIMIT = 1000;

/** The parameters of a query in their order; a name may come more than once. */
export type Parameters = readonly (readonly [name: string, value: string])[];

/**
 * Reads a query string, of which links repeat every parameter in its order.
 * @throws QueryInvalidError it is not UTF-8, or has a character that no value can have
 */
export function parseParameters(url: string): Parameters {
  const start = url.indexOf('?');
  if (start === -1) return [];
  return url
    .slice(start + 1)
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.split('=');
      return [decode(name), decode(value.join('='))] as const;
    });
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text.replaceAll('+', ' '));
  } catch (error) {
    throw new QueryInvalidError('The query is not percent-encoded UTF-8', {}, { cause: error });
  }
  if (decoded.includes('\0')) throw new QueryInvalidError('The query contains a NUL character');
  return decoded;
}

/** A path with a query, as links of lists have it. */
export function link(path: string, parameters: Parameters): string {
  const query = parameters.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`).join('&');
  return query === '' ? path : `${path}?${query}`;
}

/** How many a page has. @throws QueryInvalidError */
export function readLimit(value: string | undefined): number {
  if (value === undefined) return DEFAULT_LIMIT;
  if (!/^\d+$/.test(value)) throw new QueryInvalidError('limit param must be an integer of 0 or more');
  return Math.min(Number(value), LARGEST_LIMIT);
}

function formEncode(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
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
