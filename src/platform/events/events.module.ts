import { Global, Module } from '@nestjs/common';
import { EventDispatcher } from './event-dispatcher.js';
import { Outbox } from './outbox.js';

@Global()
@Module({ providers: [Outbox, EventDispatcher], exports: [Outbox, EventDispatcher] })
export class EventsModule {}
