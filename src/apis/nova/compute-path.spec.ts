import { describe, expect, it } from '@jest/globals';
import { parseComputePath, routedPath } from './compute-path.js';

const PROJECT = '5a7b0b0ea1d44c0f8a6a5a0a1c1d1e01';

describe('a path of the Compute API', () => {
  it.each([
    ['/compute', null, null, ''],
    ['/compute/', null, null, '/'],
    ['/compute/v3/images', null, null, '/v3/images'],
    ['/compute/v2.10/images', null, null, '/v2.10/images'],
    ['/compute/v2.1', 'v2.1', null, ''],
    ['/compute/v2/', 'v2', null, '/'],
    ['/compute/v2.1/images', 'v2.1', null, '/images'],
    [`/compute/v2/${PROJECT}/images/a/metadata`, 'v2', PROJECT, '/images/a/metadata'],
    ['/compute/v2.1/7b7eb3a6-f6f4/images', 'v2.1', '7b7eb3a6-f6f4', '/images'],
    [`/compute/v2.1/${PROJECT}`, 'v2.1', PROJECT, ''],
    [`/compute/v2.1/${PROJECT}/`, 'v2.1', PROJECT, '/'],
    ['/compute/v2.1/ABC/images', 'v2.1', null, '/ABC/images'],
    ['/compute/v2.1//images', 'v2.1', null, '//images'],
  ])('%s has base %s, project %s, rest %s', (path, base, projectId, rest) => {
    expect(parseComputePath(path)).toEqual({ base, projectId, rest });
  });

  it.each([
    ['/compute', '/compute'],
    ['/compute/', '/compute'],
    ['/compute/v3/', '/compute/v3/'],
    ['/compute/v2.1/', '/compute/v2.1'],
    ['/compute/v2/', '/compute/v2'],
    ['/compute/v2/images', '/compute/v2.1/images'],
    [`/compute/v2/${PROJECT}/images`, '/compute/v2.1/images'],
    [`/compute/v2.1/${PROJECT}/`, '/compute/v2.1/'],
    [`/compute/v2.1/${PROJECT}`, '/compute/v2.1/'],
  ])('%s is routed as %s', (path, routed) => {
    expect(routedPath(path)).toBe(routed);
  });
});
