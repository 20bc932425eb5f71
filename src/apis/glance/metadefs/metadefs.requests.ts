import type { FastifyRequest } from 'fastify';
import type { SortTerm } from '../../../common/paging.js';
import {
  NAMESPACE_VISIBILITIES,
  type NamespaceQuery,
  type NamespaceSortKey,
  type TagQuery,
  type TagSortKey,
} from '../../../modules/metadefs/index.js';
import { isJsonObject, parseJsonBody } from '../../shared/requests/json-body.js';
import { AttributeReadOnlyError, QueryInvalidError, RequestInvalidError } from '../glance.errors.js';
import { type Parameters, readLimit } from '../query.js';

const NAMESPACE_SORT: Readonly<Record<string, NamespaceSortKey>> = {
  created_at: 'createdAt',
  // In the order of their making.
  id: 'createdAt',
  updated_at: 'updatedAt',
  namespace: 'name',
  display_name: 'displayName',
  owner: 'owner',
  visibility: 'visibility',
  protected: 'protected',
};
const TAG_SORT: Readonly<Record<string, TagSortKey>> = {
  created_at: 'createdAt',
  id: 'createdAt',
  updated_at: 'updatedAt',
  name: 'name',
};

/** What only the service writes in namespaces and objects, and in properties, tags and associations. */
export const WRITTEN_BY_SERVICE = ['self', 'schema', 'created_at', 'updated_at'] as const;
export const TIMES = ['created_at', 'updated_at'] as const;

/**
 * The body of a request that defines something.
 * @throws UnparsableBodyError, RequestInvalidError
 * @throws AttributeReadOnlyError it has what only the service writes; looked at before anything else
 */
export function readBody(request: FastifyRequest, readOnly: readonly string[]): Record<string, unknown> {
  const body = parseJsonBody(request.body);
  if (!isJsonObject(body)) throw new RequestInvalidError('Unexpected body type. Expected an object.');
  const found = readOnly.find((name) => Object.hasOwn(body, name));
  if (found !== undefined) throw new AttributeReadOnlyError(found);
  return body;
}

/** @throws QueryInvalidError */
export function toNamespaceQuery(parameters: Parameters): NamespaceQuery {
  const last = new Map(parameters);
  return {
    sort: [readSort(last, NAMESPACE_SORT)],
    limit: readLimit(last.get('limit')),
    marker: last.get('marker'),
    visibility: readVisibility(last),
    resourceTypes: last.get('resource_types')?.split(','),
  };
}

/** Without a limit all of them, as the reference does. @throws QueryInvalidError */
export function toTagQuery(parameters: Parameters): TagQuery {
  const last = new Map(parameters);
  return {
    sort: [readSort(last, TAG_SORT)],
    limit: last.get('limit') ? readLimit(last.get('limit')) : undefined,
    marker: last.get('marker') || undefined,
  };
}

/** Lists that have no pages take the parameters of pages all the same. @throws QueryInvalidError */
export function checkUnpagedQuery(parameters: Parameters): void {
  const last = new Map(parameters);
  if (last.has('limit') && readLimit(last.get('limit')) === 0) {
    throw new QueryInvalidError('limit param must be positive');
  }
  readDirection(last);
}

/** @throws QueryInvalidError */
export function readResourceType(parameters: Parameters): string | undefined {
  const last = new Map(parameters);
  readVisibility(last);
  return last.get('resource_type') || undefined;
}

/** As the reference's library for settings reads a boolean. */
export function isTrue(value: string | string[] | undefined): boolean {
  return typeof value === 'string' && ['1', 't', 'true', 'on', 'y', 'yes'].includes(value.trim().toLowerCase());
}

function readVisibility(last: ReadonlyMap<string, string>): NamespaceQuery['visibility'] {
  const value = last.get('visibility');
  if (!value) return undefined;
  const visibility = NAMESPACE_VISIBILITIES.find((each) => each === value);
  if (!visibility) throw new QueryInvalidError(`Invalid visibility value: ${value.slice(0, 100)}`);
  return visibility;
}

function readSort<Key extends string>(
  last: ReadonlyMap<string, string>,
  keys: Readonly<Record<string, Key>>,
): SortTerm<Key> {
  const key = last.get('sort_key') ?? 'created_at';
  if (!Object.hasOwn(keys, key)) {
    throw new QueryInvalidError(`Unsupported sort key: it must be one of ${Object.keys(keys).join(', ')}`);
  }
  return { key: keys[key]!, direction: readDirection(last) };
}

function readDirection(last: ReadonlyMap<string, string>): 'asc' | 'desc' {
  const direction = last.get('sort_dir') ?? 'desc';
  if (direction !== 'asc' && direction !== 'desc') {
    throw new QueryInvalidError(`Invalid sort direction: ${direction.slice(0, 100)}`);
  }
  return direction;
}
