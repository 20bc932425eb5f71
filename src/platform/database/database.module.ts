import { type DynamicModule, Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Database } from './database.js';
import { dataSourceOptions } from './data-source.js';
import { UnitOfWork } from './unit-of-work.js';

/** Where the database is: the configured one, or the embedded one that this process started. */
export interface DatabaseAddress {
  readonly url: string;
  readonly poolSize: number;
}

/** A database that says nothing for so long counts as away. No statement of a request or a sweep takes a tenth of it. */
const STATEMENT_TIMEOUT_MS = 30_000;

@Global()
@Module({})
export class DatabaseModule {
  /** Connects; the schema must be there already (`migrate`). Entities come from the modules' `forFeature`. */
  static forRoot(address: DatabaseAddress): DynamicModule {
    const options = dataSourceOptions(address.url, address.poolSize);
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRoot({
          ...options,
          extra: { ...options.extra, query_timeout: STATEMENT_TIMEOUT_MS },
          autoLoadEntities: true,
          retryAttempts: 0,
        }),
      ],
      providers: [Database, UnitOfWork],
      exports: [Database, UnitOfWork],
    };
  }
}
