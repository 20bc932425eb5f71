import { describe, expect, it } from '@jest/globals';
import { Image } from '../../../modules/images/index.js';
import { parsePatch, patchDialect, toUpdateImage, type PatchDialect } from './image-patch.js';

const image = Object.assign(new Image(), {
  id: 'an-id',
  status: 'active',
  tags: [],
  properties: Object.fromEntries([
    ['os_distro', 'debian'],
    ['kiln_job_id', 'j'],
  ]),
});

const FORMATS = { disk: ['raw', 'qcow2'], container: ['bare'] };

const update = (dialect: PatchDialect, ...changes: unknown[]) =>
  toUpdateImage(parsePatch(changes, dialect, FORMATS), image, dialect);

function kindOf(work: () => unknown): string {
  try {
    work();
    return 'done';
  } catch (error) {
    return (error as { kind: string }).kind;
  }
}

const op = (operation: string, path: unknown, value?: unknown) =>
  value === undefined ? { op: operation, path } : { op: operation, path, value };

describe('the media type', () => {
  it.each([
    ['application/openstack-images-v2.1-json-patch', 'v2.1'],
    ['application/openstack-images-v2.0-json-patch', 'v2.0'],
    ['Application/OpenStack-images-v2.1-json-patch; charset=utf-8', 'v2.1'],
    ['application/json-patch+json', null],
    ['application/json', null],
    ['application/openstack-images-v2.2-json-patch', null],
    [undefined, null],
  ])('%s is %s', (type, dialect) => {
    expect(patchDialect(type)).toBe(dialect);
  });
});

describe('what a change may be', () => {
  it.each([
    [{}, 'invalid'],
    ['text', 'invalid'],
    [null, 'invalid'],
    [[1], 'invalid'],
    [[[]], 'invalid'],
    [[{ op: 'move', path: '/name', value: 'x' }], 'invalid'],
    [[{ path: '/name', value: 'x' }], 'invalid'],
    [[{ op: 'add', path: '/name' }], 'invalid'],
    [[{ op: 'add', value: 'x' }], 'invalid'],
    [[{ op: 'add', path: 7, value: 'x' }], 'invalid'],
  ])('%j: %s', (body, kind) => {
    expect(kindOf(() => parsePatch(body, 'v2.1', FORMATS))).toBe(kind);
  });

  it.each([
    [[{ replace: '/name', value: 'x' }], 'done'],
    [[{ replace: '/name', remove: '/foo', value: 'x' }], 'invalid'],
    [[{ op: 'replace', path: '/name', value: 'x' }], 'invalid'],
    [[{ add: '/foo' }], 'invalid'],
  ])('in the older form %j: %s', (body, kind) => {
    expect(kindOf(() => parsePatch(body, 'v2.0', FORMATS))).toBe(kind);
  });
});

describe('paths', () => {
  it.each(['name', '', '/a//b', '///name', '/name/', '//', '/a~b', '/a~', '/a~2', '/tags/-', '/a/b'])(
    'refuses %j',
    (path) => {
      expect(kindOf(() => update('v2.1', op('add', path, 'x')))).toBe('invalid');
    },
  );

  it.each([
    ['/name', { name: 'x' }],
    ['//name', { name: 'x' }],
    ['/a~1b~0c', { setProperties: { 'a/b~c': 'x' } }],
    ['/a~01', { setProperties: { 'a~1': 'x' } }],
  ])('reads %j', (path, expected) => {
    expect(update('v2.1', op('add', path, 'x'))).toMatchObject(expected);
  });
});

