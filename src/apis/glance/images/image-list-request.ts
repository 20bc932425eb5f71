import type { SortTerm } from '../../../common/paging.js';
import {
  type Image,
  type ImageFilter,
  type ImagePage,
  type ImageQuery,
  type ImageScope,
  type ImageSortKey,
  MEMBER_STATUSES,
  type NumberRange,
  type TimeRange,
  VISIBILITIES,
} from '../../../modules/images/index.js';
import { parseTime, SECOND_MS } from '../../shared/wire-time.js';
import { QueryInvalidError } from '../glance.errors.js';
import { pageLinks, type Parameters, readLimit } from '../query.js';
import { presentImage } from './images.presenter.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const SORT_KEYS: Readonly<Record<string, ImageSortKey>> = {
  name: 'name',
  status: 'status',
  container_format: 'containerFormat',
  disk_format: 'diskFormat',
  size: 'sizeBytes',
  id: 'id',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};
const TEXT_FILTERS = {
  id: 'ids',
  name: 'names',
  status: 'statuses',
  disk_format: 'diskFormats',
  container_format: 'containerFormats',
} as const;
const EQUAL_FILTERS = {
  owner: 'owner',
  checksum: 'md5',
  os_hash_algo: 'hashAlgorithm',
  os_hash_value: 'hashValue',
} as const;
const NUMBER_FILTERS = {
  size: 'sizeBytes',
  virtual_size: 'virtualSizeBytes',
  min_disk: 'minDiskGib',
  min_ram: 'minRamMib',
} as const;
const TIME_FILTERS = { created_at: 'createdAt', updated_at: 'updatedAt' } as const;
const TIME_OPERATORS = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'] as const;

/** Not filters, or read elsewhere; `deleted` has no effect. */
const NOT_FILTERS: ReadonlySet<string> = new Set([
  'limit',
  'marker',
  'sort',
  'sort_key',
  'sort_dir',
  'visibility',
  'member_status',
  'tag',
  'deleted',
]);

/** What is read of the query, beside custom properties by their names. */
export const LIST_PARAMETERS = [
  ...NOT_FILTERS,
  'os_hidden',
  'protected',
  ...Object.keys({ ...TEXT_FILTERS, ...EQUAL_FILTERS, ...TIME_FILTERS }),
  ...Object.keys(NUMBER_FILTERS).flatMap((name) => [name, `${name}_min`, `${name}_max`]),
];

/**
 * What a list request asks for.
 * @throws QueryInvalidError
 * @see Image API v2, "List images"
 */
export function toImageQuery(parameters: Parameters): ImageQuery {
  const last = new Map(parameters);
  return {
    scope: readScope(last),
    filter: readFilter(parameters, last),
    sort: readSort(parameters, last),
    limit: readLimit(last.get('limit')),
    marker: last.get('marker'),
  };
}

/** A page on the wire, with the links by which clients walk the list. */
export function presentImagePage(
  { images, isCut }: ImagePage,
  parameters: Parameters,
  limit: number,
  present: (image: Image) => ReturnType<typeof presentImage> = (image) => presentImage(image),
) {
  return {
    images: images.map((image) => present(image)),
    ...pageLinks('/v2/images', parameters, images, isCut ? images.length : limit),
    schema: '/v2/schemas/images',
  };
}

function readScope(last: ReadonlyMap<string, string>): ImageScope {
  const visibility = last.get('visibility');
  const memberStatus = last.get('member_status') ?? 'accepted';
  return {
    kind: 'visible',
    visibility:
      visibility === undefined ? undefined : oneOf('visibility', visibility, [...VISIBILITIES, 'all'] as const),
    memberStatus: oneOf('member_status', memberStatus, [...MEMBER_STATUSES, 'all'] as const),
  };
}

function oneOf<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((each) => each === value);
  if (found === undefined) throw new QueryInvalidError(`Invalid ${name} value: it must be one of ${values.join(', ')}`);
  return found;
}

