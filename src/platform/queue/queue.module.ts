import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Log } from '../logging/log.js';
import { type QueueAddress, TaskQueue } from './task-queue.js';

@Global()
@Module({})
export class QueueModule {
  static forRoot(address: QueueAddress): DynamicModule {
    return {
      module: QueueModule,
      providers: [{ provide: TaskQueue, useFactory: (log: Log) => new TaskQueue(address, log), inject: [Log] }],
      exports: [TaskQueue],
    };
  }
}
