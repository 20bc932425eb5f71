import { describe, expect, it } from '@jest/globals';
import { ESLint } from 'eslint';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..', '..');

const FORBIDDEN: readonly (readonly [what: string, code: string])[] = [
  ['fetch', `export const a = () => fetch('http://x');`],
  ['fetch of globalThis', `export const a = () => globalThis.fetch('http://x');`],
  ['web sockets', `export const a = () => new WebSocket('ws://x');`],
  ['http.request', `import { request } from 'node:http';\nexport const a = request;`],
  ['http.get without the prefix', `import { get } from 'http';\nexport const a = get;`],
  ['all of http', `import * as http from 'node:http';\nexport const a = http;`],
  ['http as a whole', `import http from 'node:http';\nexport const a = http;`],
  ['https', `import { request } from 'node:https';\nexport const a = request;`],
  ['http2', `import { connect } from 'node:http2';\nexport const a = connect;`],
  ['net.connect', `import { connect } from 'node:net';\nexport const a = connect;`],
  ['net.createConnection', `import { createConnection } from 'net';\nexport const a = createConnection;`],
  ['sockets', `import { Socket } from 'node:net';\nexport const a = new Socket();`],
  ['tls', `import { connect } from 'node:tls';\nexport const a = connect;`],
  ['datagrams', `import { createSocket } from 'node:dgram';\nexport const a = createSocket;`],
  ['names', `import { lookup } from 'node:dns/promises';\nexport const a = lookup;`],
  ['undici', `import { request } from 'undici';\nexport const a = request;`],
  ['axios', `import axios from 'axios';\nexport const a = axios;`],
  ['an exported request', `export { request } from 'node:http';`],
  ['a loaded module', `export const a = () => import('node:http');`],
  ['a loaded package', `export const a = () => import('undici');`],
  ['a module whose name is made up', `export const a = (name: string) => import(name);`],
  [
    'a required module',
    `import { createRequire } from 'node:module';\nexport const a = createRequire('/')('node:http');`,
  ],
  ['a built-in', `export const a = process.getBuiltinModule('node:http');`],
  ['the S3 client', `import { S3Client } from '@aws-sdk/client-s3';\nexport const a = S3Client;`],
  ['PostgreSQL', `import pg from 'pg';\nexport const a = pg;`],
  ['Redis', `import { Redis } from 'ioredis';\nexport const a = Redis;`],
];

const ALLOWED: readonly (readonly [what: string, code: string])[] = [
  ['names of statuses', `import { STATUS_CODES } from 'node:http';\nexport const a = STATUS_CODES;`],
  ['servers', `import { createServer } from 'node:net';\nexport const a = createServer;`],
  ['types', `import type { Socket } from 'node:net';\nexport type A = Socket;`],
  ['what an address is', `import { isIP } from 'node:net';\nexport const a = isIP;`],
  [
    'the egress client',
    `import { EgressClient } from '../../platform/egress/egress-client.js';\nexport const a = EgressClient;`,
  ],
];

/** Without the rules that need types, which would have to know the file. */
const eslint = new ESLint({
  cwd: root,
  overrideConfig: { languageOptions: { parserOptions: { project: null } } },
  ruleFilter: ({ ruleId }) => /^no-restricted-(globals|syntax)$|no-restricted-imports$/.test(ruleId),
});

async function complaints(code: string, path = 'src/modules/images/a.ts'): Promise<number> {
  const [result] = await eslint.lintText(`${code}\n`, { filePath: join(root, path) });
  const fatal = result!.messages.find((message) => message.fatal);
  if (fatal) throw new Error(fatal.message);
  return result!.messages.length;
}

describe('the way out', () => {
  it.each(FORBIDDEN)('is closed to %s', async (_what, code) => {
    expect(await complaints(code)).toBeGreaterThan(0);
  });

  it.each([
    'src/apis/glance/a.ts',
    'src/workers/a.ts',
    'src/builders/local/a.ts',
    'src/common/a.ts',
    'src/platform/queue/a.ts',
  ])('is closed in %s', async (path) => {
    expect(await complaints(`export const a = () => fetch('http://x');`, path)).toBeGreaterThan(0);
  });

  it.each(ALLOWED)('has nothing against %s', async (_what, code) => {
    expect(await complaints(code)).toBe(0);
  });

  it.each([
    ['src/builders/program/kiln.ts', `import { request } from 'node:http';\nexport const a = request;`],
    ['src/platform/egress/a.ts', `import { Client } from 'undici';\nexport const a = Client;`],
    ['src/platform/object-store/a.ts', `import { S3Client } from '@aws-sdk/client-s3';\nexport const a = S3Client;`],
    ['src/platform/database/a.ts', `import pg from 'pg';\nexport const a = pg;`],
  ])('is open where it belongs: %s', async (path, code) => {
    expect(await complaints(code, path)).toBe(0);
  });
});
