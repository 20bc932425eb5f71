import { describe, expect, it } from '@jest/globals';
import { shapeOf } from './instance-type.js';

describe('shapeOf', () => {
  it.each([
    ['m6g.large', 'aarch64', 'medium'],
    ['c7gn.16xlarge', 'aarch64', 'large'],
    ['t4g.nano', 'aarch64', 'small'],
    ['r6gd.medium', 'aarch64', 'small'],
    ['a1.xlarge', 'aarch64', 'medium'],
    ['im4gn.2xlarge', 'aarch64', 'large'],
    ['g4dn.xlarge', 'x86_64', 'medium'],
    ['m7i-flex.large', 'x86_64', 'medium'],
    ['u-6tb1.metal', 'x86_64', 'large'],
    ['c7i.metal-24xl', 'x86_64', 'large'],
    ['t2.micro', 'x86_64', 'small'],
    ['c5.2xlarge', 'x86_64', 'large'],
  ])('knows %s', (type, arch, size) => {
    expect(shapeOf(type)).toEqual({ arch, size });
  });

  it.each(['', 'm6g', 'm6g.', '.large', 'm6g.huge', 'M6G.large', 'm6g.large.more', 'm6g.xxlarge'])(
    'does not know %j',
    (type) => {
      expect(shapeOf(type)).toBeNull();
    },
  );
});
