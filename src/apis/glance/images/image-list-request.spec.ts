import { describe, expect, it } from '@jest/globals';
import type { Image } from '../../../modules/images/index.js';
import { parseParameters } from '../query.js';
import { presentImagePage, toImageQuery } from './image-list-request.js';

const query = (text: string) => toImageQuery(parseParameters(`/image/v2/images?${text}`));
const filter = (text: string) => query(text).filter;
const sort = (text: string) => query(text).sort.map(({ key, direction }) => `${key} ${direction}`);
const refused = (text: string) => expect(() => query(text)).toThrow(expect.objectContaining({ kind: 'invalid' }));

describe('paging', () => {
  it.each([
    ['', 25],
    ['limit=0', 0],
    ['limit=7', 7],
    ['limit=1000', 1000],
    ['limit=99999999999999999999', 1000],
  ])('reads %j as a limit of %d', (text, limit) => {
    expect(query(text).limit).toBe(limit);
  });

  it.each(['limit=-1', 'limit=', 'limit=a', 'limit=1.5', 'limit=%00'])('refuses %s', refused);

  it('takes the marker as it is', () => {
    expect(query('marker=whatever').marker).toBe('whatever');
  });
});

describe('the order', () => {
  it.each([
    ['', ['createdAt desc', 'id desc']],
    ['sort=name', ['name desc', 'createdAt desc', 'id desc']],
    ['sort=name:asc', ['name asc', 'createdAt asc', 'id asc']],
    ['sort=name:asc,size:desc', ['name asc', 'sizeBytes desc', 'createdAt desc', 'id desc']],
    ['sort=id:asc', ['id asc', 'createdAt asc']],
    ['sort=name:asc,name:desc', ['name asc', 'createdAt desc', 'id desc']],
    ['sort_dir=asc', ['createdAt asc', 'id asc']],
    ['sort_key=name&sort_key=status&sort_dir=asc', ['name asc', 'status asc', 'createdAt asc', 'id asc']],
    ['sort_key=name&sort_key=size', ['name desc', 'sizeBytes desc', 'createdAt desc', 'id desc']],
    [
      'sort_key=disk_format&sort_key=container_format&sort_dir=asc&sort_dir=desc',
      ['diskFormat asc', 'containerFormat desc', 'createdAt desc', 'id desc'],
    ],
  ])('of %j', (text, expected) => {
    expect(sort(text)).toEqual(expected);
  });

  it.each([
    'sort=owner',
    'sort=',
    'sort=name:up',
    'sort=name:asc:desc',
    'sort=__proto__',
    'sort=name:asc&sort_key=size',
    'sort=name:asc&sort_dir=asc',
    'sort_key=min_ram',
    'sort_dir=upwards',
    'sort_key=name&sort_dir=asc&sort_dir=desc',
    'sort_dir=asc&sort_dir=asc',
  ])('refuses %s', refused);
});

describe('texts', () => {
  it.each([
    ['name=a', ['a']],
    ['name=', ['']],
    ['name=eq:a', ['a']],
    ['name=eq:foo:bar', ['foo:bar']],
    ['name=in:a,b', ['a', 'b']],
    ['name=in:a,"b,c",d', ['a', 'b,c', 'd']],
    ['name=in:"say%20\\"hi\\"",x', ['say "hi"', 'x']],
    ['name=in:a,,b', ['a', '', 'b']],
    ['name=in:', ['']],
    ['name=a&name=b', ['b']],
    ['name=a+b%2Bc', ['a b+c']],
  ])('reads %s', (text, names) => {
    expect(filter(text).names).toEqual(names);
  });

  it.each([
    'name=foo:bar',
    'name=neq:a',
    'status=gt:active',
    'name=in:"a',
    'name=in:a"b"',
    'name=in:"a"b',
    'name=in:"a" ,b',
    'disk_format=x:raw',
    'id=:a',
  ])('refuses %s', refused);

  it('knows which columns take operators', () => {
    expect(
      filter(
        'id=in:1,2&status=active&disk_format=in:raw,qcow2&container_format=eq:bare&owner=a:b&checksum=c&os_hash_value=h',
      ),
    ).toMatchObject({
      ids: ['1', '2'],
      statuses: ['active'],
      diskFormats: ['raw', 'qcow2'],
      containerFormats: ['bare'],
      owner: 'a:b',
      md5: 'c',
      hashValue: 'h',
    });
  });
});

