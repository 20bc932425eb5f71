import { Module } from '@nestjs/common';
import { SharedCounters } from './shared-counters.js';

@Module({ providers: [SharedCounters], exports: [SharedCounters] })
export class SharedCountersModule {}
