import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { Log } from '../../../platform/logging/log.js';
import type { ByteRange } from '../../../platform/object-store/object-store.js';
import { ObjectStores } from '../../../platform/object-store/object-stores.js';
import { ArtifactsService, type CompleteFile, WriteLeaseLostError } from '../../artifacts/index.js';
import { Actor, Ledger } from '../../tenancy/index.js';
import { ImageCache } from '../cache/image-cache.js';
import { type ContentVerdict, ImageContentService } from '../content/image-content.service.js';
import type { Image } from '../image.entity.js';
import {
  ImageChangedError,
  ImageFormatsMissingError,
  ImageGoneError,
  ImageNotFoundError,
  ImageTooLargeError,
  UnknownStoreError,
} from '../images.errors.js';
import { ImagesPolicy, type Sighting } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import { WEB_STORE } from '../locations/image-location.js';
import type { UploadImage } from '../images.types.js';
import { checkTransition, hasData } from '../image-status.js';

const SWEEP_BATCH = 100;

/** A place where the bytes of images lie. */
export interface ImageStore {
  readonly id: string;
  readonly type: string;
  readonly description?: string;
  readonly isDefault: boolean;
  /** Read from, never written to. */
  readonly readOnly: boolean;
  /** What operators are told of it beside. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Of two copies the one in the store that weighs more is read first. */
  readonly weight?: number;
}

const WEB_STORE_DESCRIPTION: ImageStore = {
  id: WEB_STORE,
  type: 'http',
  description: 'Locations on the web',
  isDefault: false,
  readOnly: true,
};

/** An image whose data may be read, and its data. */
export interface ImageDownload {
  readonly image: Image;
  /** Null: the image has no data (yet). */
  readonly data: {
    readonly sizeBytes: number;
    /** Opens the data; the caller consumes or destroys the stream. */
    open(range?: ByteRange): Promise<Readable>;
  } | null;
}