describe('times', () => {
  const at = (text: string) => new Date(text);

  it.each([
    ['2026-01-02T03:04:05Z', { from: at('2026-01-02T03:04:05Z'), before: at('2026-01-02T03:04:06Z') }],
    ['eq:2026-01-02T03:04:05', { from: at('2026-01-02T03:04:05Z'), before: at('2026-01-02T03:04:06Z') }],
    [
      'neq:2026-01-02T03:04:05Z',
      { from: at('2026-01-02T03:04:05Z'), before: at('2026-01-02T03:04:06Z'), outside: true },
    ],
    ['gt:2026-01-02T03:04:05Z', { from: at('2026-01-02T03:04:06Z') }],
    ['gte:2026-01-02T03:04:05Z', { from: at('2026-01-02T03:04:05Z') }],
    ['lt:2026-01-02T03:04:05Z', { before: at('2026-01-02T03:04:05Z') }],
    ['lte:2026-01-02T03:04:05Z', { before: at('2026-01-02T03:04:06Z') }],
    ['gt:2026-01-02T03:04:05.5Z', { from: at('2026-01-02T03:04:06Z') }],
    ['gte:2026-01-02T03:04:05.5Z', { from: at('2026-01-02T03:04:06Z') }],
    ['lt:2026-01-02T03:04:05.5Z', { before: at('2026-01-02T03:04:06Z') }],
    ['lte:2026-01-02T03:04:05.5Z', { before: at('2026-01-02T03:04:06Z') }],
    ['gte:2026-01-02T03:04:05%2B02:00', { from: at('2026-01-02T01:04:05Z') }],
    ['gte:2026-01-02T03:04:05+02:00', { from: at('2026-01-02T01:04:05Z') }],
    ['gte:2026-01-02T03:04:05-0230', { from: at('2026-01-02T05:34:05Z') }],
    ['gte:2026-01-02', { from: at('2026-01-02T00:00:00Z') }],
  ])('reads %s', (text, range) => {
    expect(filter(`created_at=${text}`).createdAt).toEqual([range]);
    expect(filter(`updated_at=${text}`).updatedAt).toEqual([range]);
  });

  it('matches nothing with a time that no image can show', () => {
    const [range] = filter('created_at=2026-01-02T03:04:05.5Z').createdAt!;

    expect(range!.from).toEqual(range!.before);
  });

  it.each([
    'yesterday',
    'in:2026-01-02T03:04:05Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-02T25:00:00Z',
    '0000-01-01T00:00:00Z',
    'gt:',
    '',
    '2026-01-02T03:04:05%2B99:00',
  ])('refuses %j', (text) => refused(`created_at=${text}`));
});

describe('other filters', () => {
  it('shows only what is not hidden unless told', () => {
    expect([filter('').hidden, filter('os_hidden=TRUE').hidden, filter('os_hidden=false').hidden]).toEqual([
      false,
      true,
      false,
    ]);
  });

  it.each([
    'os_hidden=1',
    'os_hidden=',
    'protected=True',
    'protected=1',
    'changes-since=2026-01-01',
    'visibility=secret',
  ])('refuses %s', refused);

  it.each(['member_status=maybe', 'size_min=big', 'size_max=', 'min_ram=1.5', 'min_disk=x', 'size=1e3'])(
    'refuses %s',
    refused,
  );

  it('takes bounds on every numeric column, and all of them together', () => {
    expect(filter('size_min=5&size_max=9&min_ram=4&min_disk_min=1&virtual_size_max=7')).toMatchObject({
      sizeBytes: { minimum: 5, maximum: 9 },
      minRamMib: { minimum: 4, maximum: 4 },
      minDiskGib: { minimum: 1 },
      virtualSizeBytes: { maximum: 7 },
    });
    expect(filter('size=7&size_min=9').sizeBytes).toEqual({ minimum: 9, maximum: 7 });
  });

  it('takes every tag, and the last of any other repeated parameter', () => {
    expect(filter('tag=a&tag=b&os_distro=x&os_distro=y')).toMatchObject({
      tags: ['a', 'b'],
      properties: { os_distro: 'y' },
    });
  });

  it('takes any other name for a custom property', () => {
    const { properties } = filter('__proto__=1&constructor=2&foo_min=3&deleted=true');

    expect(Object.entries(properties!)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
      ['foo_min', '3'],
    ]);
  });

  it.each(['name=%FF', '%FF=1', 'a=%zz', 'tag=a%00'])('refuses %s, which is no text', refused);

  it('asks for what visibility grants, and for shared images that were accepted', () => {
    expect(query('').scope).toEqual({ kind: 'visible', visibility: undefined, memberStatus: 'accepted' });
    expect(query('visibility=community&member_status=all').scope).toEqual({
      kind: 'visible',
      visibility: 'community',
      memberStatus: 'all',
    });
  });
});

describe('links', () => {
  const image = (id: string) =>
    ({
      id,
      properties: {},
      storeIds: [],
      tags: [],
      createdAt: new Date(0),
      updatedAt: new Date(0),
    }) as unknown as Image;
  const page = (text: string, images: Image[], limit: number, isCut = false) =>
    presentImagePage({ images, isCut }, parseParameters(`/image/v2/images${text}`), limit);

  it('keep every parameter in its order, form-encoded, with the marker at the end', () => {
    const { first, next } = page(`?tag=b&sort=name:asc,size&marker=m&tag=a+c&limit=1&n=(~*')`, [image('x')], 1);

    expect(first).toBe('/v2/images?tag=b&sort=name%3Aasc%2Csize&tag=a+c&limit=1&n=%28~%2A%27%29');
    expect(next).toBe(`${first}&marker=x`);
  });

  it('stand alone without parameters', () => {
    expect(page('', [image('x')], 1)).toMatchObject({ first: '/v2/images', next: '/v2/images?marker=x' });
  });

  it('lead on exactly from a full page', () => {
    expect(page('', [image('x')], 2)).not.toHaveProperty('next');
    expect(page('', [], 0)).not.toHaveProperty('next');
  });

  it('lead on from a page that ends for its size', () => {
    expect(page('', [image('x')], 2, true)).toMatchObject({ next: '/v2/images?marker=x' });
  });
});