function readSort(parameters: Parameters, last: ReadonlyMap<string, string>): SortTerm<ImageSortKey>[] {
  const all = (name: string): string[] => parameters.filter(([each]) => each === name).map(([, value]) => value);
  const sort = last.get('sort');
  const keys = all('sort_key');
  const directions = all('sort_dir');
  if (sort !== undefined) {
    if (keys.length > 0 || directions.length > 0) {
      throw new QueryInvalidError('Old and new sorting syntax cannot be combined');
    }
    const terms = sort.split(',').map((term) => {
      const [key = '', direction = 'desc', ...more] = term.trim().split(':');
      if (more.length > 0) throw new QueryInvalidError(`Invalid sort term: ${term.slice(0, 100)}`);
      return { key: sortKey(key), direction: sortDirection(direction) };
    });
    return withTies(terms, terms.length === 1 ? terms[0]!.direction : 'desc');
  }
  const wanted = (keys.length > 0 ? keys : ['created_at']).map(sortKey);
  const given = directions.map(sortDirection);
  if (given.length > 1 && given.length !== wanted.length) {
    throw new QueryInvalidError('Number of sort dirs does not match the number of sort keys');
  }
  const single = given.length > 1 ? null : (given[0] ?? 'desc');
  return withTies(
    wanted.map((key, index) => ({ key, direction: single ?? given[index]! })),
    single ?? 'desc',
  );
}

/** What is equal in all that was asked for is ordered by creation and id, so that the order is total. */
function withTies(terms: SortTerm<ImageSortKey>[], direction: 'asc' | 'desc'): SortTerm<ImageSortKey>[] {
  // Only the first mention of a key can matter.
  const distinct = terms.filter(({ key }, index) => terms.findIndex((term) => term.key === key) === index);
  for (const key of ['createdAt', 'id'] as const) {
    if (!distinct.some((term) => term.key === key)) distinct.push({ key, direction });
  }
  return distinct;
}

function sortKey(key: string): ImageSortKey {
  if (!Object.hasOwn(SORT_KEYS, key)) {
    throw new QueryInvalidError(`Unsupported sort key: it must be one of ${Object.keys(SORT_KEYS).join(', ')}`);
  }
  return SORT_KEYS[key]!;
}

function sortDirection(direction: string): 'asc' | 'desc' {
  if (direction !== 'asc' && direction !== 'desc') throw new QueryInvalidError('Sort direction must be asc or desc');
  return direction;
}

function readFilter(parameters: Parameters, last: ReadonlyMap<string, string>): ImageFilter {
  const filter: Mutable<ImageFilter> = { hidden: false };
  const properties: [string, string][] = [];
  const tags = parameters.filter(([name]) => name === 'tag').map(([, value]) => value);
  if (tags.length > 0) filter.tags = tags;
  for (const [name, value] of last) {
    if (!NOT_FILTERS.has(name) && !readKnownFilter(filter, name, value)) properties.push([name, value]);
  }
  if (properties.length > 0) filter.properties = Object.fromEntries(properties);
  return filter;
}

/** Whether the name is that of a filter on what every image has. */
function readKnownFilter(filter: Mutable<ImageFilter>, name: string, value: string): boolean {
  const range = /^(.+)_(min|max)$/.exec(name);
  if (name === 'changes-since') throw new QueryInvalidError('The changes-since filter is no longer available on v2');
  if (name === 'os_hidden') filter.hidden = boolean(name, value.toLowerCase());
  else if (name === 'protected') filter.protected = boolean(name, value);
  else if (has(TEXT_FILTERS, name)) filter[TEXT_FILTERS[name]] = textValues(name, value);
  else if (has(TIME_FILTERS, name)) filter[TIME_FILTERS[name]] = [timeRange(name, value)];
  else if (has(EQUAL_FILTERS, name)) filter[EQUAL_FILTERS[name]] = value;
  else if (has(NUMBER_FILTERS, name)) {
    narrow(filter, NUMBER_FILTERS[name], { minimum: number(name, value), maximum: number(name, value) });
  } else if (range && has(NUMBER_FILTERS, range[1]!)) {
    const bound = number(name, value);
    narrow(filter, NUMBER_FILTERS[range[1]], range[2] === 'min' ? { minimum: bound } : { maximum: bound });
  } else return false;
  return true;
}

