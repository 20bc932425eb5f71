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

@Global()
@Module({})
export class DatabaseModule {
  /** Connects; the schema must be there already (`migrate`). Entities come from the modules' `forFeature`. */
  static forRoot(address: DatabaseAddress): DynamicModule {
    return {
      module: DatabaseModule,
      imports: [
        TypeOrmModule.forRoot({
          ...dataSourceOptions(address.url, address.poolSize),
          autoLoadEntities: true,
          retryAttempts: 0,
        }),
      ],
      providers: [Database, UnitOfWork],
      exports: [Database, UnitOfWork],
    };
  }
}
