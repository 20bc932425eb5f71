import { describe, expect, it } from '@jest/globals';
import { formatAddress, parseAddress } from './address.js';

describe('parseAddress', () => {
  it.each([
    ['s3://ims/a', 'ims', 'a'],
    ['s3://ims/a/b/c', 'ims', 'a/b/c'],
    ['s3://ims//a', 'ims', '/a'],
    ['s3://ims/../a', 'ims', '../a'],
    ['s3://ims/a?versionId=1#x', 'ims', 'a?versionId=1#x'],
    ['s3://ims/%2F', 'ims', '%2F'],
    ['s3://ims/ä\n', 'ims', 'ä\n'],
    [`s3://ims/${'k'.repeat(1024)}`, 'ims', 'k'.repeat(1024)],
  ])('reads %j', (text, bucket, key) => {
    expect(parseAddress(text)).toEqual({ bucket, key });
    expect(formatAddress({ bucket, key })).toBe(text);
  });

  it.each([
    '',
    's3://',
    's3:///a',
    's3://ims',
    's3://ims/',
    'S3://ims/a',
    'http://ims/a',
    ' s3://ims/a',
    's3://ims/a\0',
    's3://ims/\ud800',
    `s3://ims/${'ä'.repeat(513)}`,
    `s3://${'b'.repeat(256)}/a`,
  ])('refuses %j', (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'artifacts.malformed_address' }));
  });
});
