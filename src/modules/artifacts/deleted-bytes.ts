import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Log } from '../../platform/logging/log.js';
import { Actor, Ledger } from '../tenancy/index.js';
import { StoredFilesRepository } from './stored-files.repository.js';

/** Soft-deleted things of one kind, which keep stored files that nobody pays for. */
export interface DeletedKeeper {
  /** Of those of a project that keep such files, the one that was deleted first. */
  findOldest(projectId: string): Promise<{ readonly id: string; readonly deletedAt: Date } | null>;
  /** Removes it for good; nothing happens if it is not (or no longer) deleted. */
  purge(actor: Actor, id: string): Promise<void>;
}

/**
 * A project's deleted bytes never exceed its own storage limit: what was deleted first is purged first, whatever it is.
 * A file that something alive pays for as well counts there and not here, and one that many deleted things share counts
 * once.
 */
@Injectable()
export class DeletedBytes {
  private readonly keepers: DeletedKeeper[] = [];

  constructor(
    private readonly files: StoredFilesRepository,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly log: Log,
  ) {}

  /** Call at start. */
  registerKeeper(keeper: DeletedKeeper): void {
    this.keepers.push(keeper);
  }

  /**
   * Purges what is too much once the open transaction has committed. The delete that made it too much is done then, so
   * a failure is logged, and the sweep tries again.
   */
  purgeSurplusAfterCommit(actor: Actor, projectId: string | null): Promise<void> {
    return this.uow.afterCommit(async () => {
      if (projectId !== null) await this.tryPurgeSurplus(actor, projectId);
    });
  }

  /** Purges what is too much in any project; any number of processes may do so at once. Returns how many things. */
  async sweep(): Promise<number> {
    const actor = Actor.system('retention');
    let purged = 0;
    for (const projectId of await this.files.projectsWithUnpaid())
      purged += await this.tryPurgeSurplus(actor, projectId);
    return purged;
  }

  private async tryPurgeSurplus(actor: Actor, projectId: string): Promise<number> {
    try {
      return await this.purgeSurplus(actor, projectId);
    } catch (error) {
      this.log.error('deleted bytes beyond the limit could not be purged', { error, project_id: projectId });
      return 0;
    }
  }

  private async purgeSurplus(actor: Actor, projectId: string): Promise<number> {
    const usage = await this.ledger.find(projectId, 'storage_bytes');
    if (usage?.maximum == null) return 0;
    const seen = new Set<string>();
    while ((await this.files.unpaidBytes(projectId)) > usage.maximum) {
      const oldest = await this.findOldest(projectId);
      // One that comes up again was restored and deleted meanwhile, and is not the oldest any more.
      if (!oldest || seen.has(oldest.id)) break;
      seen.add(oldest.id);
      await oldest.keeper.purge(actor, oldest.id);
    }
    return seen.size;
  }

  private async findOldest(projectId: string) {
    const found = [];
    for (const keeper of this.keepers) {
      const oldest = await keeper.findOldest(projectId);
      if (oldest) found.push({ ...oldest, keeper });
    }
    return found.sort((a, b) => a.deletedAt.getTime() - b.deletedAt.getTime())[0];
  }
}
