import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { parse } from 'yaml';
import { BootstrapService } from '../../../src/bootstrap/index.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';
import { identityApp } from './identity-app.js';

const ALPHA = '5a7b0b0ea1d44c0f8a6a5a0a1c1d1e01';

describe('bootstrap', () => {
  let database: TestDatabase;
  let sql: pg.Client;
  let folder: string;

  beforeEach(async () => {
    database = await testDatabase();
    folder = await mkdtemp(join(tmpdir(), 'kiln-bootstrap-'));
    sql = new pg.Client({ connectionString: database.url });
    await sql.connect();
  });

  afterEach(async () => {
    await sql.end();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  /** One start of a process. */
  async function start(env: Record<string, string> = {}) {
    const { app } = await identityApp(database.url, { KILN_DATA_DIR: folder, ...env });
    try {
      return await app.get(BootstrapService).apply();
    } finally {
      await app.close();
    }
  }

  async function startWith(content: string) {
    const path = join(folder, 'bootstrap.yaml');
    await writeFile(path, content);
    return start({ KILN_BOOTSTRAP_FILE: path });
  }

  async function column(query: string): Promise<unknown[]> {
    const { rows } = await sql.query<unknown[]>({ text: query, rowMode: 'array' });
    return rows.map((row) => (row.length === 1 ? row[0] : row));
  }

  /** Everything that a start could change, as text. */
  async function everything(): Promise<unknown[]> {
    return column(`SELECT projects::text FROM projects UNION ALL SELECT users::text FROM users
      UNION ALL SELECT role_assignments::text FROM role_assignments
      UNION ALL SELECT project_usage::text FROM project_usage
      UNION ALL SELECT events::text FROM events ORDER BY 1`);
  }

  describe('without a file', () => {
    const clouds = () => join(folder, 'clouds.yaml');

    it('makes a project and an administrator, whose password only its owner can read', async () => {
      const outcome = await start({ KILN_PORT: '8123' });

      expect(outcome).toEqual({ credentials: clouds(), newPassword: expect.stringMatching(/^[\w-]{24}$/) });
      expect((await stat(clouds())).mode & 0o777).toBe(0o600);
      expect(parse(await readFile(clouds(), 'utf8'))).toEqual({
        clouds: {
          kiln: {
            auth: {
              auth_url: 'http://127.0.0.1:8123/identity/v3',
              username: 'admin',
              password: outcome.newPassword,
              project_name: 'default',
              user_domain_name: 'Default',
              project_domain_name: 'Default',
            },
            region_name: 'RegionOne',
            identity_api_version: 3,
            interface: 'public',
          },
        },
      });
      await expect(column('SELECT role FROM role_assignments ORDER BY 1')).resolves.toEqual(['admin', 'member']);
    });

    it('changes nothing at later starts but the address', async () => {
      const { newPassword } = await start();
      const before = await everything();
      await writeFile(clouds(), `${await readFile(clouds(), 'utf8')}\n# a note of mine\n`);
      await chmod(clouds(), 0o640);

      await expect(start({ KILN_PUBLIC_URL: 'https://kiln.example.org' })).resolves.toEqual({ credentials: clouds() });

      const text = await readFile(clouds(), 'utf8');
      expect(parse(text)).toMatchObject({
        clouds: { kiln: { auth: { auth_url: 'https://kiln.example.org/identity/v3', password: newPassword } } },
      });
      expect(text).toContain('# a note of mine');
      await expect(everything()).resolves.toEqual(before);
    });

    it('does not make up another password when the file is lost, and says so', async () => {
      await start();
      const before = await everything();
      await rm(clouds());

      const { credentials, newPassword } = await start();

      expect(credentials).toContain(`lost: ${clouds()} is missing`);
      expect(newPassword).toBeUndefined();
      await expect(everything()).resolves.toEqual(before);
    });

    it('uses the password that a start left in the file when it died before its commit', async () => {
      const { newPassword } = await start();
      await sql.query('DELETE FROM users');

      await expect(start()).resolves.toEqual({ credentials: clouds(), newPassword });
    });

    it('says when the password in the file is an old one', async () => {
      await start();
      await startWith('users: [{name: admin, password: chosen}]');

      const { credentials } = await start();

      expect(credentials).toContain('has been changed since');
      await expect(column('SELECT role FROM role_assignments ORDER BY 1')).resolves.toEqual(['admin', 'member']);
    });

    it('makes one administrator when several processes start at once', async () => {
      const outcomes = await Promise.all([start(), start(), start()]);

      expect(outcomes.filter(({ newPassword }) => newPassword)).toHaveLength(1);
      await expect(column('SELECT name FROM users')).resolves.toEqual(['admin']);
      const [made] = outcomes.filter(({ newPassword }) => newPassword);
      expect(await readFile(clouds(), 'utf8')).toContain(made!.newPassword);
    });

    it('makes nobody where users were declared by a file earlier', async () => {
      await startWith('users: [{name: alice, password: x}]');

      await expect(start()).resolves.toEqual({ credentials: expect.stringContaining('declared by a bootstrap file') });
      await expect(column('SELECT name FROM users')).resolves.toEqual(['alice']);
    });

    it('makes nobody in a worker', async () => {
      await start({ KILN_ROLE: 'worker' });

      await expect(column('SELECT name FROM users')).resolves.toEqual([]);
    });
  });

  describe('with a file', () => {
    const FILE = `
projects:
  - {name: alpha, id: ${ALPHA}}
  - {name: beta, limits: {images: 1000, storage_bytes: 10737418240}}
users:
  - {name: root, password: s3cret-root, roles: [{project: alpha, role: admin}]}
  - {name: alice, password: s3cret-alice, default_project: alpha, roles: [{project: alpha, role: member}]}
`;

    it('makes everything as it is declared', async () => {
      await startWith(FILE);

      await expect(column('SELECT name, id FROM projects ORDER BY 1')).resolves.toEqual([
        ['alpha', ALPHA],
        ['beta', expect.stringMatching(/^[0-9a-f]{32}$/)],
      ]);
      await expect(
        column(
          `SELECT u.name, a.role FROM role_assignments a JOIN users u ON u.id = user_id
           WHERE project_id = '${ALPHA}' ORDER BY 1`,
        ),
      ).resolves.toEqual([
        ['alice', 'member'],
        ['root', 'admin'],
      ]);
      await expect(
        column(`SELECT quantity, maximum::int8 FROM project_usage WHERE maximum IS NOT NULL ORDER BY 1`),
      ).resolves.toEqual([
        ['images', 1000],
        ['storage_bytes', 10737418240],
      ]);
    });

    it('changes nothing when it is applied again, also by several processes at once', async () => {
      await startWith(FILE);
      const before = await everything();

      await Promise.all([startWith(FILE), startWith(FILE), startWith(FILE)]);

      await expect(everything()).resolves.toEqual(before);
    });

    it('is applied once when several processes meet an empty database', async () => {
      await Promise.all([startWith(FILE), startWith(FILE), startWith(FILE)]);

      await expect(column('SELECT name FROM users ORDER BY 1')).resolves.toEqual(['alice', 'root']);
      await expect(
        column(`SELECT kind, count(*)::int FROM events WHERE kind LIKE '%.created' GROUP BY kind ORDER BY 1`),
      ).resolves.toEqual([
        ['project.created', 2],
        ['user.created', 2],
      ]);
    });

    it('follows the file: limits, roles, names', async () => {
      await startWith(FILE);

      await startWith(`
projects: [{name: renamed, id: ${ALPHA}}, {name: beta, limits: {keys: 3}, enabled: false}]
users: [{name: alice, roles: [{project: renamed, role: reader}]}]
`);

      await expect(column('SELECT name, enabled FROM projects ORDER BY 1')).resolves.toEqual([
        ['beta', false],
        ['renamed', true],
      ]);
      await expect(column(`SELECT quantity FROM project_usage WHERE maximum IS NOT NULL`)).resolves.toEqual(['keys']);
      await expect(
        column(`SELECT role FROM role_assignments a JOIN users u ON u.id = user_id WHERE u.name = 'alice'`),
      ).resolves.toEqual(['reader']);
    });

    it('sets exactly the default limits that it gives, and leaves them alone when it gives none', async () => {
      const defaults = () =>
        column('SELECT quantity, maximum::int8 FROM default_limits WHERE maximum IS NOT NULL ORDER BY 1');
      await startWith('default_limits: {images: 5, keys: 0}');
      await expect(defaults()).resolves.toEqual([
        ['images', 5],
        ['keys', 0],
      ]);

      await startWith('default_limits: {keys: 3}');
      await startWith(FILE);
      await expect(defaults()).resolves.toEqual([['keys', 3]]);

      await startWith('default_limits: {}');
      await expect(defaults()).resolves.toEqual([]);
    });

    it('makes access keys, and changes nothing when one is of somebody else', async () => {
      const keys = () => column('SELECT access, u.name FROM access_keys JOIN users u ON u.id = user_id ORDER BY 1');
      const aliceWith = (access: string) =>
        `users: [{name: alice, access_keys: [{project: alpha, access: ${access}, secret: choose-a-long-one}]}]`;
      await startWith(FILE);
      await startWith(aliceWith('AK1'));
      await startWith(aliceWith('AK2'));
      await expect(keys()).resolves.toEqual([
        ['AK1', 'alice'],
        ['AK2', 'alice'],
      ]);

      await expect(startWith(aliceWith('AK1').replace('alice', 'root'))).rejects.toMatchObject({
        name: 'BootstrapFileError',
        problems: [expect.stringMatching(/bootstrap\.yaml: .*AK1/)],
      });
      await expect(keys()).resolves.toEqual([
        ['AK1', 'alice'],
        ['AK2', 'alice'],
      ]);
    });

    it('leaves users alone that it does not name', async () => {
      await startWith(FILE);
      const root = `SELECT users::text FROM users WHERE name = 'root'`;
      const before = await column(root);

      await startWith('projects: [{name: alpha}]\nusers: [{name: new, password: x}]');

      await expect(column(root)).resolves.toEqual(before);
      await expect(column(`SELECT role FROM role_assignments ORDER BY 1`)).resolves.toEqual(['admin', 'member']);
    });

    it('writes a password only when it is another one, and then ends the tokens of its user', async () => {
      await startWith(FILE);
      await sql.query(
        `INSERT INTO tokens (hash, user_id, scope, methods, audit_ids, issued_at, expires_at)
         SELECT sha256(name::bytea), id, 'unscoped', '{password}', '{}', now(), now() + interval '1 hour' FROM users`,
      );

      await startWith(FILE.replace('s3cret-alice', 'changed'));

      await expect(
        column(`SELECT u.name FROM tokens t JOIN users u ON u.id = user_id WHERE revoked_at IS NOT NULL`),
      ).resolves.toEqual(['alice']);
      await expect(
        column(`SELECT u.name FROM events JOIN users u ON u.id = noun_id WHERE kind = 'user.password_changed'
                ORDER BY events.id DESC LIMIT 1`),
      ).resolves.toEqual(['alice']);
    });

    it('gives roles in projects that exist already', async () => {
      await startWith(FILE);

      await startWith('users: [{name: bob, password: x, roles: [{project: beta, role: member}]}]');

      await expect(
        column(`SELECT p.name FROM role_assignments a JOIN users u ON u.id = user_id JOIN projects p ON p.id = project_id
                WHERE u.name = 'bob'`),
      ).resolves.toEqual(['beta']);
    });

    it('is refused whole, with every problem and its place', async () => {
      const before = await everything();

      await expect(
        startWith(`
projects: [{name: fine}]
users: [{name: a, passwort: x, roles: [{project: lab, role: member}]}]
`),
      ).rejects.toMatchObject({
        name: 'BootstrapFileError',
        problems: [
          expect.stringMatching(/bootstrap\.yaml: users\[0\]\.passwort: unknown key/),
          expect.stringMatching(/bootstrap\.yaml: users\[0\]\.roles\[0\]\.project: there is no project "lab"/),
        ],
      });

      await expect(everything()).resolves.toEqual(before);
    });

    it('is refused when an id contradicts the database', async () => {
      await startWith(FILE);
      const before = await everything();

      await expect(
        startWith(`projects: [{name: gamma}, {name: alpha, id: ${ALPHA.replace('5a', '6b')}}]`),
      ).rejects.toMatchObject({ problems: [expect.stringContaining('alpha')] });

      await expect(everything()).resolves.toEqual(before);
    });

    it('is refused when it is not there', async () => {
      await expect(start({ KILN_BOOTSTRAP_FILE: join(folder, 'none.yaml') })).rejects.toMatchObject({
        problems: [expect.stringMatching(/none\.yaml cannot be read/)],
      });
    });
  });
});
