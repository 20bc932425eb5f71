import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BootstrapModule } from '../../../src/bootstrap/bootstrap.module.js';
import { Clock } from '../../../src/common/clock.js';
import { loadConfig } from '../../../src/config/config.js';
import { ConfigModule } from '../../../src/config/config.module.js';
import { DatabaseModule } from '../../../src/platform/database/database.module.js';
import { EventsModule } from '../../../src/platform/events/events.module.js';
import { LoggingModule } from '../../../src/platform/logging/logging.module.js';
import { IdentityModule } from '../../../src/modules/identity/index.js';

/** A clock that tests can set forward. */
export class MovableClock extends Clock {
  private aheadMs = 0;

  override now(): Date {
    return new Date(Date.now() + this.aheadMs);
  }

  forward(ms: number): void {
    this.aheadMs += ms;
  }
}

/** Identity and bootstrap as one process has them, on a database. */
export async function identityApp(databaseUrl: string, env: Record<string, string> = {}) {
  const clock = new MovableClock();
  const { config } = loadConfig({ KILN_DATABASE_URL: databaseUrl, KILN_LOG_LEVEL: 'fatal', ...env });

  @Global()
  @Module({ providers: [{ provide: Clock, useValue: clock }], exports: [Clock] })
  class ClockModule {}

  @Module({
    imports: [
      ClockModule,
      ConfigModule.forRoot(config),
      LoggingModule,
      DatabaseModule.forRoot({ url: databaseUrl, poolSize: 4 }),
      EventsModule,
      IdentityModule,
      BootstrapModule,
    ],
  })
  class App {}

  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  return { app, clock };
}
