import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Outbox } from '../platform/events/outbox.js';
import type { Sweep } from './sweep.js';

const AT_ONCE = 5_000;

/** Removes old events; what is deleted is remembered as long as it can be brought back, and no longer. */
@Injectable()
export class PurgeEventsSweep implements Sweep {
  readonly name = 'purge-events';
  readonly everyMs = 60_000;

  constructor(
    private readonly outbox: Outbox,
    private readonly config: Config,
  ) {}

  async run(): Promise<void> {
    const { deletedRetentionMs } = this.config;
    if (deletedRetentionMs !== null) await this.outbox.purge(deletedRetentionMs, AT_ONCE);
  }
}
