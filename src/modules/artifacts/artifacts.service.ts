import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import type { ByteRange } from '../../platform/object-store/object-store.js';
import { ObjectNotFoundError } from '../../platform/object-store/object-store.errors.js';
import { ObjectStores } from '../../platform/object-store/object-stores.js';
import { type Actor, Ledger, NotPermittedError } from '../tenancy/index.js';
import { type Address, checkAddress, DELETED_PREFIX, formatAddress } from './address.js';
import type { Artifact, ArtifactWithFile } from './artifact.entity.js';
import {
  AddressTakenError,
  ArtifactInUseError,
  ArtifactNotFoundError,
  SizeMismatchError,
  StoredFileNotFoundError,
} from './artifacts.errors.js';
import { ArtifactsRepository } from './artifacts.repository.js';
import { checkExpectation, type Expectation } from './expectation.js';
import { FileRemover } from './file-remover.js';
import { FileWriter, type StoreFile } from './file-writer.js';
import type { CompleteFile, StoredFile } from './stored-file.entity.js';
import { StoredFilesRepository } from './stored-files.repository.js';

/** What refers to an artifact. */
export interface ArtifactUser {
  readonly noun: 'image' | 'recipe' | 'job';
  readonly id: string;
  /** False for what is soft-deleted: it keeps the artifact, but does not hold it at its place. */
  readonly live: boolean;
}

/** Says what refers to an artifact, as far as one module knows. */
export type ReferenceChecker = (artifact: Artifact) => Promise<readonly ArtifactUser[]>;

/** What is said of the bytes at an address. */
export interface ArtifactContent {
  readonly contentType?: string | null;
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * Bytes and the addresses that name them.
 *
 * A stored file lives as long as something refers to it: addresses, images, jobs. References of living things are
 * charged to the file's project; the last one to be discharged (soft delete) frees its usage, the last one to go
 * removes its bytes.
 */
@Injectable()
export class ArtifactsService {
  private readonly checkers: ReferenceChecker[] = [];

  constructor(
    private readonly files: StoredFilesRepository,
    private readonly artifacts: ArtifactsRepository,
    private readonly writer: FileWriter,
    private readonly remover: FileRemover,
    private readonly uow: UnitOfWork,
    private readonly ledger: Ledger,
    private readonly stores: ObjectStores,
    private readonly outbox: Outbox,
  ) {}

  /** Lets a module that keeps references to artifacts say so before one is replaced or removed. Call at start. */
  registerReferenceChecker(checker: ReferenceChecker): void {
    this.checkers.push(checker);
  }

  // --- files -------------------------------------------------------------------------------------------------------

  /**
   * Streams bytes into a store and computes their digests on the way, on other threads. Room is reserved in the ledger
   * before bytes are written. Call it outside of any transaction.
   *
   * The file comes back without any reference: `reference` it within the hour, or `discard` it. When this rejects,
   * nothing is left. `body` is not destroyed then; its owner drains or destroys it.
   *
   * @param projectId whose usage grows; null (or `charge: false`) nobody's
   * @throws LimitExceededError the project has no room
   * @throws FileTooLargeError more than `maxBytes`
   * @throws SizeMismatchError not as many bytes as `sizeBytes` says
   * @throws ChecksumMismatchError not the `expectedMd5`
   * @throws WriteInterruptedError the body broke off
   */
  storeFile(projectId: string | null, body: Readable, options: StoreFile): Promise<CompleteFile> {
    return this.writer.write(projectId, body, options);
  }

  /** @throws StoredFileNotFoundError no complete file of that id */
  async getFile(fileId: string): Promise<CompleteFile> {
    const file = await this.files.findStored(fileId);
    if (!file) throw new StoredFileNotFoundError(fileId);
    return file;
  }

  /**
   * Opens a complete file for reading. The caller must consume or destroy the stream.
   * @throws StoredFileNotFoundError no complete file of that id, or its bytes are gone
   * @throws RangeUnsatisfiableError
   */
  async open(file: string | Pick<StoredFile, 'storeId' | 'objectKey'>, range?: ByteRange): Promise<Readable> {
    const { storeId, objectKey } = typeof file === 'string' ? await this.getFile(file) : file;
    return this.stores.get(storeId).get(objectKey, range);
  }

