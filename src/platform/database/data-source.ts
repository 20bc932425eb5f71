import pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { MIGRATIONS } from '../../../migrations/index.js';

// Sizes and counters stay below 2^53; a bigint column as text would only invite mistakes.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

type EntityClass = abstract new (...args: never[]) => object;

/**
 * Options of the one data source of a process. The schema is made by hand-written migrations only, so nothing is ever
 * synchronised from entities.
 */
export function dataSourceOptions(
  databaseUrl: string,
  poolSize: number,
  entities: readonly EntityClass[] = [],
): DataSourceOptions {
  return {
    type: 'postgres',
    url: databaseUrl,
    entities: [...entities] as never[],
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    applicationName: 'kiln',
    poolSize,
    extra: {
      // Short queries gain nothing from compiled plans, and pay for the compiler.
      options: '-c jit=off -c timezone=UTC',
      connectionTimeoutMillis: 10_000,
      // A listener has nothing to say for hours, and should still find out that the other side is gone.
      keepAlive: true,
    },
  };
}

/** A data source that is not part of an application: migrations, tests, chores. */
export function standaloneDataSource(databaseUrl: string): DataSource {
  return new DataSource(dataSourceOptions(databaseUrl, 2));
}
