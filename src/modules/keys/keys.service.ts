import { Injectable } from '@nestjs/common';
import { isUuid, newId } from '../../common/ids.js';
import { drain } from '../../common/drain.js';
import { Config } from '../../config/config.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import { Log } from '../../platform/logging/log.js';
import { Actor, Ledger, NotPermittedError } from '../tenancy/index.js';
import type { Key } from './key.entity.js';
import { KeyMarkerNotFoundError, KeyNotFoundError } from './keys.errors.js';
import { KeysRepository } from './keys.repository.js';
import type { CreateKey, KeyQuery } from './keys.types.js';

const SWEEP_BATCH = 100;

/** Public keys of projects. Readers see their project's, members change them, administrators see and change all. */
@Injectable()
export class KeysService {
  constructor(
    private readonly keys: KeysRepository,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /**
   * Adds a key to the actor's project.
   * @throws NotPermittedError, LimitExceededError
   */
  async create(actor: Actor, wanted: CreateKey): Promise<Key> {
    const projectId = ownProject(actor, 'keys:create');
    return this.uow.run(async () => {
      await this.ledger.reserve(projectId, 'keys', 1);
      const key = await this.keys.insert({ id: newId(), projectId, ...wanted });
      await this.record('key.created', actor, key);
      return key;
    });
  }

  /** @throws KeyNotFoundError unknown, deleted, or another project's */
  async get(actor: Actor, keyId: string): Promise<Key> {
    const key = isUuid(keyId) ? await this.keys.find(keyId) : null;
    if (!key || !actor.mayRead(key.projectId)) throw new KeyNotFoundError(keyId);
    return key;
  }

  /**
   * Every key of the list, read as it is consumed.
   * @param wanted how many will probably be consumed
   * @throws KeyMarkerNotFoundError
   */
  async *stream(actor: Actor, query: KeyQuery, wanted?: number): AsyncGenerator<Key> {
    checkScope(actor, query.projectId);
    yield* this.keys.stream(query, await this.marker(query), wanted);
  }

  /**
   * Deletes a key softly. Jobs that use it have copied its text, so they go on.
   * @throws KeyNotFoundError, NotPermittedError
   */
  delete(actor: Actor, keyId: string): Promise<void> {
    return this.uow.run(async () => {
      const key = await this.get(actor, keyId);
      if (!actor.mayChange(key.projectId)) throw new NotPermittedError('keys:delete');
      if (!(await this.keys.markDeleted(key.id))) throw new KeyNotFoundError(keyId);
      await this.ledger.release(key.projectId, 'keys', 1);
      await this.record('key.deleted', actor, key);
      if (this.config.deletedRetentionMs === 0) await this.erase(actor, key.id);
    });
  }

  /** Deletes a key at once and for good. @throws KeyNotFoundError, NotPermittedError */
  deleteForGood(actor: Actor, keyId: string): Promise<void> {
    return this.uow.run(async () => {
      await this.delete(actor, keyId);
      await this.erase(actor, keyId);
    });
  }

  /** Deletes every key of the actor's project softly, each on its own. @throws NotPermittedError */
  async deleteAll(actor: Actor): Promise<void> {
    const projectId = ownProject(actor, 'keys:delete');
    for await (const key of this.keys.stream({ projectId, filter: {}, sort: [] }, null)) {
      await this.delete(actor, key.id).catch(ignoreGone);
    }
  }

  /** @throws KeyNotFoundError unknown, not deleted, purged, or another project's */
  async getDeleted(actor: Actor, keyId: string): Promise<Key> {
    const key = isUuid(keyId) ? await this.keys.findDeleted(keyId) : null;
    if (!key || !actor.mayRead(key.projectId)) throw new KeyNotFoundError(keyId);
    return key;
  }

  /** As `getDeleted`, for whoever is about to restore or purge it. @throws KeyNotFoundError, NotPermittedError */
  async getDeletedForChange(actor: Actor, keyId: string): Promise<Key> {
    const key = await this.getDeleted(actor, keyId);
    if (!actor.mayChange(key.projectId)) throw new NotPermittedError('keys:restore');
    return key;
  }

  /**
   * Brings a deleted key back as it was, and counts it again.
   * @throws KeyNotFoundError, NotPermittedError
   * @throws LimitExceededError there is no room for it any more
   */
  restore(actor: Actor, keyId: string): Promise<Key> {
    return this.uow.run(async () => {
      await this.getDeletedForChange(actor, keyId);
      const key = await this.keys.restore(keyId);
      if (!key) throw new KeyNotFoundError(keyId);
      await this.ledger.reserve(key.projectId, 'keys', 1);
      await this.record('key.restored', actor, key);
      return key;
    });
  }

  /** Removes a deleted key for good. @throws KeyNotFoundError, NotPermittedError */
  purge(actor: Actor, keyId: string): Promise<void> {
    return this.uow.run(async () => {
      await this.getDeletedForChange(actor, keyId);
      if (!(await this.erase(actor, keyId))) throw new KeyNotFoundError(keyId);
    });
  }

  /** Purges what was deleted long enough ago; any number of processes may do so at once. Returns how many. */
  async sweep(): Promise<number> {
    const { deletedRetentionMs } = this.config;
    if (deletedRetentionMs === null) return 0;
    const actor = Actor.system('retention');
    return drain(
      SWEEP_BATCH,
      (limit) => this.keys.findExpired(deletedRetentionMs, limit),
      (keyId) => this.erase(actor, keyId),
      (keyId, error) => this.log.error('a deleted key could not be purged', { error, key_id: keyId }),
    );
  }

  /** Removes a deleted key for good; false if it is not deleted. */
  private erase(actor: Actor, keyId: string): Promise<boolean> {
    return this.uow.run(async () => {
      const key = await this.keys.purge(keyId);
      if (!key) return false;
      await this.record('key.purged', actor, key);
      return true;
    });
  }

  private async marker({ marker, projectId, sort }: KeyQuery): Promise<Key | null> {
    if (marker === undefined) return null;
    const key = isUuid(marker) ? await this.keys.findEvenDeleted(marker) : null;
    // One that was restored meanwhile has no place in the order of deletion.
    const placed = key && (key.deletedAt !== null || sort.every((term) => term.key !== 'deleted'));
    if (!placed || (projectId !== null && key.projectId !== projectId)) throw new KeyMarkerNotFoundError(marker);
    return key;
  }

  private record(kind: string, actor: Actor, key: Key): Promise<void> {
    const { id, projectId, name } = key;
    return this.outbox.record({ kind, noun: 'key', nounId: id, projectId, actorId: actor.id, data: { name } });
  }
}

function ownProject(actor: Actor, action: string): string {
  if (!actor.has('member')) throw new NotPermittedError(action);
  return actor.projectId!;
}

function checkScope(actor: Actor, projectId: string | null): void {
  if (!actor.mayRead(projectId)) throw new NotPermittedError('keys:list');
}

/** Somebody else deleted it first. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof KeyNotFoundError)) throw error;
}
