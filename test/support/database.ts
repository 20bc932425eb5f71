import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js';
import { migrate } from '../../src/platform/database/migrate.js';

/** A database of a test file's own. */
export interface TestDatabase {
  readonly url: string;
  /** Removes it, whoever is still connected. */
  drop(): Promise<void>;
}

/**
 * A fresh, migrated database: a clone of the template that `npm test` makes once a run. Call it in `beforeAll`, and
 * `drop` in `afterAll`.
 *
 * Under a bare `jest`, without `npm test` around it, each call starts a PostgreSQL of its own and migrates.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const template = process.env.KILN_TEST_TEMPLATE;
  if (template) return createdFrom(template);
  const database = await emptyTestDatabase();
  await migrate(database.url);
  return database;
}

/** A database without a schema, for tests of the migrations themselves. */
export async function emptyTestDatabase(): Promise<TestDatabase> {
  return process.env.KILN_TEST_DATABASE_URL ? createdFrom('template0') : ownServer();
}

async function createdFrom(template: string): Promise<TestDatabase> {
  const server = process.env.KILN_TEST_DATABASE_URL!;
  // `npm test` removes at its end whatever bears the template's name, so that a killed test leaves nothing.
  const name = `${process.env.KILN_TEST_TEMPLATE ?? 'kiln_test'}_${randomBytes(6).toString('hex')}`;
  await execute(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function ownServer(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'kiln-test-'));
  const server = await startEmbeddedPostgres({ dataDir: folder, settings: { fsync: 'off' } });
  return {
    url: server.url,
    drop: async () => {
      await server.stop({ remove: true });
      await rm(folder, { recursive: true, force: true });
    },
  };
}
