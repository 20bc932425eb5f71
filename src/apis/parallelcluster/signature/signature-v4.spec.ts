// Key, request and signature are the worked example that AWS publishes for Signature Version 4 ("ListUsers"), and vectors of its
// test suite. Their scopes name other services than this face takes, so what reads scopes is tested apart.
import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { canonicalRequest, isSignedWith, readSignature, type SignedRequest } from './signature-v4.js';

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const TIMESTAMP = '20150830T123600Z';
const NOW = new Date('2015-08-30T12:36:00Z');

const LIST_USERS: SignedRequest = {
  method: 'GET',
  target: '/?Action=ListUsers&Version=2010-05-08',
  rawHeaders: [
    'Content-Type',
    'application/x-www-form-urlencoded; charset=utf-8',
    'Host',
    'iam.amazonaws.com',
    'X-Amz-Date',
    TIMESTAMP,
  ],
  body: Buffer.alloc(0),
};

const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex');

/** What is signed of a request to the host of the test suite. */
function canonical(target: string, ...headers: string[]): string {
  const rawHeaders = ['Host', 'example.amazonaws.com', 'X-Amz-Date', TIMESTAMP, ...headers];
  const names = [...new Set(rawHeaders.filter((_text, index) => index % 2 === 0).map((name) => name.toLowerCase()))];
  return canonicalRequest({ method: 'GET', target, rawHeaders, body: Buffer.alloc(0) }, names.sort(), 'raw', NOTHING);
}

describe('the published example', () => {
  const found = {
    access: 'AKIDEXAMPLE',
    timestamp: TIMESTAMP,
    region: 'us-east-1',
    scope: '20150830/us-east-1/iam/aws4_request',
    signedHeaders: ['content-type', 'host', 'x-amz-date'],
    signature: '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    securityToken: null,
  };

  it('has the canonical request that is published', () => {
    const text = canonicalRequest(LIST_USERS, found.signedHeaders, 'raw', NOTHING);

    expect(sha256(text)).toBe('f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59');
  });

  it('verifies with its secret, in any form of the query', () => {
    for (const form of ['raw', 'rfc3986', 'decoded'] as const) {
      expect(isSignedWith(SECRET, found, LIST_USERS, [form])).toBe(true);
    }
  });

  it.each([
    ['secret', `${SECRET}x`, LIST_USERS],
    ['method', SECRET, { ...LIST_USERS, method: 'POST' }],
    ['path', SECRET, { ...LIST_USERS, target: LIST_USERS.target.replace('/', '/x') }],
    ['query', SECRET, { ...LIST_USERS, target: `${LIST_USERS.target}0` }],
    ['body', SECRET, { ...LIST_USERS, body: Buffer.from('x') }],
    ['header', SECRET, { ...LIST_USERS, rawHeaders: LIST_USERS.rawHeaders.map((text) => text.replace('iam', 'jam')) }],
  ])('does not verify with another %s', (_what, secret, request) => {
    expect(isSignedWith(secret, found, request, ['raw', 'rfc3986', 'decoded'])).toBe(false);
  });
});

describe('what is signed', () => {
  it('is that of the vector get-vanilla', () => {
    expect(sha256(canonical('/'))).toBe('bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63');
  });

  it('has header values trimmed, folded, and joined in their order', () => {
    const text = canonical('/', 'My-Header1', ' a   b  c ', 'My-Header1', 'd');

    expect(text).toContain('\nmy-header1:a b c,d\n');
  });

  it('has the path encoded once more, and slashes left', () => {
    expect(canonical('/a%2Fb/c d/%E1%88%B4').split('\n')[1]).toBe('/a%252Fb/c%20d/%25E1%2588%25B4');
    expect(canonical('?x').split('\n')[1]).toBe('/');
  });

  it('has the pairs of the query in order, by name and then by value', () => {
    expect(canonical('/?b=2&a=c&a=b&&c&a-=1').split('\n')[2]).toBe('a=b&a=c&a-=1&b=2&c=');
  });

  it.each([
    ['raw', 'a=b+c&d=type%3AFoo'],
    ['rfc3986', 'a=b%20c&d=type%3AFoo'],
    ['decoded', 'a=b c&d=type:Foo'],
  ] as const)('has the query %s', (form, expected) => {
    const request = { ...LIST_USERS, target: '/?d=type%3AFoo&a=b+c' };

    expect(canonicalRequest(request, ['host'], form, NOTHING).split('\n')[2]).toBe(expected);
  });
});

describe('readSignature', () => {
  const SIGNATURE = 'a'.repeat(64);
  const SCOPE = '20150830/eu-north-1/execute-api/aws4_request';

  function read(authorization: string, headers: readonly string[] = ['X-Amz-Date', TIMESTAMP], regions?: string[]) {
    const rawHeaders = ['Host', 'h', ...headers, 'Authorization', authorization];
    return readSignature({ method: 'GET', target: '/', rawHeaders, body: Buffer.alloc(0) }, NOW, regions);
  }

  const header = (scope = SCOPE, signed = 'host;x-amz-date') =>
    `AWS4-HMAC-SHA256 Credential=AK/${scope}, SignedHeaders=${signed},Signature=${SIGNATURE}`;

  it('takes it apart', () => {
    expect(read(header())).toEqual({
      access: 'AK',
      timestamp: TIMESTAMP,
      region: 'eu-north-1',
      scope: SCOPE,
      signedHeaders: ['host', 'x-amz-date'],
      signature: SIGNATURE,
      securityToken: null,
    });
  });

  it('takes the header Date for want of the other', () => {
    const date = ['Date', 'Sun, 30 Aug 2015 12:36:00 GMT'];

    expect(read(header(SCOPE, 'date;host'), date).timestamp).toBe(TIMESTAMP);
  });

  it('knows the regions that are configured', () => {
    expect(read(header(), undefined, ['eu-north-1']).region).toBe('eu-north-1');
    expect(() => read(header(), undefined, ['us-east-1'])).toThrow(
      expect.objectContaining({ kind: 'unauthenticated' }),
    );
  });

  it.each([
    ['no date at all', header(), []],
    ['a date that is none', header(), ['X-Amz-Date', 'yesterday']],
    ['a date of another year', header(), ['X-Amz-Date', '20140830T123600Z']],
    ['a session token that is not signed', header(), ['X-Amz-Date', TIMESTAMP, 'X-Amz-Security-Token', 't']],
    ['two of them', header(), ['X-Amz-Date', TIMESTAMP, 'Authorization', header()]],
    ['a scope of four parts', header('20150830/eu-north-1/execute-api'), undefined],
    ['a scope of six parts', header(`${SCOPE}/more`), undefined],
    ['upper case', header(SCOPE, 'Host;x-amz-date'), undefined],
    ['a header twice', header(SCOPE, 'host;host;x-amz-date'), undefined],
  ])('refuses %s', (_what, authorization, headers) => {
    expect(() => read(authorization, headers)).toThrow(expect.objectContaining({ kind: 'unauthenticated' }));
  });
});
