import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Metrics } from './metrics.js';

@Global()
@Module({})
export class TelemetryModule {
  static forRoot(metrics: Metrics): DynamicModule {
    return { module: TelemetryModule, providers: [{ provide: Metrics, useValue: metrics }], exports: [Metrics] };
  }
}
