import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { migrate, migrateDown, UnknownSchemaError } from '../../../src/platform/database/migrate.js';
import { testDatabase } from '../../support/database.js';

describe('migrations', () => {
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let client: pg.Client;

  beforeAll(async () => {
    database = await testDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });

  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  /** Every column, index and constraint, as text that can be compared. */
  async function schema(): Promise<string[]> {
    const { rows } = await client.query<{ line: string }>(`
      SELECT format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
      FROM information_schema.columns WHERE table_schema = 'public'
      UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
      UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
      ORDER BY line`);
    return rows.map(({ line }) => line).filter((line) => !line.includes('schema_migrations'));
  }

  it('go up, down to nothing, and up to the same schema again', async () => {
    const first = await schema();

    await migrateDown(database.url);
    const none = await schema();
    await migrate(database.url);

    expect(first.length).toBeGreaterThan(100);
    expect(none).toEqual([]);
    expect(await schema()).toEqual(first);
  });

  it('are done once when several processes start together', async () => {
    await migrateDown(database.url);

    await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);

    const { rows } = await client.query(
      'SELECT name, count(*)::int FROM schema_migrations GROUP BY name HAVING count(*) > 1',
    );
    expect(rows).toEqual([]);
  });

  it('refuse a database that a newer Kiln has been at', async () => {
    await client.query(
      `INSERT INTO schema_migrations (timestamp, name) VALUES (9999999999999, 'FromTheFuture9999999999999')`,
    );

    await expect(migrate(database.url)).rejects.toThrow(UnknownSchemaError);

    await client.query(`DELETE FROM schema_migrations WHERE name = 'FromTheFuture9999999999999'`);
  });

  it.each(['images', 'recipes', 'jobs', 'keys'])('give %s a soft-delete column', async (table) => {
    const { rows } = await client.query(
      `SELECT data_type FROM information_schema.columns WHERE table_name = $1 AND column_name = 'deleted_at'`,
      [table],
    );

    expect(rows).toEqual([{ data_type: 'timestamp with time zone' }]);
  });
});