  /**
   * An address at which whoever has it may read the file for a while, straight from its store; null: that store has no
   * such addresses.
   * @throws UnavailableError the store's credentials cannot be had now
   */
  presign(
    { storeId, objectKey }: Pick<StoredFile, 'storeId' | 'objectKey'>,
    lifeSeconds: number,
  ): Promise<string | null> {
    return this.stores.get(storeId).presignGet(objectKey, lifeSeconds);
  }

  /**
   * Notes that something living refers to the file, and charges the file's project if it is not charged yet.
   * @throws StoredFileNotFoundError it is gone
   * @throws LimitExceededError it costs nothing so far, and there is no room
   */
  async reference(fileId: string): Promise<void> {
    await this.change(fileId, async (file) => {
      await this.startCharging(file);
      file.referenceCount += 1;
    });
  }

  /**
   * Notes that one reference is gone; with the last one the bytes go, before the outermost call of `UnitOfWork.run`
   * returns. The reference of something soft-deleted must have been discharged when that was deleted.
   */
  async unreference(fileId: string): Promise<void> {
    await this.change(fileId, async (file) => {
      file.referenceCount -= 1;
      if (file.chargeCount > file.referenceCount) await this.stopCharging(file);
    });
    await this.remover.removeUnreferenced(fileId);
  }

  /**
   * Counts one reference again that `discharge` took out: a restore.
   * @throws LimitExceededError there is no room any more
   */
  async charge(fileId: string): Promise<void> {
    await this.change(fileId, (file) => this.startCharging(file));
  }

  /** Stops counting one reference, which stays: a soft delete. */
  async discharge(fileId: string): Promise<void> {
    await this.change(fileId, (file) => this.stopCharging(file));
  }

  /**
   * Counts the bytes against another project from now on.
   * @throws LimitExceededError there is no room
   */
  async moveCharge(fileId: string, projectId: string | null): Promise<void> {
    await this.change(fileId, async (file) => {
      if (file.projectId === projectId) return;
      await this.ledger.release(file.projectId, file.quantity, file.chargedBytes);
      file.chargedBytes = file.chargeCount > 0 && projectId !== null ? file.sizeBytes : 0;
      await this.ledger.reserve(projectId, file.quantity, file.chargedBytes);
      file.projectId = projectId;
    });
  }

  /**
   * Counts a staged file as stored from now on.
   * @throws LimitExceededError there is no room
   */
  async storeStaged(fileId: string): Promise<void> {
    await this.change(fileId, async (file) => {
      if (file.quantity === 'storage_bytes') return;
      await this.ledger.release(file.projectId, file.quantity, file.chargedBytes);
      file.quantity = 'storage_bytes';
      await this.ledger.reserve(file.projectId, file.quantity, file.chargedBytes);
    });
  }

  /** Removes a file that nothing refers to; otherwise does nothing. */
  discard(fileId: string): Promise<void> {
    return this.remover.removeUnreferenced(fileId);
  }

  /** Removes what crashes left behind. Repeatable, in any number of processes at once. Returns how many files went. */
  sweep(): Promise<number> {
    return this.remover.sweep();
  }

  // --- addresses ---------------------------------------------------------------------------------------------------

  /** What lies at an address of a project; null when nothing does. */
  find(projectId: string, bucket: string, key: string): Promise<Artifact | null> {
    return this.artifacts.find(projectId, { bucket, key });
  }

  /** As `find`, with the file behind it. */
  findWithFile(projectId: string, address: Address): Promise<ArtifactWithFile | null> {
    return this.artifacts.findWithFile(projectId, address);
  }

  /** @throws ArtifactNotFoundError */
  async getArtifact(artifactId: string): Promise<Artifact> {
    const artifact = await this.artifacts.findById(artifactId);
    if (!artifact) throw new ArtifactNotFoundError(artifactId);
    return artifact;
  }

  /** @throws ArtifactNotFoundError */
  async getWithFile(artifactId: string): Promise<ArtifactWithFile> {
    const found = await this.artifacts.findByIdWithFile(artifactId);
    if (!found) throw new ArtifactNotFoundError(artifactId);
    return found;
  }

  /**
   * As `find`, in a transaction that is about to refer to it: nobody replaces or removes it until that ends. What a delete
   * moved is not there for anything new: nobody pays for it.
   */
  hold(projectId: string, { bucket, key }: Address): Promise<Artifact | null> {
    return this.artifacts.lockShared(projectId, { bucket, key });
  }

