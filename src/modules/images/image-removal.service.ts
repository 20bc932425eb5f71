import { Injectable, type OnModuleInit } from '@nestjs/common';
import { isUuid } from '../../common/ids.js';
import { drain } from '../../common/drain.js';
import { Config } from '../../config/config.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import { Log } from '../../platform/logging/log.js';
import { ArtifactsService, DeletedBytes } from '../artifacts/index.js';
import { Actor, Ledger } from '../tenancy/index.js';
import { ImageCache } from './cache/image-cache.js';
import { DeletedImagesRepository, inOrder } from './deleted/deleted-images.repository.js';
import type { Image } from './image.entity.js';
import { ImageInUseError, ImageNotFoundError } from './images.errors.js';
import { ImagesPolicy } from './images.policy.js';
import { ImagesRepository } from './images.repository.js';
import { RECEIVING } from './images.types.js';
import { importTaskOf } from './imports/import-marks.js';
import { ImagePinsService } from './pins/image-pins.service.js';

const SWEEP_BATCH = 100;

/**
 * Deletes images, and purges them when their retention ends.
 *
 * A delete takes the image out of its project's usage and out of every list; all of it stays, so that it could come
 * back as it was. A purge removes its bytes and leaves a tombstone.
 */
@Injectable()
export class ImageRemovalService implements OnModuleInit {
  private importDeleted: ((imageId: string, taskId: string) => Promise<void>) | null = null;

  constructor(
    private readonly images: ImagesRepository,
    private readonly deleted: DeletedImagesRepository,
    private readonly policy: ImagesPolicy,
    private readonly artifacts: ArtifactsService,
    private readonly deletedBytes: DeletedBytes,
    private readonly cache: ImageCache,
    private readonly pins: ImagePinsService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.deletedBytes.registerKeeper({
      findOldest: (projectId) => this.images.findOldestUnpaid(projectId),
      purge: (actor, imageId) => this.purge(actor, imageId),
    });
  }

  /** Lets whoever runs imports end that of an image which is about to be deleted. Call at start. */
  onImportDeleted(hook: (imageId: string, taskId: string) => Promise<void>): void {
    this.importDeleted = hook;
  }

  /**
   * As `ImagesService.delete`; its artifacts may be told to stay where they are, for their own sake, and who insists
   * deletes what is in use as well.
   */
  delete(actor: Actor, imageId: string, { keepArtifacts = false, evenInUse = false } = {}): Promise<void> {
    return this.uow.run(async () => {
      const sighting = isUuid(imageId, true) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
      if (!sighting) throw new ImageNotFoundError(imageId);
      this.policy.checkDelete(actor, sighting);
      if (!evenInUse && (await this.pins.isPinned(sighting.image.id))) throw new ImageInUseError(imageId);
      if (keepArtifacts) await this.deleted.forgetArtifacts(imageId);
      const image = await this.withoutImport(sighting.image);
      await this.softDelete(actor, image);
      if (this.config.deletedRetentionMs === 0) await this.purgeDeleted(actor, imageId);
      await this.deletedBytes.purgeSurplusAfterCommit(actor, image.projectId);
    });
  }

  /** Removes a deleted image for good; nothing happens if it is not (or no longer) deleted. */
  purge(actor: Actor, imageId: string): Promise<void> {
    return this.uow.run(() => this.purgeDeleted(actor, imageId));
  }

  /** Purges what was deleted long enough ago; any number of processes may do so at once. */
  async sweep(): Promise<number> {
    const actor = Actor.system('retention');
    const { deletedRetentionMs } = this.config;
    if (deletedRetentionMs === null) return 0;
    return drain(
      SWEEP_BATCH,
      (limit) => this.images.findExpired(deletedRetentionMs, limit),
      (imageId) => this.purge(actor, imageId),
      (imageId, error) => this.log.error('a deleted image could not be purged', { error, image_id: imageId }),
    );
  }

  /** The image as it is when the import that runs for it, if any, has ended and given back what it held. */
  private async withoutImport(image: Image): Promise<Image> {
    const taskId = importTaskOf(image);
    if (taskId === null || this.importDeleted === null) return image;
    await this.importDeleted(image.id, taskId);
    return (await this.images.findForUpdate(image.id, null))!.image;
  }

  private async softDelete(actor: Actor, image: Image): Promise<void> {
    await this.images.markDeleted(image.id);
    await this.uow.afterCommit(() => this.cache.forget(image.id));
    // What is arriving costs nothing from now on; whoever sends it is told so, and stopped.
    if (image.uploadFileId !== null) await this.dropIncoming(image, image.uploadFileId);
    for (const fileId of await this.images.filesOf(image.id)) await this.artifacts.discharge(fileId);
    await this.deleted.noteManifest(image);
    // In one order, so that two deletes that share artifacts do not wait for each other.
    for (const { artifactId } of inOrder(await this.deleted.artifactsOf(image.id))) {
      await this.artifacts.moveToDeleted(artifactId);
    }
    if (RECEIVING.includes(image.status)) await this.ledger.release(image.projectId, 'uploads', 1);
    await this.ledger.release(image.projectId, 'images', 1);
    // Whoever reads the store is told of what had a manifest.
    await this.record('image.deleted', actor, image, image.linkPath !== null);
  }

  /** A size tells that the file is staged as a whole, and that the image refers to it. */
  private dropIncoming({ sizeBytes }: Image, fileId: string): Promise<void> {
    return sizeBytes === null ? this.artifacts.discard(fileId) : this.artifacts.unreference(fileId);
  }

  private async purgeDeleted(actor: Actor, imageId: string): Promise<void> {
    const image = await this.images.findDeletedForUpdate(imageId);
    if (!image) return;
    const files = await this.images.filesOf(imageId);
    const artifacts = inOrder(await this.deleted.artifactsOf(imageId));
    await this.images.purge(image);
    for (const { artifactId } of artifacts) await this.artifacts.removeUnused(artifactId);
    for (const fileId of files) await this.artifacts.unreference(fileId);
    await this.record('image.purged', actor, image);
  }

  private record(kind: string, actor: Actor, image: Image, dispatch = false): Promise<void> {
    const { id, projectId } = image;
    return this.outbox.record({ kind, noun: 'image', nounId: id, projectId, actorId: actor.id }, { dispatch });
  }
}