/** The bytes of images. */
@Injectable()
export class ImageDataService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly policy: ImagesPolicy,
    private readonly artifacts: ArtifactsService,
    private readonly cache: ImageCache,
    private readonly content: ImageContentService,
    private readonly objects: ObjectStores,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  /**
   * Stores an image's bytes and makes the image `active`.
   *
   * The bytes flow outside of any transaction. If the process dies meanwhile, the image stays `saving` until the sweep
   * finds that nobody writes its file any more, and takes it back to `queued`.
   *
   * @param body raw bytes, read once; not destroyed on failure
   * @returns the image, `active`
   * @throws LimitExceededError the project's bytes or uploads would be too many
   * @throws ImageTooLargeError, FileTooLargeError more bytes than any image may have
   * @throws UnknownStoreError
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageStatusConflictError the image is not `queued`; of two uploads at once one proceeds
   * @throws ImageFormatsMissingError
   * @throws ImageChangedError its formats changed while the upload began
   * @throws anything that the probe of `ImageContentService` throws: the data is not what the image says it is
   * @throws ImageGoneError the image was deleted while its bytes came
   */
  async upload(actor: Actor, imageId: string, body: Readable, upload: UploadImage = {}): Promise<Image> {
    await this.checkRoom(actor, upload.sizeBytes);
    if (upload.storeId !== undefined && !this.objects.find(upload.storeId)) throw new UnknownStoreError(upload.storeId);
    const { image } = await this.getForUpload(actor, imageId, false);
    const probe = await this.content.probe(image);
    let fileId: string | null = null;
    try {
      const file = await this.artifacts.storeFile(image.projectId, body, {
        ...upload,
        charge: true,
        maxBytes: this.config.images.sizeMaxBytes,
        probe,
        onBegin: async (id) => {
          await this.begin(actor, image, id);
          fileId = id;
        },
      });
      return await this.finish(actor, imageId, file, probe.finish());
    } catch (error) {
      if (fileId !== null) await this.giveUp(actor, imageId, fileId);
      // A delete takes the file away from under its writer.
      const deleted = error instanceof WriteLeaseLostError && !(await this.images.find(imageId, actor.projectId));
      throw deleted ? new ImageGoneError(imageId) : error;
    }
  }

  /**
   * Opens an image for reading.
   *
   * @param prefer stores to read from if they have a copy and answer, best first
   * @throws UnknownStoreError
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageDeactivatedError
   */
  async download(actor: Actor, imageId: string, prefer: readonly string[] = []): Promise<ImageDownload> {
    const known = new Set(this.stores().map(({ id }) => id));
    for (const storeId of prefer) if (!known.has(storeId)) throw new UnknownStoreError(storeId);
    const sighting = isUuid(imageId, true) ? await this.images.find(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkDownload(actor, sighting);
    const { image } = sighting;
    if (!hasData(image.status) || image.sizeBytes === null) return { image, data: null };
    return { image, data: { sizeBytes: image.sizeBytes, open: (range) => this.cache.open(image, prefer, range) } };
  }

  /** Every store, the default one first; that of the web, which nothing is written to, last. */
  stores(): readonly ImageStore[] {
    const stores = this.objects.describe().map((store) => ({ ...store, readOnly: false }));
    return this.config.images.locationsShown ? [...stores, WEB_STORE_DESCRIPTION] : stores;
  }

  /**
   * The stores with what only operators are told.
   * @throws ImageActionForbiddenError
   */
  storeDetails(actor: Actor): readonly ImageStore[] {
    this.policy.checkStoreDetails(actor);
    return this.stores();
  }

  /** Takes images back to `queued` whose bytes nobody sends any more; any number of processes may do so at once. */
  async sweep(): Promise<number> {
    const actor = Actor.system('stale-uploads');
    const abandoned = await this.images.findAbandonedUploads(SWEEP_BATCH);
    for (const { id, uploadFileId } of abandoned) {
      // With its bytes, or the project would be charged for them until the sweep of files comes by.
      await this.uow.run(async () => {
        await this.requeue(actor, id, uploadFileId);
        await this.artifacts.discard(uploadFileId);
      });
    }
    return abandoned.length;
  }

  /** What is known to be too much is refused before anything else is looked at. */
  private async checkRoom(actor: Actor, sizeBytes: number | undefined): Promise<void> {
    if (sizeBytes === undefined) return;
    if (sizeBytes > this.config.images.sizeMaxBytes) throw new ImageTooLargeError(this.config.images.sizeMaxBytes);
    // An administrator's own project does not say how much room the owner of an image has.
    if (!this.policy.isAdmin(actor)) await this.ledger.check(actor.projectId, 'storage_bytes', sizeBytes);
  }

  private async getForUpload(actor: Actor, imageId: string, lock: boolean): Promise<Sighting> {
    const found = lock ? this.images.findForUpdate : this.images.find;
    const sighting = isUuid(imageId, true) ? await found.call(this.images, imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkUpload(actor, sighting);
    const { image } = sighting;
    checkTransition(image.id, image.status, 'saving');
    if (image.diskFormat === null || image.containerFormat === null) throw new ImageFormatsMissingError(image.id);
    return sighting;
  }

  /** In the transaction that makes the file known. */
  private async begin(actor: Actor, seen: Image, fileId: string): Promise<void> {
    const { image } = await this.getForUpload(actor, seen.id, true);
    // It changed hands since the room was reserved.
    if (image.projectId !== seen.projectId) throw new ImageNotFoundError(seen.id);
    if (!this.content.judgesAlike(image, seen)) throw new ImageChangedError(seen.id);
    await this.ledger.reserve(image.projectId, 'uploads', 1);
    await this.images.beginUpload(image.id, fileId);
    await this.record('image.upload_started', actor, image);
  }

  private finish(actor: Actor, imageId: string, file: CompleteFile, verdict: ContentVerdict): Promise<Image> {
    return this.uow.run(async () => {
      const image = await this.images.finishUpload(imageId, file, verdict.virtualSizeBytes);
      if (!image) throw new ImageGoneError(imageId);
      await this.artifacts.reference(file.id);
      await this.ledger.release(image.projectId, 'uploads', 1);
      await this.record('image.activated', actor, image, true);
      return image;
    });
  }

  /** The caller must see why the upload failed, not a second failure; what cannot be mended now is the sweep's. */
  private async giveUp(actor: Actor, imageId: string, fileId: string): Promise<void> {
    try {
      await this.requeue(actor, imageId, fileId);
      await this.artifacts.discard(fileId);
    } catch (error) {
      this.log.warn('a failed upload could not be undone; the sweep does it', { error, image_id: imageId });
    }
  }

  private requeue(actor: Actor, imageId: string, fileId: string): Promise<void> {
    return this.uow.run(async () => {
      const image = await this.images.requeue(imageId, fileId);
      if (!image) return;
      await this.ledger.release(image.projectId, 'uploads', 1);
      await this.record('image.upload_failed', actor, image);
    });
  }

  private record(kind: string, actor: Actor, image: Image, dispatch = false): Promise<void> {
    return this.outbox.record(
      {
        kind,
        noun: 'image',
        nounId: image.id,
        projectId: image.projectId,
        actorId: actor.id,
        data: image.sizeBytes === null ? {} : { sizeBytes: image.sizeBytes },
      },
      { dispatch },
    );
  }
}
