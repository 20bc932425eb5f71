import type { RowPage, RowQuery } from '../../../modules/provisioning/index.js';
import { OrderNotSupportedError, ParameterInvalidError } from '../foreman.errors.js';
import { isField, readSearch, type SearchFields } from '../search/search-fields.js';

/** The last value of every parameter of a query. */
export type QueryValues = ReadonlyMap<string, string>;

/** Foreman's setting `entries_per_page`, as it comes. */
const USUAL_PAGE = 20;
/** What one answer holds, whatever is asked for: clients that want everything ask for four billion. */
export const LARGEST_PAGE = 10_000;

/** What a list request asks for, and what its answer repeats of that. */
export interface ListRequest<Field extends string> {
  readonly query: RowQuery<Field>;
  readonly page: number;
  readonly perPage: number | 'all';
  readonly search: string | null;
  readonly sort: { readonly by: string | null; readonly order: string | null };
}

/**
 * Unknown parameters are ignored.
 * @throws SearchNotSupportedError, OrderNotSupportedError, ParameterInvalidError
 * @see Foreman API v2, "Query parameters"
 */
export function readListRequest<Field extends string>(
  values: QueryValues,
  fields: SearchFields<Field>,
): ListRequest<Field> {
  const page = readCount('page', values.get('page')) ?? 1;
  const perPage =
    values.get('per_page') === 'all' ? 'all' : (readCount('per_page', values.get('per_page')) ?? USUAL_PAGE);
  const search = values.get('search') ?? null;
  const [by = null, direction] = (values.get('order') ?? '').trim().split(/\s+/).filter(Boolean);
  const size = perPage === 'all' ? LARGEST_PAGE : Math.min(perPage, LARGEST_PAGE);
  return {
    query: {
      search: search === null ? null : readSearch(search, fields),
      order: by === null ? null : readOrder(by, direction, fields),
      limit: size,
      offset: Math.min((page - 1) * size, Number.MAX_SAFE_INTEGER),
    },
    page,
    perPage,
    search,
    sort: { by, order: by === null ? null : (direction ?? 'ASC') },
  };
}

/** A page on the wire. */
export function presentPage<Row>(
  { total, subtotal, rows }: RowPage<Row>,
  { page, perPage, search, sort }: ListRequest<string>,
  present: (row: Row) => object,
) {
  return {
    total,
    subtotal,
    page,
    per_page: perPage === 'all' ? total : perPage,
    search,
    sort,
    results: rows.map(present),
  };
}

/** Anything but `desc` ascends. */
function readOrder<Field extends string>(
  by: string,
  direction: string | undefined,
  fields: SearchFields<Field>,
): RowQuery<Field>['order'] {
  if (!isField(by, fields) || fields[by].many) throw new OrderNotSupportedError(by);
  return { field: by, direction: direction?.toLowerCase() === 'desc' ? 'desc' : 'asc' };
}

function readCount(name: string, value: string | undefined): number | null {
  if (value === undefined || value === '') return null;
  const count = Number(value);
  if (!/^\d+$/.test(value) || count < 1 || !Number.isSafeInteger(count)) {
    throw new ParameterInvalidError(
      name,
      value,
      name === 'page' ? 'Must be a number from 1.' : "Must be a number from 1, or 'all'.",
    );
  }
  return count;
}