describe('targets', () => {
  const readOnly = [
    'id',
    'status',
    'size',
    'virtual_size',
    'checksum',
    'os_hash_algo',
    'os_hash_value',
    'created_at',
    'updated_at',
    'direct_url',
    'self',
    'file',
    'schema',
    'stores',
    'location',
    'locations',
    'deleted',
    'deleted_at',
    'os_glance_import_task',
  ];
  const cases = readOnly.flatMap((name) => ['add', 'replace', 'remove'].map((operation) => [operation, name] as const));

  it.each(cases)('%s /%s is forbidden', (operation, name) => {
    expect(kindOf(() => update('v2.1', op(operation, `/${name}`, 'x')))).toBe('forbidden');
  });

  it.each([
    'name',
    'owner',
    'tags',
    'visibility',
    'protected',
    'os_hidden',
    'disk_format',
    'container_format',
    'min_disk',
  ])('remove /%s is forbidden', (name) => {
    expect(kindOf(() => update('v2.1', op('remove', `/${name}`)))).toBe('forbidden');
  });

  it.each([
    ['v2.1', op('add', '/name', 'x'), 'done'],
    ['v2.0', { add: '/name', value: 'x' }, 'conflict'],
    ['v2.1', op('replace', '/name', 'x'), 'done'],
    ['v2.1', op('add', '/os_distro', 'x'), 'done'],
    ['v2.0', { add: '/os_distro', value: 'x' }, 'conflict'],
    ['v2.0', { add: '/os_version', value: 'x' }, 'done'],
    ['v2.1', op('replace', '/os_distro', 'x'), 'done'],
    ['v2.1', op('remove', '/os_distro'), 'done'],
    ['v2.1', op('replace', '/missing', 'x'), 'conflict'],
    ['v2.1', op('remove', '/missing'), 'conflict'],
    ['v2.1', op('remove', '/constructor'), 'conflict'],
    ['v2.1', op('replace', '/__proto__', 'x'), 'conflict'],
  ] as const)('%s %j: %s', (dialect, change, kind) => {
    expect(kindOf(() => update(dialect, change))).toBe(kind);
  });

  it.each([
    ['/name', 5],
    ['/name', 'x'.repeat(256)],
    ['/name', 'a\0b'],
    ['/name', '\ud800'],
    ['/visibility', 'secret'],
    ['/protected', 'true'],
    ['/os_hidden', 1],
    ['/min_disk', '5'],
    ['/min_disk', -1],
    ['/min_ram', 2 ** 31],
    ['/min_ram', 1.5],
    ['/min_ram', null],
    ['/disk_format', 'zip'],
    ['/tags', 'a'],
    ['/tags', ['a', 5]],
    ['/tags', ['x'.repeat(256)]],
    ['/owner', {}],
    ['/custom', 5],
    ['/custom', null],
    ['/custom', 'a\0b'],
    ['/kernel_id', 'x'],
    ['/cinder_encryption_key_deletion_policy', 'sometimes'],
  ])('refuses %s the value %j', (path, value) => {
    expect(kindOf(() => update('v2.1', op('replace', path, value)))).toBe('invalid');
  });
});

describe('several changes', () => {
  it('are applied in their order', () => {
    expect(
      update(
        'v2.1',
        op('add', '/a', '1'),
        op('replace', '/a', '2'),
        op('remove', '/os_distro'),
        op('add', '/b', '1'),
        op('remove', '/b'),
        op('replace', '/name', 'x'),
        op('replace', '/name', 'y'),
      ),
    ).toEqual({ name: 'y', setProperties: { a: '2' }, removeProperties: ['os_distro', 'b'] });
  });

  it('see what those before them did', () => {
    expect(kindOf(() => update('v2.1', op('remove', '/os_distro'), op('replace', '/os_distro', 'x')))).toBe('conflict');
  });

  it('leave an image without an owner where its name is empty', () => {
    expect(update('v2.1', op('replace', '/owner', ''))).toEqual({ projectId: null });
  });

  it('may be none', () => {
    expect(update('v2.1')).toEqual({});
  });

  it('leave names such as __proto__ what they are', () => {
    const { setProperties } = update('v2.1', op('add', '/__proto__', 'x'));

    expect(Object.entries(setProperties!)).toEqual([['__proto__', 'x']]);
  });
});
