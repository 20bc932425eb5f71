import type { Image, ImageFilter, ImagePage, ImageQuery } from '../../../modules/images/index.js';
import { formatQuery, type Parameters } from '../../shared/requests/query-string.js';
import { parseTime, SECOND_MS } from '../../shared/wire-time.js';
import { QueryInvalidError } from '../nova.errors.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const LARGEST_LIMIT = 1000;
const PROPERTY_PREFIX = 'property-';

/** What is read of the query, beside `property-…`. */
export const LIST_PARAMETERS = [
  'limit',
  // Of the right form, and without any effect.
  'page_size',
  'marker',
  'name',
  'status',
  'minRam',
  'minDisk',
  'changes-since',
  'server',
  'type',
] as const;

/**
 * What a list request asks for; unknown parameters are ignored.
 * @throws QueryInvalidError
 * @see Compute API reference, "List Images"
 */
export function toImageQuery(parameters: Parameters): ImageQuery {
  const last = new Map(parameters);
  for (const [name, value] of parameters) if (name === 'limit' || name === 'page_size') checkCount(name, value);
  return {
    scope: { kind: 'visible', memberStatus: 'accepted' },
    filter: readFilter(last),
    sort: [{ key: 'createdAt', direction: 'desc' }],
    // 0 stands for no limit.
    limit: Math.min(Number(last.get('limit') ?? 0) || LARGEST_LIMIT, LARGEST_LIMIT),
    marker: last.get('marker'),
  };
}

/** A page on the wire. A full one has a link to the next, which is empty if that was all. */
export function presentImagePage<Wire extends object>(
  { images, isCut }: ImagePage,
  present: (image: Image) => Wire,
  parameters: Parameters,
  { limit }: ImageQuery,
  address: string,
) {
  const marker = images.at(-1)?.id;
  const isFull = marker !== undefined && (isCut || images.length === limit);
  return {
    images: images.map(present),
    ...(isFull ? { images_links: [{ rel: 'next', href: nextPage(parameters, marker, address) }] } : {}),
  };
}

function nextPage(parameters: Parameters, marker: string, address: string): string {
  const names = [...new Set(parameters.map(([name]) => name))].sort();
  const values = new Map(parameters);
  const query = new Map(names.map((name) => [name, values.get(name)!]));
  return `${address}?${formatQuery([...query.set('marker', marker)])}`;
}

function readFilter(last: ReadonlyMap<string, string>): ImageFilter {
  const filter: Mutable<ImageFilter> = { hidden: false };
  const properties: [string, string][] = [];
  for (const [name, value] of last) {
    if (name === 'name') filter.names = [value];
    // Of the image, not of this API: what is shown as SAVING may be queued, and is then not found by that word.
    else if (name === 'status') filter.statuses = [value.toLowerCase()];
    else if (name === 'minRam') filter.minRamMib = equalTo(name, value);
    else if (name === 'minDisk') filter.minDiskGib = equalTo(name, value);
    else if (name === 'changes-since') filter.updatedAt = [{ from: readTime(name, value) }];
    else if (name === 'server') properties.push(['instance_uuid', value.slice(value.lastIndexOf('/') + 1)]);
    else if (name === 'type') properties.push(['image_type', value]);
    else if (name.startsWith(PROPERTY_PREFIX)) properties.push([name.slice(PROPERTY_PREFIX.length), value]);
  }
  if (properties.length > 0) filter.properties = Object.fromEntries(properties);
  // No image has two values of one property.
  if (properties.some(([name, value]) => new Map(properties).get(name) !== value)) filter.ids = [];
  return filter;
}

function checkCount(name: string, value: string): void {
  if (!/^\d+$/.test(value)) throw new QueryInvalidError(name, value, 'It must be an integer of 0 or more.');
}

function equalTo(name: string, value: string) {
  if (!/^-?\d+$/.test(value)) throw new QueryInvalidError(name, value, 'It must be an integer.');
  return { minimum: Number(value), maximum: Number(value) };
}

/** Times are shown in whole seconds, so they are compared in whole seconds. */
function readTime(name: string, value: string): Date {
  const time = parseTime(value);
  if (time === null) throw new QueryInvalidError(name, value, 'It must be an ISO 8601 time.');
  return new Date(Math.ceil(time / SECOND_MS) * SECOND_MS);
}
