import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { Log } from '../../../platform/logging/log.js';
import { ObjectStores } from '../../../platform/object-store/object-stores.js';
import { ArtifactsService, type CompleteFile, WriteLeaseLostError } from '../../artifacts/index.js';
import { type Actor, Ledger } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { checkTransition } from '../image-status.js';
import { ImageGoneError, ImageNotFoundError, ImageTooLargeError, UnknownStoreError } from '../images.errors.js';
import { ImagesPolicy } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import type { UploadImage } from '../images.types.js';
import { ImageImportsRepository } from './image-imports.repository.js';
import { ImportMethodOffError } from './imports.errors.js';

/**
 * Keeps bytes that an import will make an image's data.
 *
 * Staged bytes are a stored file like any other, in a store, but count as staged. The image is `uploading` and refers to
 * the file until it is imported or deleted.
 */
@Injectable()
export class ImageStagingService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly imports: ImageImportsRepository,
    private readonly policy: ImagesPolicy,
    private readonly artifacts: ArtifactsService,
    private readonly objects: ObjectStores,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /**
   * Stages an image's bytes. When the process dies meanwhile, the image stays `uploading` without a size until the sweep of
   * uploads takes it back to `queued`.
   *
   * @param body raw bytes, read once; not destroyed on failure
   * @throws ImportMethodOffError nothing could import what is staged
   * @throws LimitExceededError the project's staged bytes or uploads would be too many
   * @throws ImageTooLargeError, FileTooLargeError more bytes than any image may have
   * @throws UnknownStoreError
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageStatusConflictError the image is not `queued`; of two at once one proceeds
   * @throws ImageGoneError the image was deleted while its bytes came
   */
  async stage(actor: Actor, imageId: string, body: Readable, upload: UploadImage = {}): Promise<Image> {
    if (!this.config.imports.methods.includes('glance-direct')) throw new ImportMethodOffError('glance-direct');
    await this.checkRoom(actor, upload.sizeBytes);
    if (upload.storeId !== undefined && !this.objects.find(upload.storeId)) throw new UnknownStoreError(upload.storeId);
    const image = await this.getForStaging(actor, imageId, false);
    let fileId: string | null = null;
    try {
      const file = await this.artifacts.storeFile(image.projectId, body, {
        ...upload,
        charge: true,
        quantity: 'staging_bytes',
        maxBytes: this.config.images.sizeMaxBytes,
        onBegin: async (id) => {
          await this.begin(actor, image, id);
          fileId = id;
        },
      });
      return await this.finish(actor, imageId, file);
    } catch (error) {
      if (fileId !== null) await this.giveUp(actor, imageId, fileId);
      // A delete takes the file away from under its writer.
      const deleted = error instanceof WriteLeaseLostError && !(await this.images.find(imageId, actor.projectId));
      throw deleted ? new ImageGoneError(imageId) : error;
    }
  }

  /** What is known to be too much is refused before anything else is looked at. */
  private async checkRoom(actor: Actor, sizeBytes: number | undefined): Promise<void> {
    if (sizeBytes === undefined) return;
    if (sizeBytes > this.config.images.sizeMaxBytes) throw new ImageTooLargeError(this.config.images.sizeMaxBytes);
    // An administrator's own project does not say how much room the owner of an image has.
    if (!this.policy.isAdmin(actor)) await this.ledger.check(actor.projectId, 'staging_bytes', sizeBytes);
  }

  private async getForStaging(actor: Actor, imageId: string, lock: boolean): Promise<Image> {
    const found = lock ? this.images.findForUpdate : this.images.find;
    const sighting = isUuid(imageId, true) ? await found.call(this.images, imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkStage(actor, sighting);
    checkTransition(imageId, sighting.image.status, 'uploading');
    return sighting.image;
  }

  /** In the transaction that makes the file known. */
  private async begin(actor: Actor, seen: Image, fileId: string): Promise<void> {
    const image = await this.getForStaging(actor, seen.id, true);
    // It changed hands since the room was reserved.
    if (image.projectId !== seen.projectId) throw new ImageNotFoundError(seen.id);
    await this.ledger.reserve(image.projectId, 'uploads', 1);
    await this.imports.beginStaging(image.id, fileId);
    await this.record('image.staging_started', actor, image);
  }

  private finish(actor: Actor, imageId: string, file: CompleteFile): Promise<Image> {
    return this.uow.run(async () => {
      const image = await this.imports.finishStaging(imageId, file);
      if (!image) throw new ImageGoneError(imageId);
      await this.artifacts.reference(file.id);
      await this.record('image.staged', actor, image, { sizeBytes: file.sizeBytes });
      return image;
    });
  }

  /** The caller must see why it failed, not a second failure; what cannot be mended now is the sweep's. */
  private async giveUp(actor: Actor, imageId: string, fileId: string): Promise<void> {
    try {
      await this.uow.run(async () => {
        const image = await this.images.requeue(imageId, fileId);
        if (!image) return;
        await this.ledger.release(image.projectId, 'uploads', 1);
        await this.record('image.staging_failed', actor, image);
      });
      await this.artifacts.discard(fileId);
    } catch (error) {
      this.log.warn('a failed staging could not be undone; the sweep does it', { error, image_id: imageId });
    }
  }

  private record(kind: string, actor: Actor, image: Image, data: Record<string, unknown> = {}): Promise<void> {
    const { id, projectId } = image;
    return this.outbox.record({ kind, noun: 'image', nounId: id, projectId, actorId: actor.id, data });
  }
}
