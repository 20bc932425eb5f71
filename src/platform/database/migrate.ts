import pg from 'pg';
import { MIGRATIONS } from '../../../migrations/index.js';
import { standaloneDataSource } from './data-source.js';

/** An arbitrary number, the same in every Kiln: whoever holds this advisory lock migrates. */
const MIGRATION_LOCK = 5_497_853;

/** Brings a database to the schema of this build. Several processes may call it at once: one works, the rest wait. */
export async function migrate(databaseUrl: string): Promise<void> {
  const lock = new pg.Client({ connectionString: databaseUrl });
  await lock.connect();
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const dataSource = await standaloneDataSource(databaseUrl).initialize();
    try {
      await assertKnownSchema((sql) => dataSource.query(sql));
      await dataSource.runMigrations();
    } finally {
      await dataSource.destroy();
    }
  } finally {
    await lock.end();
  }
}

/** Undoes every migration, newest first. Loses all data; for tests and for giving a database back. */
export async function migrateDown(databaseUrl: string): Promise<void> {
  const dataSource = await standaloneDataSource(databaseUrl).initialize();
  try {
    for (let remaining = MIGRATIONS.length; remaining > 0; remaining -= 1) await dataSource.undoLastMigration();
  } finally {
    await dataSource.destroy();
  }
}

/** The database has migrations that this build does not know: a newer Kiln has been here. */
export class UnknownSchemaError extends Error {
  constructor(names: readonly string[]) {
    super(`The database was migrated by a newer Kiln (it has ${names.join(', ')}); start that version instead`);
    this.name = 'UnknownSchemaError';
  }
}

async function assertKnownSchema(query: (sql: string) => Promise<{ name: string }[]>): Promise<void> {
  const [table] = (await query(`SELECT to_regclass('schema_migrations')::text AS name`)) as { name: string | null }[];
  if (!table?.name) return;
  const known = new Set<string>(MIGRATIONS.map((migration) => migration.name));
  const applied = await query('SELECT name FROM schema_migrations ORDER BY id');
  const unknown = applied.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length > 0) throw new UnknownSchemaError(unknown);
}
