import { describe, expect, it } from '@jest/globals';
import { addressOf, announcedMd5, requestedRange } from './artifacts.requests.js';

describe('addressOf', () => {
  it.each([
    ['/artifacts/ims/a/b', 'ims', 'a/b'],
    ['/artifacts/ims/a?query', 'ims', 'a'],
    ['/artifacts/ims/', 'ims', ''],
    ['/artifacts/ims/%252F', 'ims', '%2F'],
    ['/artifacts/i%20s/..//%3F', 'i s', '..//?'],
  ])('reads %s', (url, bucket, key) => {
    expect(addressOf(url)).toEqual({ bucket, key });
  });

  it.each(['/artifacts/ims/%', '/artifacts/ims/%ff', '/artifacts/%c3/a'])('refuses %s', (url) => {
    expect(() => addressOf(url)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});

describe('announcedMd5', () => {
  it('turns base64 into hexadecimal', () => {
    expect(announcedMd5(undefined)).toBeUndefined();
    expect(announcedMd5('1B2M2Y8AsgTpgAmY7PhCfg==')).toBe('d41d8cd98f00b204e9800998ecf8427e');
  });

  it.each(['', 'd41d8cd98f00b204e9800998ecf8427e', '1B2M2Y8AsgTpgAmY7PhCfg'])('refuses %j', (header) => {
    expect(() => announcedMd5(header)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});

describe('requestedRange', () => {
  it.each([
    [undefined, 10, null],
    ['bytes=0-0', 10, { start: 0, end: 0 }],
    ['bytes=9-', 10, { start: 9, end: 9 }],
    ['bytes=-20', 10, { start: 0, end: 9 }],
    ['bytes=3-1', 10, null],
    ['bytes=-', 10, null],
    ['bytes=a-b', 10, null],
    ['bytes=0-1,2-3', 10, null],
  ])('reads %s of %i bytes', (header, sizeBytes, range) => {
    expect(requestedRange(header, sizeBytes)).toEqual(range);
  });

  it.each([
    ['bytes=10-', 10],
    ['bytes=-0', 10],
    ['bytes=0-', 0],
    ['bytes=-5', 0],
  ])('cannot satisfy %s of %i bytes', (header, sizeBytes) => {
    expect(() => requestedRange(header, sizeBytes)).toThrow(
      expect.objectContaining({ kind: 'range_unsatisfiable', details: { sizeBytes } }),
    );
  });
});
