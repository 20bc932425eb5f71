import { Global, Module } from '@nestjs/common';
import { RateLimiter } from './rate-limiter.js';
import { SharedCountersModule } from './shared-counters.module.js';

@Global()
@Module({ imports: [SharedCountersModule], providers: [RateLimiter], exports: [RateLimiter] })
export class RateLimitModule {}