function has<T extends object>(table: T, name: PropertyKey): name is keyof T {
  return Object.hasOwn(table, name);
}

/** All conditions on one column hold together. */
function narrow(
  filter: Mutable<ImageFilter>,
  column: (typeof NUMBER_FILTERS)[keyof typeof NUMBER_FILTERS],
  { minimum, maximum }: NumberRange,
): void {
  const present = filter[column] ?? {};
  filter[column] = {
    minimum: minimum === undefined ? present.minimum : Math.max(minimum, present.minimum ?? -Infinity),
    maximum: maximum === undefined ? present.maximum : Math.min(maximum, present.maximum ?? Infinity),
  };
}

function boolean(name: string, value: string): boolean {
  if (value !== 'true' && value !== 'false')
    throw new QueryInvalidError(`Invalid value for ${name}: it must be true or false`);
  return value === 'true';
}

function number(name: string, value: string): number {
  if (!/^[+-]?\d+$/.test(value.trim())) throw new QueryInvalidError(`Invalid value for ${name}: it must be a number`);
  return Number(value);
}

/** `value`, `eq:value` or `in:a,b,"c,d"`. A value with a colon needs the operator in front. */
function textValues(name: string, value: string): string[] {
  const colon = value.indexOf(':');
  if (colon === -1) return [value];
  const operand = value.slice(colon + 1);
  switch (value.slice(0, colon)) {
    case 'eq':
      return [operand];
    case 'in':
      return splitValues(name, operand);
    default:
      throw new QueryInvalidError(
        `Unable to filter on ${name} by an unknown operator; use eq:<value> for a value with a colon`,
      );
  }
}

/** Values between commas; those in double quotes may hold commas, and quotes behind a backslash. */
function splitValues(name: string, list: string): string[] {
  const values: string[] = [];
  let rest = list;
  for (;;) {
    const quoted = /^"((?:\\"|[^"])*)"(,|$)/.exec(rest);
    const plain = /^([^",]*)(,|$)/.exec(rest);
    const match = quoted ?? plain;
    if (!match) throw new QueryInvalidError(`Invalid filter value for ${name}: misplaced quotes`);
    values.push(quoted ? match[1]!.replaceAll('\\"', '"') : match[1]!);
    if (match[2] === '') return values;
    rest = rest.slice(match[0].length);
  }
}

/**
 * `[operator:]time`. Times are shown in whole seconds, so they are compared in whole seconds: what is shown as a time
 * is equal to it.
 */
function timeRange(name: string, value: string): TimeRange {
  const colon = value.indexOf(':');
  const prefix = value.slice(0, Math.max(colon, 0));
  const operator = TIME_OPERATORS.find((each) => each === prefix);
  const time = parseTime(operator === undefined ? value : value.slice(colon + 1));
  if (time === null)
    throw new QueryInvalidError(`Invalid value for ${name}: it must be [operator:]time with an ISO 8601 time`);
  const second = new Date(Math.ceil(time / SECOND_MS) * SECOND_MS);
  const next = new Date(Math.floor(time / SECOND_MS) * SECOND_MS + SECOND_MS);
  // A time within a second equals no whole second: then both bounds are the same, and the range is empty.
  switch (operator ?? 'eq') {
    case 'eq':
      return { from: second, before: next };
    case 'neq':
      return { from: second, before: next, outside: true };
    case 'gt':
      return { from: next };
    case 'gte':
      return { from: second };
    case 'lt':
      return { before: second };
    case 'lte':
      return { before: next };
  }
}
