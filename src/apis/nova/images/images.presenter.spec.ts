import { describe, expect, it } from '@jest/globals';
import type { Image } from '../../../modules/images/index.js';
import { ComputeLinks } from '../compute-links.js';
import { parseComputePath } from '../compute-path.js';
import { presentImage, presentMetadata } from './images.presenter.js';

const ADDRESS = 'https://kiln.example.org';
const ID = '0f3c1c54-6f53-4a41-9d9b-0a2c5f3f8b11';
const links = (path: string) => new ComputeLinks(ADDRESS, parseComputePath(path));
const present = (changes: Partial<Image>) =>
  presentImage(
    {
      id: ID,
      name: 'debian-13',
      status: 'active',
      minDiskGib: 3,
      minRamMib: 512,
      sizeBytes: 358_612_992,
      properties: {},
      createdAt: new Date('2026-03-01T09:30:00.123Z'),
      updatedAt: new Date('2026-03-01T09:31:12.999Z'),
      ...changes,
    } as Image,
    links('/compute/v2.1/images/detail'),
  );

describe('an image', () => {
  it('is what the reference shows', () => {
    expect(present({ properties: { os_distro: 'debian', auto_disk_config: 'True' } })).toEqual({
      id: ID,
      name: 'debian-13',
      status: 'ACTIVE',
      progress: 100,
      minDisk: 3,
      minRam: 512,
      'OS-EXT-IMG-SIZE:size': 358_612_992,
      'OS-DCF:diskConfig': 'AUTO',
      created: '2026-03-01T09:30:00Z',
      updated: '2026-03-01T09:31:12Z',
      metadata: { os_distro: 'debian', auto_disk_config: 'True' },
      links: [
        { rel: 'self', href: `${ADDRESS}/compute/v2.1/images/${ID}` },
        { rel: 'bookmark', href: `${ADDRESS}/compute/images/${ID}` },
        { rel: 'alternate', type: 'application/vnd.openstack.image', href: `${ADDRESS}/image/images/${ID}` },
      ],
    });
  });

  it.each([
    ['queued', 'SAVING', 25],
    ['saving', 'SAVING', 50],
    ['uploading', 'UNKNOWN', 0],
    ['importing', 'UNKNOWN', 0],
    ['active', 'ACTIVE', 100],
    ['deactivated', 'UNKNOWN', 0],
    ['pending_delete', 'DELETED', 0],
    ['killed', 'ERROR', 0],
    ['deleted', 'DELETED', 0],
  ] as const)('that is %s is %s at %d', (status, word, progress) => {
    expect(present({ status })).toMatchObject({ status: word, progress });
  });

  it.each([
    ['True', 'AUTO'],
    ['1', 'AUTO'],
    [' yes ', 'AUTO'],
    ['Y', 'AUTO'],
    ['on', 'AUTO'],
    ['T', 'AUTO'],
    ['False', 'MANUAL'],
    ['', 'MANUAL'],
    ['2', 'MANUAL'],
  ])('of auto_disk_config %j has the disk configuration %s', (text, word) => {
    expect(present({ properties: { auto_disk_config: text } })).toMatchObject({ 'OS-DCF:diskConfig': word });
  });

  it('names its server by an address that is one', () => {
    expect(present({ properties: { instance_uuid: 'a b/c' } })).toMatchObject({
      server: { id: 'a b/c', links: [{ href: `${ADDRESS}/compute/v2.1/servers/a%20b%2Fc` }, { rel: 'bookmark' }] },
    });
    expect(present({ properties: { instance_uuid: '' } })).not.toHaveProperty('server');
  });
});

describe('links', () => {
  it.each([
    ['/compute/v2/images', 'v2/images/a', 'images/a'],
    ['/compute/v2.1/abc/images', 'v2.1/abc/images/a', 'abc/images/a'],
    ['/compute/%762.1/images', 'v2.1/images/a', 'images/a'],
  ])('of what was asked at %s keep base and project', (path, self, bookmark) => {
    const [first, second] = links(path).ofImage('a');

    expect([first!.href, second!.href]).toEqual([`${ADDRESS}/compute/${self}`, `${ADDRESS}/compute/${bookmark}`]);
  });
});

describe('metadata', () => {
  it.each([
    ['[{"a":1}]', [{ a: 1 }]],
    ['null', null],
    ['no JSON', 'no JSON'],
    [`${'['.repeat(40)}${']'.repeat(40)}`, `${'['.repeat(40)}${']'.repeat(40)}`],
  ])('of structure %.20s is shown as structure where it is one', (text, shown) => {
    expect(presentMetadata({ mappings: text, other: text })).toEqual({ mappings: shown, other: text });
  });
});
