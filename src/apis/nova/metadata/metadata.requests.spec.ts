import { describe, expect, it } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { readMeta, readMetadata, toProperties } from './metadata.requests.js';

const request = (
  body: string,
  { path = '/compute/v2.1/images/a/metadata', type }: { path?: string; type?: string } = {},
) => ({ body: Buffer.from(body), headers: { 'content-type': type }, originalUrl: path }) as unknown as FastifyRequest;
const invalid = expect.objectContaining({ kind: 'invalid' });

describe('the map of a body', () => {
  it.each([
    ['{"metadata":{}}', {}],
    ['{"metadata":{"a Z-_:.9":""}}', { 'a Z-_:.9': '' }],
    [`{"metadata":{"${'k'.repeat(255)}":"${'🐧'.repeat(255)}"}}`, { ['k'.repeat(255)]: '🐧'.repeat(255) }],
  ])('%.40s is taken', (body, metadata) => {
    expect(readMetadata(request(body))).toEqual(metadata);
  });

  it.each([
    '',
    '[]',
    '{"meta":{}}',
    '{"metadata":{},"x":1}',
    '{"metadata":[]}',
    '{"metadata":{"":"x"}}',
    '{"metadata":{"a\\n":"x"}}',
    `{"metadata":{"${'k'.repeat(256)}":"x"}}`,
    `{"metadata":{"a":"${'🐧'.repeat(256)}"}}`,
    '{"metadata":{"a":1}}',
  ])('%.40s is refused', (body) => {
    expect(() => readMetadata(request(body))).toThrow(invalid);
  });

  it('may have company on the older base only', () => {
    const body = '{"metadata":{"a":"1"},"x":1}';

    expect(readMetadata(request(body, { path: '/compute/v2/images/a/metadata' }))).toEqual({ a: '1' });
    expect(() => readMetadata(request(body))).toThrow(invalid);
  });

  it.each(['application/xml', 'application/jsonp', 'multipart/form-data; boundary=x'])('is not of type %s', (type) => {
    expect(() => readMetadata(request('{"metadata":{}}', { type }))).toThrow(
      expect.objectContaining({ kind: 'unsupported' }),
    );
  });
});

describe('one entry', () => {
  it('is that of the path', () => {
    expect(readMeta(request('{"meta":{"a":"1"}}'), 'a')).toEqual({ a: '1' });
    expect(readMeta(request('{"meta":{"__proto__":"1"}}'), '__proto__')).toEqual(
      Object.fromEntries([['__proto__', '1']]),
    );
    for (const [body, key] of [
      ['{"meta":{"a":"1"}}', 'b'],
      ['{"meta":{"a":"1"}}', 'toString'],
      ['{"meta":{}}', 'a'],
      ['{"meta":{"a":"1","b":"2"}}', 'a'],
    ] as const) {
      expect(() => readMeta(request(body), key)).toThrow(invalid);
    }
  });
});

describe('what is written', () => {
  it('leaves attributes out, and refuses three of them', () => {
    expect(toProperties({ a: '1', name: 'x', visibility: 'public', min_ram: '1', id: 'x' })).toEqual({ a: '1' });
    for (const name of ['status', 'self', 'tags']) expect(() => toProperties({ [name]: 'x' })).toThrow(invalid);
  });
});
