import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Log } from '../../platform/logging/log.js';
import { ObjectStores } from '../../platform/object-store/object-stores.js';
import { Ledger } from '../tenancy/index.js';
import { type DoomedFile, StoredFilesRepository } from './stored-files.repository.js';

const BATCH = 50;
/** Stores are asked for what they hold less often than the database, since some charge for it. */
const STORES_EVERY_MS = 60_000;
/** How far the clocks of a store and of this process may be apart: S3 servers refuse whoever is further off. */
const CLOCK_SKEW_MS = 900_000;

/** Takes files away: first the row says so and the usage shrinks, then the bytes go, then the row. */
@Injectable()
export class FileRemover {
  private nextLookAtStores = 0;

  constructor(
    private readonly files: StoredFilesRepository,
    private readonly uow: UnitOfWork,
    private readonly ledger: Ledger,
    private readonly stores: ObjectStores,
    private readonly log: Log,
  ) {}

  /** Takes a file away that nothing refers to; otherwise does nothing. The bytes go once the open transaction commits. */
  async removeUnreferenced(fileId: string): Promise<void> {
    await this.uow.run(async () => {
      const doomed = await this.files.doom(fileId);
      if (!doomed) return;
      await this.ledger.release(doomed.projectId, doomed.quantity, doomed.chargedBytes);
      await this.uow.afterCommit(() => this.erase(doomed));
    });
  }

  /** Removes what dead writers, failed removals and lost references left behind. Any number of processes may do so at once. */
  async sweep(): Promise<number> {
    let removed = 0;
    removed += await this.drain(() => this.doomBatch(() => this.files.doomAbandoned(BATCH)));
    removed += await this.drain(() => this.doomBatch(() => this.files.doomUnreferenced(BATCH)));
    removed += await this.drain(() => this.files.claimDoomed(BATCH));
    await this.removeUnfinished();
    return removed;
  }

  /** What stores keep of writes that never came to an end: all that is older than every write still under way. */
  private async removeUnfinished(): Promise<void> {
    if (Date.now() < this.nextLookAtStores) return;
    this.nextLookAtStores = Date.now() + STORES_EVERY_MS;
    for (const store of this.stores.all()) {
      try {
        const ageMs = (await this.files.oldestWriteAgeMs(store.description.id)) + CLOCK_SKEW_MS;
        await store.removeAbandoned(ageMs);
      } catch (error) {
        // One store that is away must not keep the others from being cleaned.
        this.log.warn('unfinished writes could not be removed from a store', { error, store: store.description.id });
      }
    }
  }

  private async drain(next: () => Promise<DoomedFile[]>): Promise<number> {
    for (let count = 0; ;) {
      const batch = await next();
      for (const file of batch) await this.erase(file);
      count += batch.length;
      if (batch.length < BATCH) return count;
    }
  }

  private doomBatch(doom: () => Promise<DoomedFile[]>): Promise<DoomedFile[]> {
    return this.uow.run(async () => {
      const batch = await doom();
      for (const file of batch) await this.ledger.release(file.projectId, file.quantity, file.chargedBytes);
      return batch;
    });
  }

  private async erase(file: DoomedFile): Promise<void> {
    try {
      await this.stores.get(file.storeId).delete(file.objectKey);
      await this.files.deleteDoomed(file.id);
    } catch (error) {
      // The row stays, so a later sweep tries again.
      this.log.warn('a stored file could not be removed; the sweep tries again', { error, file_id: file.id });
    }
  }
}
