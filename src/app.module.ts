import { type DynamicModule, Global, Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { ArtifactsFaceModule } from './apis/artifacts/artifacts-face.module.js';
import { BuilderFaceModule } from './apis/builder/builder-face.module.js';
import { ForemanFaceModule } from './apis/foreman/foreman.module.js';
import { GlanceFaceModule } from './apis/glance/glance.module.js';
import { IdentityFaceModule } from './apis/identity/identity-face.module.js';
import { ImsFaceModule } from './apis/ims/ims.module.js';
import { NovaFaceModule } from './apis/nova/nova.module.js';
import { ParallelClusterFaceModule } from './apis/parallelcluster/parallelcluster.module.js';
import { RootFaceModule } from './apis/root/root-face.module.js';
import type { FaceRegistry } from './apis/shared/face-registry.js';
import { RateLimitInterceptor } from './apis/shared/rates/rate-limit.interceptor.js';
import type { RouteTable } from './apis/shared/route-table.js';
import { SharedApiModule } from './apis/shared/shared.module.js';
import { WireExceptionFilter } from './apis/shared/wire-exception.filter.js';
import { BuildersModule } from './builders/index.js';
import { BootstrapModule } from './bootstrap/bootstrap.module.js';
import { Clock } from './common/clock.js';
import { HealthChecks } from './common/health.js';
import type { Config } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { EgressModule } from './platform/egress/egress.module.js';
import { EventsModule } from './platform/events/events.module.js';
import { LoggingModule } from './platform/logging/logging.module.js';
import { ObjectStoreModule } from './platform/object-store/object-store.module.js';
import { QueueModule } from './platform/queue/queue.module.js';
import { RateLimitModule } from './platform/rate-limit/rate-limit.module.js';
import type { Metrics } from './platform/telemetry/metrics.js';
import { TelemetryModule } from './platform/telemetry/telemetry.module.js';
import { WorkersModule } from './workers/workers.module.js';

/** What exists before Nest does. */
export interface Foundations {
  readonly config: Config;
  /** The database in use, configured or embedded. */
  readonly databaseUrl: string;
  readonly faces: FaceRegistry;
  readonly routes: RouteTable;
  readonly metrics: Metrics;
}

@Global()
@Module({ providers: [Clock, HealthChecks], exports: [Clock, HealthChecks] })
class CommonModule {}

function platform({ config, databaseUrl, metrics }: Foundations) {
  return [
    CommonModule,
    ConfigModule.forRoot(config),
    LoggingModule,
    TelemetryModule.forRoot(metrics),
    DatabaseModule.forRoot({ url: databaseUrl, poolSize: config.database.poolSize }),
    QueueModule.forRoot(
      config.redisUrl ? { kind: 'redis', url: config.redisUrl } : { kind: 'postgres', url: databaseUrl },
    ),
    EgressModule,
    EventsModule,
    ObjectStoreModule,
    BootstrapModule,
  ];
}

function faces(foundations: Foundations) {
  return [
    SharedApiModule.forRoot(foundations.faces, foundations.routes),
    RateLimitModule,
    RootFaceModule,
    // Where a Keystone is configured, clients sign in there.
    ...(foundations.config.keystone ? [] : [IdentityFaceModule]),
    GlanceFaceModule,
    NovaFaceModule,
    ImsFaceModule,
    ParallelClusterFaceModule,
    ForemanFaceModule,
    ArtifactsFaceModule,
    BuilderFaceModule,
  ];
}

/** What a process is made of, by its role. */
@Module({})
export class AppModule {
  static forRole(foundations: Foundations): DynamicModule {
    const { role } = foundations.config;
    return {
      module: AppModule,
      imports: [
        ...platform(foundations),
        ...(role === 'worker' ? [] : faces(foundations)),
        ...(role === 'api' ? [] : [WorkersModule.with(BuildersModule)]),
      ],
      providers:
        role === 'worker'
          ? []
          : [
              { provide: APP_FILTER, useClass: WireExceptionFilter },
              { provide: APP_INTERCEPTOR, useClass: RateLimitInterceptor },
            ],
    };
  }
}
