import { describe, expect, it } from '@jest/globals';
import { askedVersion, minorOf, toldVersion } from './microversion.js';

const STANDARD = 'openstack-api-version';
const NOVA = 'x-openstack-nova-api-version';

describe('the microversion asked for', () => {
  it.each([
    [{}, '2.1'],
    [{ [STANDARD]: 'compute 2.35' }, '2.35'],
    [{ [STANDARD]: 'Compute   2.35 ' }, '2.35'],
    [{ [STANDARD]: 'volume 3.1, compute 2.9, placement 1.2' }, '2.9'],
    [{ [STANDARD]: 'compute 2.9, compute 2.10' }, '2.10'],
    [{ [STANDARD]: 'volume 3.1' }, '2.1'],
    [{ [STANDARD]: 'volume 3.1', [NOVA]: '2.3' }, '2.3'],
    [{ [STANDARD]: 'compute 2.2', [NOVA]: '2.3' }, '2.2'],
    [{ [STANDARD]: 'compute' }, '2.1'],
    [{ [STANDARD]: 'compute latest' }, '2.39'],
    [{ [NOVA]: 'latest' }, '2.39'],
    [{ [NOVA]: '2.3' }, '2.3'],
    [{ [NOVA]: '' }, ''],
  ])('by %j is %j', (headers, version) => {
    expect(askedVersion(headers)).toBe(version);
  });
});

describe('a microversion', () => {
  it.each([
    ['2.1', 1],
    ['2.35', 35],
    ['2.39', 39],
  ])('%s is served', (asked, minor) => {
    expect(minorOf(asked)).toBe(minor);
    expect(toldVersion(asked)).toBe(asked);
  });

  it.each(['2.0', '2.40', '1.1', '3.1', '9.9', `2.${'9'.repeat(400)}`])('%s is not supported', (asked) => {
    expect(() => minorOf(asked)).toThrow(`Version ${asked} is not supported by the API. Minimum is 2.1`);
    expect(toldVersion(asked)).toBe(asked);
  });

  it.each(['', 'abc', '2', '2.01', '02.1', '2.1.1', '2.1 x', '2.', '-2.1', 'Latest'])('%j is malformed', (asked) => {
    expect(() => minorOf(asked)).toThrow(expect.objectContaining({ kind: 'invalid' }));
    expect(toldVersion(asked)).toBe('2.1');
  });
});