  /** As `hold`, for many addresses; those where nothing lies are left out, and the order is not theirs. */
  holdAll(projectId: string, addresses: readonly Address[]): Promise<Artifact[]> {
    return this.artifacts.lockAllShared(projectId, addresses);
  }

  /**
   * An address of the actor's project and the file behind it.
   * @throws NotPermittedError the actor may not read there
   * @throws MalformedAddressError nothing could lie there
   * @throws ArtifactNotFoundError nothing lies there
   * @throws ArtifactChangedError something else does than is expected
   */
  async get(actor: Actor, address: Address, expected?: Expectation): Promise<ArtifactWithFile> {
    if (!actor.has('reader')) throw new NotPermittedError('artifacts:get');
    checkAddress(address);
    const found = await this.artifacts.findWithFile(actor.projectId!, address);
    if (!found) throw new ArtifactNotFoundError(formatAddress(address));
    checkExpectation(address, found.artifact, expected);
    return found;
  }

  /**
   * Opens what was found, or a part of it. A replacing `put` may have taken the bytes away since: then it is what `look`
   * finds now that is opened. The caller must consume or destroy the stream.
   *
   * @throws ObjectNotFoundError the store has lost the bytes
   * @throws RangeUnsatisfiableError
   */
  async openFound(
    found: ArtifactWithFile,
    look: () => Promise<ArtifactWithFile>,
    partOf: (found: ArtifactWithFile) => ByteRange | null = () => null,
  ): Promise<ArtifactWithFile & { readonly bytes: Readable }> {
    try {
      return { ...found, bytes: await this.open(found.file, partOf(found) ?? undefined) };
    } catch (error) {
      if (!(error instanceof ObjectNotFoundError)) throw error;
      const now = await look();
      if (now.file.id === found.file.id) throw error;
      return this.openFound(now, look, partOf);
    }
  }

  /**
   * Stores bytes at an address of the actor's project, in place of what lay there.
   *
   * @throws NotPermittedError the actor may not write there
   * @throws ArtifactInUseError something refers to what lies there; found before bytes are read, if it was so then
   * @throws ArtifactChangedError something else lies there than is expected; found likewise
   * @throws anything that `storeFile` throws
   */
  async put(
    actor: Actor,
    address: Address,
    body: Readable,
    options: Omit<StoreFile, 'charge'> & ArtifactContent & { readonly expected?: Expectation },
  ): Promise<ArtifactWithFile> {
    const projectId = this.writableProject(actor, 'artifacts:put');
    checkAddress(address);
    const present = await this.artifacts.find(projectId, address);
    if (present) await this.refuseUsed(present);
    checkExpectation(address, present, options.expected);
    const file = await this.writer.write(projectId, body, { ...options, charge: true });
    try {
      const artifact = await this.uow.run(async () => {
        const stored = await this.place(projectId, address, file, options);
        await this.record('artifact.stored', actor.id, stored);
        return stored;
      });
      return { artifact, file };
    } catch (error) {
      await this.remover.removeUnreferenced(file.id);
      throw error;
    }
  }

  /**
   * Gives a complete file an address, which refers to it from then on.
   * @throws AddressTakenError
   */
  async attach(projectId: string, address: Address, fileId: string, content: ArtifactContent = {}): Promise<Artifact> {
    checkAddress(address);
    return this.uow.run(async () => {
      const file = await this.getFile(fileId);
      const artifact = await this.artifacts.insert(newArtifact(projectId, address, file, content));
      if (!artifact) throw new AddressTakenError(formatAddress(address));
      await this.reference(fileId);
      return artifact;
    });
  }

