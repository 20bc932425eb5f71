import { describe, expect, it } from '@jest/globals';
import { readDataUrl } from './script-sources.js';

describe('a script in its own address', () => {
  it.each([
    ['data:;base64,ZWNobyBoaQ==', 'echo hi'],
    ['data:text/x-shellscript;charset=utf-8;base64,ZWNobyBoaQ==', 'echo hi'],
    ['data:,echo%20hi,%20you', 'echo hi, you'],
    ['data:text/plain,', ''],
  ])('is read from %s', (url, text) => {
    expect(readDataUrl(url)?.toString()).toBe(text);
  });

  it.each(['data:echo', 'data:,%zz', 'https://example.org/,x'])('is none: %s', (url) => {
    expect(readDataUrl(url)).toBeNull();
  });
});
