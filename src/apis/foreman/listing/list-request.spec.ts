import { describe, expect, it } from '@jest/globals';
import { OrderNotSupportedError, ParameterInvalidError } from '../foreman.errors.js';
import type { SearchFields } from '../search/search-fields.js';
import { LARGEST_PAGE, presentPage, readListRequest } from './list-request.js';

const FIELDS: SearchFields<'id' | 'name' | 'location'> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
  location: { type: 'text', many: true },
};
const read = (values: Record<string, string>) => readListRequest(new Map(Object.entries(values)), FIELDS);

describe('readListRequest', () => {
  it('has defaults for everything', () => {
    expect(read({})).toEqual({
      query: { search: null, order: null, limit: 20, offset: 0 },
      page: 1,
      perPage: 20,
      search: null,
      sort: { by: null, order: null },
    });
  });

  it.each([
    [
      { page: '3', per_page: '7' },
      { limit: 7, offset: 14 },
    ],
    [
      { per_page: 'all', page: '3' },
      { limit: LARGEST_PAGE, offset: 2 * LARGEST_PAGE },
    ],
    [{ per_page: '4294967296' }, { limit: LARGEST_PAGE, offset: 0 }],
    [
      { per_page: '4294967296', page: '2' },
      { limit: LARGEST_PAGE, offset: LARGEST_PAGE },
    ],
    [
      { per_page: '4294967296', page: String(Number.MAX_SAFE_INTEGER) },
      { limit: LARGEST_PAGE, offset: Number.MAX_SAFE_INTEGER },
    ],
    [
      { page: '', per_page: '' },
      { limit: 20, offset: 0 },
    ],
  ])('cuts %j', (values, cut) => {
    expect(read(values).query).toMatchObject(cut);
  });

  it.each([
    ['name', { by: 'name', order: 'ASC' }, 'asc'],
    ['name DESC', { by: 'name', order: 'DESC' }, 'desc'],
    ['name desc', { by: 'name', order: 'desc' }, 'desc'],
    ['  name   down  ', { by: 'name', order: 'down' }, 'asc'],
  ])('orders by %j', (order, sort, direction) => {
    const request = read({ order });

    expect(request.sort).toEqual(sort);
    expect(request.query.order).toEqual({ field: 'name', direction });
  });

  it.each(['Name', 'created_at', 'name,id', 'name, id', 'location', 'constructor'])('refuses the order %s', (order) => {
    expect(() => read({ order })).toThrow(OrderNotSupportedError);
  });

  it.each([
    ['page', '0'],
    ['page', '-1'],
    ['page', 'x'],
    ['page', 'all'],
    ['page', '1.5'],
    ['per_page', '0'],
    ['per_page', 'ALL'],
    ['per_page', '99999999999999999999'],
  ])('refuses the %s %s', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(ParameterInvalidError);
  });
});

describe('presentPage', () => {
  it('repeats how many were asked for, also where an answer holds fewer', () => {
    const page = presentPage({ total: 3, subtotal: 3, rows: [] }, read({ per_page: '4294967296' }), (row) => row);

    expect(page).toMatchObject({ per_page: 4_294_967_296 });
  });

  it('repeats what was asked for, and counts', () => {
    const request = read({ search: '', order: 'name DESC', per_page: 'all' });

    expect(presentPage({ total: 3, subtotal: 2, rows: [1, 2] }, request, (id) => ({ id }))).toEqual({
      total: 3,
      subtotal: 2,
      page: 1,
      per_page: 3,
      search: '',
      sort: { by: 'name', order: 'DESC' },
      results: [{ id: 1 }, { id: 2 }],
    });
  });
});
