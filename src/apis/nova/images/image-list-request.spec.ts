import { describe, expect, it } from '@jest/globals';
import type { Image } from '../../../modules/images/index.js';
import { parseParameters } from '../../shared/requests/query-string.js';
import { presentImagePage, toImageQuery } from './image-list-request.js';

const query = (text: string) => toImageQuery(parseParameters(`/compute/v2.1/images?${text}`));

describe('a list request', () => {
  it.each([
    ['', 1000],
    ['limit=0', 1000],
    ['limit=7', 7],
    ['limit=1000', 1000],
    ['limit=5000', 1000],
    [`limit=${'9'.repeat(400)}`, 1000],
    ['limit=7&limit=8', 8],
    ['page_size=3', 1000],
  ])('of %.30j is for at most %d', (text, limit) => {
    expect(query(text).limit).toBe(limit);
  });

  it.each([
    ['name=a:b', { names: ['a:b'] }],
    ['status=ACTIVE', { statuses: ['active'] }],
    ['minRam=5&minDisk=6', { minRamMib: { minimum: 5, maximum: 5 }, minDiskGib: { minimum: 6, maximum: 6 } }],
    ['server=http://x/servers/u', { properties: { instance_uuid: 'u' } }],
    ['server=u/', { properties: { instance_uuid: '' } }],
    ['type=snapshot&property-a=1', { properties: { image_type: 'snapshot', a: '1' } }],
    ['property-__proto__=1', { properties: Object.fromEntries([['__proto__', '1']]) }],
    ['type=snapshot&property-image_type=backup', { properties: { image_type: 'backup' }, ids: [] }],
    ['changes-since=2026-03-01T09:31:12.5Z', { updatedAt: [{ from: new Date('2026-03-01T09:31:13Z') }] }],
    ['tag=a&os_hidden=true&owner=x', {}],
  ])('of %j filters by %j', (text, filter) => {
    expect(query(text).filter).toEqual({ hidden: false, ...filter });
  });

  it.each([
    'limit=a',
    'limit=-1',
    'limit=',
    'limit=1.5',
    'limit=a&limit=1',
    'page_size=x',
    'minRam=',
    'changes-since=x',
  ])('of %j is refused', (text) => {
    expect(() => query(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});

describe('a page', () => {
  const images = ['a', 'b'].map((id) => ({ id }) as Image);
  const page = (text: string, isCut = false) => {
    const parameters = parseParameters(`/?${text}`);
    return presentImagePage(
      { images, isCut },
      ({ id }) => ({ id }),
      parameters,
      toImageQuery(parameters),
      'http://k/images',
    );
  };

  it('that ends for its size has a link to the next', () => {
    expect(page('limit=9', true).images_links).toEqual([{ rel: 'next', href: 'http://k/images?limit=9&marker=b' }]);
  });

  it('that is full has a link to the next', () => {
    expect(page('name=x&limit=2&a=%C3%A4%26&limit=2')).toEqual({
      images: [{ id: 'a' }, { id: 'b' }],
      images_links: [{ rel: 'next', href: 'http://k/images?a=%C3%A4%26&limit=2&name=x&marker=b' }],
    });
    expect(page('name=x&marker=z&limit=2').images_links).toEqual([
      { rel: 'next', href: 'http://k/images?limit=2&marker=b&name=x' },
    ]);
  });

  it('that is not full has none', () => {
    for (const text of ['', 'limit=0', 'limit=3']) expect(page(text)).not.toHaveProperty('images_links');
  });
});
