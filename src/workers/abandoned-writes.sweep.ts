import { Injectable } from '@nestjs/common';
import { Log } from '../platform/logging/log.js';
import { ObjectStores } from '../platform/object-store/object-stores.js';
import type { Sweep } from './sweep.js';

/** An upload may pause for long, and another machine's is known only by what it wrote last. */
const ABANDONED_AFTER_MS = 6 * 3_600_000;

/** Removes what writes of dead processes left in the stores before there was an object: no row knows of it. */
@Injectable()
export class AbandonedWritesSweep implements Sweep {
  readonly name = 'abandoned-writes';
  readonly everyMs = 1_800_000;

  constructor(
    private readonly stores: ObjectStores,
    private readonly log: Log,
  ) {}

  async run(): Promise<number> {
    let removed = 0;
    for (const store of this.stores.all()) {
      try {
        removed += await store.removeAbandoned(ABANDONED_AFTER_MS);
      } catch (error) {
        // One store that is down must not keep the others from being swept.
        this.log.warn('abandoned writes of a store could not be removed; trying again later', {
          error,
          store: store.description.id,
        });
      }
    }
    if (removed > 0) this.log.info('abandoned writes were removed', { removed });
    return removed;
  }
}