  /**
   * Moves an address below `deleted/`, as the delete of its user does, and stops charging for it. Where another deleted
   * one lies there already, the artifact's id comes between. One that something else alive refers to stays where it is,
   * as does one that was moved before. Call it when its user counts as deleted.
   */
  moveToDeleted(artifactId: string): Promise<Artifact> {
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lockById(artifactId);
      if (!artifact) throw new ArtifactNotFoundError(artifactId);
      const users = await this.usersOf(artifact);
      if (artifact.movedFromKey !== null || users.some((user) => user.live && user.noun !== 'job')) return artifact;
      const key = DELETED_PREFIX + artifact.key;
      const taken = await this.artifacts.find(artifact.projectId, { bucket: artifact.bucket, key });
      const free = taken ? `${DELETED_PREFIX}${artifact.id}/${artifact.key}` : key;
      const moved = await this.artifacts.move(artifact, free, artifact.key);
      await this.discharge(artifact.storedFileId);
      return moved;
    });
  }

  /**
   * Moves an address back to where it was before a delete moved it, and charges for it again: a restore. One that was
   * not moved stays where it is. If the same bytes have come to lie at the old place meanwhile, it is they that are
   * returned, another artifact.
   *
   * @throws AddressTakenError other bytes lie there
   * @throws LimitExceededError there is no room any more
   */
  moveBack(artifactId: string): Promise<Artifact> {
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lockById(artifactId);
      if (!artifact) throw new ArtifactNotFoundError(artifactId);
      if (artifact.movedFromKey === null) return artifact;
      const target = { bucket: artifact.bucket, key: artifact.movedFromKey };
      const present = await this.artifacts.lock(artifact.projectId, target);
      if (present) {
        if (present.movedFromKey === null && (await this.haveSameBytes(present, artifact))) return present;
        throw new AddressTakenError(formatAddress(target));
      }
      const moved = await this.artifacts.move(artifact, artifact.movedFromKey, null);
      await this.charge(artifact.storedFileId);
      return moved;
    });
  }

  /**
   * Gives an artifact another key in its bucket. One that lay below `deleted/` counts again.
   * @throws AddressTakenError
   * @throws LimitExceededError it counted no more, and there is no room now
   */
  move(artifactId: string, key: string): Promise<Artifact> {
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lockById(artifactId);
      if (!artifact) throw new ArtifactNotFoundError(artifactId);
      if (artifact.key === key) return artifact;
      const address = { bucket: artifact.bucket, key };
      if (await this.artifacts.find(artifact.projectId, address)) throw new AddressTakenError(formatAddress(address));
      const moved = await this.artifacts.move(artifact, key, null);
      if (isDischarged(artifact)) await this.charge(artifact.storedFileId);
      return moved;
    });
  }

  /**
   * Gives an address, and what it costs, to another project.
   * @throws AddressTakenError that project has something there already
   * @throws LimitExceededError that project has no room
   */
  moveToProject(artifactId: string, projectId: string): Promise<void> {
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lockById(artifactId);
      if (!artifact || artifact.projectId === projectId) return;
      await this.artifacts.moveToProject(artifact, projectId);
      const { projectId: charged } = await this.getFile(artifact.storedFileId);
      // Kiln's own files are charged to nobody.
      if (charged !== null) await this.moveCharge(artifact.storedFileId, projectId);
    });
  }

  /**
   * Lets an address name another file with the same bytes, which is about to be the only one.
   * @throws SizeMismatchError the bytes are others
   */
  repoint(artifactId: string, fileId: string): Promise<void> {
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lockById(artifactId);
      if (!artifact) throw new ArtifactNotFoundError(artifactId);
      const [from, to] = [await this.getFile(artifact.storedFileId), await this.getFile(fileId)];
      if (from.sizeBytes !== to.sizeBytes || from.sha512 !== to.sha512) {
        throw new SizeMismatchError(from.sizeBytes, to.sizeBytes);
      }
      await this.reference(fileId);
      if (isDischarged(artifact)) await this.discharge(fileId);
      await this.artifacts.setFile(artifact.id, fileId);
      await this.letGo(artifact);
    });
  }

  /** Removes an address that nothing refers to any more; its bytes go with the last reference. For modules' own use. */
  remove(artifactId: string): Promise<void> {
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lockById(artifactId);
      if (!artifact) return;
      await this.artifacts.delete(artifact.id);
      await this.letGo(artifact);
    });
  }

  /** As `remove`, but only if no image, recipe or job refers to it. */
  removeUnused(artifactId: string): Promise<void> {
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lockById(artifactId);
      if (artifact && (await this.usersOf(artifact)).length === 0) await this.remove(artifactId);
    });
  }

  /**
   * Removes an address of the actor's project, on a user's request.
   * @throws NotPermittedError
   * @throws MalformedAddressError nothing could lie there
   * @throws ArtifactNotFoundError
   * @throws ArtifactInUseError
   * @throws ArtifactChangedError something else lies there than is expected
   */
  async delete(actor: Actor, address: Address, expected?: Expectation): Promise<void> {
    const projectId = this.writableProject(actor, 'artifacts:delete');
    checkAddress(address);
    return this.uow.run(async () => {
      const artifact = await this.artifacts.lock(projectId, address);
      if (!artifact) throw new ArtifactNotFoundError(formatAddress(address));
      await this.refuseUsed(artifact);
      checkExpectation(address, artifact, expected);
      await this.remove(artifact.id);
      await this.record('artifact.removed', actor.id, artifact);
    });
  }

  private writableProject(actor: Actor, action: string): string {
    if (!actor.has('member')) throw new NotPermittedError(action);
    return actor.projectId!;
  }

  private async place(
    projectId: string,
    address: Address,
    file: CompleteFile,
    { expected, ...content }: ArtifactContent & { readonly expected?: Expectation },
  ): Promise<Artifact> {
    await this.reference(file.id);
    const wanted = newArtifact(projectId, address, file, content);
    for (;;) {
      const present = await this.artifacts.lock(projectId, address);
      if (present) {
        await this.refuseUsed(present);
        checkExpectation(address, present, expected);
        const replaced = await this.artifacts.replace(present.id, wanted);
        await this.letGo(present);
        return replaced;
      }
      checkExpectation(address, null, expected);
      // Someone else may have put something there since; then that is what is replaced.
      const inserted = await this.artifacts.insert(wanted);
      if (inserted) return inserted;
    }
  }

  /** Of two references to a file the other one may be a deleted image's, which costs nothing. */
  private async letGo(artifact: Artifact): Promise<void> {
    if (!isDischarged(artifact)) await this.discharge(artifact.storedFileId);
    await this.unreference(artifact.storedFileId);
  }

  private async haveSameBytes(one: Artifact, other: Artifact): Promise<boolean> {
    const [a, b] = [await this.getFile(one.storedFileId), await this.getFile(other.storedFileId)];
    return a.sizeBytes === b.sizeBytes && a.sha512 === b.sha512;
  }

  private async refuseUsed(artifact: Artifact): Promise<void> {
    const [user] = await this.usersOf(artifact);
    if (user) throw new ArtifactInUseError(formatAddress(artifact), `${user.noun} ${user.id}`);
  }

  private async usersOf(artifact: Artifact): Promise<ArtifactUser[]> {
    const users: ArtifactUser[] = [];
    for (const checker of this.checkers) users.push(...(await checker(artifact)));
    return users;
  }

  private record(kind: string, actorId: string, artifact: Artifact): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'artifact',
      nounId: artifact.id,
      projectId: artifact.projectId,
      actorId,
      data: { address: formatAddress(artifact), fileId: artifact.storedFileId },
    });
  }

  private change(fileId: string, apply: (file: CompleteFile) => Promise<void> | void): Promise<void> {
    return this.uow.run(async () => {
      const file = await this.files.lockStored(fileId);
      if (!file) throw new StoredFileNotFoundError(fileId);
      await apply(file);
      await this.files.update(fileId, file);
    });
  }

  private async startCharging(file: CompleteFile): Promise<void> {
    file.chargeCount += 1;
    // A file that was just written is charged before its first reference.
    if (file.projectId === null || file.chargedBytes === file.sizeBytes) return;
    await this.ledger.reserve(file.projectId, file.quantity, file.sizeBytes);
    file.chargedBytes = file.sizeBytes;
  }

  private async stopCharging(file: CompleteFile): Promise<void> {
    if (file.chargeCount === 0) return;
    file.chargeCount -= 1;
    if (file.chargeCount > 0) return;
    await this.ledger.release(file.projectId, file.quantity, file.chargedBytes);
    file.chargedBytes = 0;
  }
}

/** Whether a delete has moved the artifact, and stopped charging for it. */
function isDischarged(artifact: Artifact): boolean {
  return artifact.movedFromKey !== null;
}

function newArtifact(projectId: string, { bucket, key }: Address, file: CompleteFile, content: ArtifactContent) {
  return {
    id: newId(),
    projectId,
    bucket,
    key,
    storedFileId: file.id,
    etag: file.md5,
    contentType: content.contentType ?? null,
    metadata: { ...content.metadata },
  };
}
