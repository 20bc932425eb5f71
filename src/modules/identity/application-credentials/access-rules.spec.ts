import { describe, expect, it } from '@jest/globals';
import { type AccessRule, allowsCall, type Call, matchesPath } from './access-rules.js';

describe('the path of an access rule', () => {
  it.each([
    ['/v2/images', '/v2/images', true],
    ['/v2/images/', '/v2/images', false],
    ['/v2/images/a', '/v2/images', false],
    ['/v2/images/a', '/v2/images/*', true],
    ['/v2/images/a/file', '/v2/images/*', false],
    ['/v2/images/', '/v2/images/*', false],
    ['/v2/images/a/file', '/v2/images/*/file', true],
    ['/v2/images/a/file', '/v2/images/{id}/file', true],
    ['/v2/images/a/b/file', '/v2/images/{id}/file', false],
    ['/v2/images/a/file', '/v2/**', true],
    ['/v2/', '/v2/**', true],
    ['/v2', '/v2/**', false],
    ['/v2/images/a/b/c/file', '/v2/**/file', true],
    ['/v2/images/a/b/c/files', '/v2/**/file', false],
    ['/anything', '/**', true],
    ['/v2/imagesX', '/v2/images.', false],
    ['/v2/a.b', '/v2/a.b', true],
    ['/v2/aXb', '/v2/a.b', false],
    ['/v2/(', '/v2/(', true],
    ['/v2/a{b', '/v2/a{b', true],
    ['/v2/image-1', '/v2/image-*', true],
    ['/v2/image-', '/v2/image-*', false],
  ])('%s is matched by %s: %s', (path, pattern, matches) => {
    expect(matchesPath(path, pattern)).toBe(matches);
  });

  it('costs little however many stars it has', () => {
    expect(matchesPath(`/${'a'.repeat(4_000)}`, `/${'*a'.repeat(100)}b`)).toBe(false);
  });
});

describe('access rules', () => {
  const rule = (service: string, method: string, path: string): AccessRule => ({ id: 'x', service, method, path });
  const call = (service: string, method: string, ...paths: string[]): Call => ({
    service,
    method,
    paths,
    serviceToken: null,
    lenient: false,
  });

  it('let every call through where there are none, and none where the list is empty', () => {
    expect(allowsCall(null, call('image', 'DELETE', '/v2/images/x'))).toBe(true);
    expect(allowsCall([], call('image', 'GET', '/v2/images'))).toBe(false);
  });

  it('compare service, method and path together', () => {
    const rules = [rule('image', 'GET', '/v2/images'), rule('ims', 'POST', '/v3/jobs')];

    expect(allowsCall(rules, call('image', 'GET', '/image/v2/images', '/v2/images'))).toBe(true);
    expect(allowsCall(rules, call('image', 'POST', '/v2/images'))).toBe(false);
    expect(allowsCall(rules, call('ims', 'GET', '/v2/images'))).toBe(false);
    expect(allowsCall(rules, call('image', 'POST', '/v3/jobs'))).toBe(false);
  });

  it('always let a token be looked at and ended, but not another one be made', () => {
    expect(allowsCall([], call('identity', 'GET', '/identity/v3/auth/tokens'))).toBe(true);
    expect(allowsCall([], call('identity', 'HEAD', '/identity/v3/auth/tokens'))).toBe(true);
    expect(allowsCall([], call('identity', 'DELETE', '/identity/v3/auth/tokens'))).toBe(true);
    expect(allowsCall([], call('identity', 'POST', '/identity/v3/auth/tokens'))).toBe(false);
    expect(allowsCall([], call('identity', 'DELETE', '/identity/v3/users/x'))).toBe(false);
    expect(allowsCall([], call('image', 'GET', '/v3/auth/tokens'))).toBe(false);
  });
});
