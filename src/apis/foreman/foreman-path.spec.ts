import { expect, it } from '@jest/globals';
import { resourceOf, routedPath } from './foreman-path.js';

it.each([
  ['/foreman/api/status', '/foreman/api/status'],
  ['/foreman/api/v2/status', '/foreman/api/status'],
  ['/api/v2/compute_resources/8/images', '/foreman/api/compute_resources/8/images'],
  ['/api', '/foreman/api'],
  ['/api/', '/foreman/api'],
  ['/api/v2', '/foreman/api'],
  ['/api/v1/status', '/foreman/api/v1/status'],
  ['/api/v20', '/foreman/api/v20'],
  ['/apidoc/v2.json', '/foreman/apidoc/v2.json'],
  ['/foreman', '/foreman'],
])('routes %s as %s', (path, routed) => {
  expect(routedPath(path)).toBe(routed);
});

it.each([
  ['/api/compute_resources/8/images/11', 'image'],
  ['/foreman/api/v2/architectures/images/images', 'image'],
  ['/api/compute_resources/images', 'compute_resource'],
  ['/api/compute_resources/8/available_images', 'compute_resource'],
  ['/foreman/api/locations/1', 'location'],
  ['/api/users/a/personal_access_tokens/1', 'personal_access_token'],
  ['/api/constructor/1', 'resource'],
])('knows what %s is about', (path, resource) => {
  expect(resourceOf(path)).toBe(resource);
});
