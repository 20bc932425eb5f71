import { describe, expect, it } from '@jest/globals';
import { mediaTypeOf, readManifest, roleOf, typedEntries, writeManifest } from './manifest.js';

describe('roleOf', () => {
  it.each([
    ['application/vnd.cray.image.rootfs.squashfs', 'rootfs'],
    ['application/vnd.cray.image.rootfs.squashfs.zstd', 'rootfs'],
    ['application/vnd.cray.image.kernel', 'kernel'],
    ['application/vnd.cray.image.kernel.more', 'other'],
    ['application/vnd.cray.image.initrd', 'initrd'],
    ['application/vnd.cray.image.parameters.boot', 'boot_parameters'],
    ['application/vnd.cray.image.debug.kernel', 'debug_kernel'],
    ['application/vnd.kiln.image.disk.qcow2', 'disk'],
    ['text/plain', 'other'],
    ['', 'other'],
  ])('takes %j for %s', (type, role) => {
    expect(roleOf(type)).toBe(role);
  });
});

describe('writeManifest', () => {
  it('writes what can be read again', () => {
    const parts = (['rootfs', 'kernel', 'initrd', 'boot_parameters', 'debug_kernel'] as const).map((role) => ({
      type: mediaTypeOf(role),
      path: `s3://boot-images/x/${role}`,
      md5: '0f343b0931126a20f133d67c2b018a3b',
    }));
    const text = writeManifest(new Date('2031-05-04T10:20:30.456Z'), parts);

    expect(JSON.parse(text)).toMatchObject({ version: '1.0', created: '2031-05-04 10:20:30' });
    const entries = typedEntries('s3://b/m', readManifest('s3://b/m', Buffer.from(text)));
    expect(entries.map(({ type, path, md5 }) => ({ type, path, md5 }))).toEqual(parts);
  });

  it('names the format of a disk in its type', () => {
    expect(mediaTypeOf('disk', 'qcow2')).toBe('application/vnd.kiln.image.disk.qcow2');
    expect(mediaTypeOf('disk')).toBe('application/vnd.kiln.image.disk.raw');
  });
});
