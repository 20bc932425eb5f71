import { describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError, loadConfig } from './config.js';

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('loadConfig', () => {
  it('works with an empty environment', () => {
    const { config, warnings } = loadConfig({});

    expect(warnings).toEqual([]);
    expect(config.http).toMatchObject({ host: '127.0.0.1', port: 8080 });
    expect(config.role).toBe('all');
    expect(config.dataDir).toBe(resolve('.kiln'));
    expect(config.embeddedDatabase).toBe(true);
    expect(config.stores).toEqual([{ id: 'default', type: 'file', path: resolve('.kiln', 'objects') }]);
  });

  it('is frozen all the way down', () => {
    const { config } = loadConfig({});

    expect(() => Object.assign(config, { role: 'api' })).toThrow(TypeError);
    expect(() => Object.assign(config.http, { port: 1 })).toThrow(TypeError);
    expect(() => (config.stores as unknown[]).push({})).toThrow(TypeError);
  });

  it('tells every problem at once, each with the name of its setting', () => {
    const problems = problemsOf({ KILN_PORT: 'http', KILN_ROLE: 'queen', KILN_PUBLIC_URL: 'ftp://x' });

    expect(problems).toHaveLength(3);
    expect(problems).toEqual(
      expect.arrayContaining([
        'KILN_PORT: must be a whole number from 0 to 65535',
        'KILN_ROLE: must be one of all, api, worker',
        expect.stringMatching(/^KILN_PUBLIC_URL: must be a URL/),
      ]),
    );
  });

  it.each(['65536', '-1', '8080x', '1e3', '0x50', ' 80', '80.5'])('refuses the port %p', (port) => {
    expect(problemsOf({ KILN_PORT: port })).toHaveLength(1);
  });

  it.each([
    ['36h', 129_600_000],
    ['7d', 604_800_000],
    ['90s', 90_000],
    ['never', null],
    ['0', 0],
  ])('keeps deleted things for %s', (text, ms) => {
    expect(loadConfig({ KILN_DELETED_RETENTION: text }).config.deletedRetentionMs).toBe(ms);
  });

  it.each(['7', '7w', 'd', '-1d', '1.5h'])('refuses to keep deleted things for %s', (text) => {
    expect(problemsOf({ KILN_DELETED_RETENTION: text })).toEqual([
      expect.stringMatching(/^KILN_DELETED_RETENTION: must be a duration/),
    ]);
  });

  it('trusts the proxies that are named, by address or network', () => {
    const { config } = loadConfig({ KILN_TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8,192.0.2.1' });

    expect(config.http.trustedProxies).toEqual(['10.0.0.0/8', 'fd00::/8', '192.0.2.1']);
  });

  it.each(['all', '10.0.0.0/33', '10.0.0/8', 'proxy.example.org'])('refuses to trust %s', (text) => {
    expect(problemsOf({ KILN_TRUSTED_PROXIES: text })).toEqual([expect.stringMatching(/^KILN_TRUSTED_PROXIES: /)]);
  });

  it('only warns of a KILN_ variable that it does not know', () => {
    const { warnings } = loadConfig({ KILN_PROT: '80', PATH: '/bin' });

    expect(warnings).toEqual([expect.stringContaining('KILN_PROT')]);
  });

  it('counts an empty value as unset', () => {
    expect(loadConfig({ KILN_PORT: '', KILN_DATABASE_URL: '' }).config).toMatchObject({
      http: { port: 8080 },
      embeddedDatabase: true,
    });
  });

  it('wants a shared database when API and worker are apart', () => {
    expect(problemsOf({ KILN_ROLE: 'worker' })).toEqual([expect.stringMatching(/^KILN_DATABASE_URL: must be set/)]);
    expect(problemsOf({ KILN_ROLE: 'worker', KILN_DATABASE_URL: 'postgres://u:p@db/kiln' })).toEqual([]);
  });

  it.each([
    ['where the API listens', {}, { host: '127.0.0.1', bind: '127.0.0.1' }],
    [
      'everywhere for users of a public address',
      { KILN_PUBLIC_URL: 'https://kiln.example.org/x' },
      { host: 'kiln.example.org', bind: '0.0.0.0' },
    ],
    [
      'at a public address that is this machine',
      { KILN_PUBLIC_URL: 'http://localhost:8080' },
      { host: 'localhost', bind: '127.0.0.1' },
    ],
    [
      'everywhere in a worker of its own',
      { KILN_ROLE: 'worker', KILN_DATABASE_URL: 'postgres://x/y' },
      { host: hostname(), bind: '0.0.0.0' },
    ],
    [
      'where it is said',
      { KILN_SHELL_HOST: 'a', KILN_SHELL_BIND: '::1', KILN_SHELL_PORTS: '22-30' },
      { host: 'a', bind: '::1', ports: [22, 30] },
    ],
  ])('lets people into shells %s', (_where, env, shells) => {
    expect(loadConfig(env).config.shells).toMatchObject(shells);
  });

  describe('a value in a file', () => {
    const withFile = async (content: string, use: (path: string) => void): Promise<void> => {
      const folder = await mkdtemp(join(tmpdir(), 'kiln-config-'));
      try {
        await writeFile(join(folder, 'secret'), content);
        use(join(folder, 'secret'));
      } finally {
        await rm(folder, { recursive: true });
      }
    };

    it('is read without the newline at its end', () =>
      withFile('postgres://kiln:secret@db/kiln\n', (path) => {
        expect(loadConfig({ KILN_DATABASE_URL_FILE: path }).config.database.url).toBe('postgres://kiln:secret@db/kiln');
      }));

    it('is a problem of its setting when it cannot be read', () => {
      expect(problemsOf({ KILN_DATABASE_URL_FILE: '/nowhere/secret' })).toEqual([
        expect.stringMatching(/^KILN_DATABASE_URL: cannot read \/nowhere\/secret/),
      ]);
    });
  });

  describe('KILN_STORES', () => {
    it('takes a list of file and S3 stores', () => {
      const stores = [
        { id: 'fast', type: 'file', path: '/data' },
        { id: 'bulk', type: 's3', endpoint: 'http://s3:9000', bucket: 'kiln', accessKeyId: 'a', secretAccessKey: 'b' },
      ];

      const { config } = loadConfig({ KILN_STORES: JSON.stringify(stores) });

      expect(config.stores).toEqual([
        expect.objectContaining(stores[0]!),
        expect.objectContaining({ ...stores[1]!, region: 'us-east-1', forcePathStyle: true }),
      ]);
    });

    it.each([
      ['not JSON', '[{', /must be a JSON list/],
      ['an empty list', '[]', /at least one store/],
      ['no list', '{}', /JSON list/],
      ['an unknown type', '[{"id":"a","type":"tape"}]', /type must be file or s3/],
      ['a misspelt key', '[{"id":"a","type":"file","pth":"/x"}]', /unknown key pth/],
      ['a missing path', '[{"id":"a","type":"file"}]', /path must be/],
      ['an id twice', '[{"id":"a","type":"file","path":"/x"},{"id":"a","type":"file","path":"/y"}]', /must differ/],
      ['a prefix that is no text', '[{"id":"a","type":"s3","bucket":"b","prefix":5}]', /prefix must be a text/],
      ['an endpoint without scheme', '[{"id":"a","type":"s3","bucket":"b","endpoint":"s3:9000"}]', /endpoint must be/],
      ['a key without its secret', '[{"id":"a","type":"s3","bucket":"b","accessKeyId":"x"}]', /go together/],
      ['an id with a slash', '[{"id":"a/b","type":"file","path":"/x"}]', /id may hold/],
    ])('refuses %s', (_case, value, message) => {
      expect(problemsOf({ KILN_STORES: value })).toEqual([expect.stringMatching(message)]);
    });
  });
});
