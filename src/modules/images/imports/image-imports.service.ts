import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import type { ImportMethod } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { ObjectStores } from '../../../platform/object-store/object-stores.js';
import { ArtifactsService, type CompleteFile } from '../../artifacts/index.js';
import { type Actor, Ledger } from '../../tenancy/index.js';
import { ImageContentService } from '../content/image-content.service.js';
import { ImageRemovalService } from '../image-removal.service.js';
import type { Image } from '../image.entity.js';
import { checkPropertyRoom } from '../image-properties.js';
import { checkTransition, type ImageStatus } from '../image-status.js';
import { ImageChangedError, ImageGoneError, ImageNotFoundError } from '../images.errors.js';
import { ImagesPolicy, type Sighting } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import { ImageLocationsRepository } from '../locations/image-locations.repository.js';
import { ImageReader } from '../locations/image-reader.js';
import { ImageImportsRepository } from './image-imports.repository.js';
import { importTaskOf, isUnexamined, markImported, markImporting, missedStoresOf } from './import-marks.js';
import {
  ImportDigestsMissingError,
  ImportFormatsMissingError,
  ImportLockedError,
  ImportStagingError,
  ImportStatusError,
  ImportStoresInvalidError,
  ImportStoreUnknownError,
} from './imports.errors.js';
import type { BeginImport, BegunImport, ImportResult, StoreChoice } from './imports.types.js';

/** The status that an image must have for a method. */
const NEEDED: Readonly<Record<ImportMethod, ImageStatus>> = {
  'glance-direct': 'uploading',
  'web-download': 'queued',
  'glance-download': 'queued',
  'copy-image': 'active',
};

/**
 * What imports do to images: one at a time has an image, by the task that stands in its properties. The work itself is
 * that of jobs; each of these calls is one step of it, and joins the transaction in which the job makes its own.
 */
@Injectable()
export class ImageImportsService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly imports: ImageImportsRepository,
    private readonly policy: ImagesPolicy,
    private readonly content: ImageContentService,
    private readonly removal: ImageRemovalService,
    private readonly locations: ImageLocationsRepository,
    private readonly reader: ImageReader,
    private readonly artifacts: ArtifactsService,
    private readonly objects: ObjectStores,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /** Calls back in the transaction that deletes an image which a task imports, before anything of it is deleted. */
  onDelete(hook: (imageId: string, taskId: string) => Promise<void>): void {
    this.removal.onImportDeleted(hook);
  }

  /**
   * Gives an image to a task: of several at once, one gets it.
   *
   * @returns null: there is nothing to do, since every store has the data
   * @throws ImageNotFoundError
   * @throws ImportStatusError its status does not fit the method
   * @throws ImportStagingError not all of its bytes have come
   * @throws ImportFormatsMissingError
   * @throws ImportDigestsMissingError a copy of what lies on the web could not be compared with anything
   * @throws ImageForbiddenError
   * @throws ImportLockedError another task has it
   * @throws ImportStoresInvalidError, ImportStoreUnknownError
   * @throws LimitExceededError the project's uploads would be too many
   * @throws anything that the checks of the command throw
   * @see Image API v2, "Import an image"
   */
  async begin(actor: Actor, imageId: string, command: BeginImport): Promise<BegunImport | null> {
    let image = await this.lockImportable(actor, imageId, command);
    const holder = importTaskOf(image);
    if (holder !== null) {
      if (!(await command.breakLock(holder))) throw new ImportLockedError(imageId, holder);
      image = await this.lockImportable(actor, imageId, command);
      // What held it without a task that could give it back.
      if (importTaskOf(image) !== null) image = await this.letGo(image);
    }
    const stores = this.storesFor(image, command);
    if (stores.length === 0) return null;
    command.checkSource();
    // What is staged holds a place already.
    if (command.method !== 'glance-direct') await this.ledger.reserve(image.projectId, 'uploads', 1);
    const properties = markImporting(image.properties, command.taskId, stores, []);
    const begun = await this.imports.begin(
      image.id,
      properties,
      command.method === 'copy-image' ? 'unchanged' : 'importing',
    );
    await this.record('image.import_started', actor.id, begun, { method: command.method, stores });
    return { image: begun, stores };
  }

  /** The image that a task imports. @throws ImageGoneError it has it no longer */
  async get(imageId: string, taskId: string): Promise<Image> {
    return this.checkHeld(await this.images.find(imageId, null), imageId, taskId);
  }

  /** Opens the bytes of an image that has some, wherever they are. @see ImageReader.open */
  open(image: Image): Promise<Readable> {
    return this.reader.open(image, []);
  }

  /** Notes how far a task is: the stores that are still to be done, and those that failed. @throws ImageGoneError */
  tell(imageId: string, taskId: string, remaining: readonly string[], failed: readonly string[]): Promise<void> {
    return this.uow.run(async () => {
      const image = await this.lockHeld(imageId, taskId);
      await this.imports.setProperties(imageId, markImporting(image.properties, taskId, remaining, failed));
    });
  }

  /**
   * Ends an import well: the image is `active` with its files.
   * @throws ImageGoneError
   * @throws ImageChangedError its data was judged by what it no longer says
   * @throws ImageQuotaExceededError it would have too many properties
   */
  activate(imageId: string, taskId: string, actorId: string | null, result: ImportResult): Promise<void> {
    return this.uow.run(async () => {
      const image = await this.lockHeld(imageId, taskId);
      const properties = markImported({ ...image.properties, ...result.setProperties }, result.failedStores);
      checkPropertyRoom(properties);
      const diskFormat = result.diskFormat ?? image.diskFormat;
      const containerFormat = result.containerFormat ?? image.containerFormat;
      const { files, judged, verdict } = result;
      if (!this.content.judgesAlike(judged, { id: imageId, diskFormat, containerFormat, properties })) {
        throw new ImageChangedError(imageId);
      }
      const active = await this.imports.activate(imageId, files, {
        properties,
        diskFormat,
        containerFormat,
        virtualSizeBytes: verdict.virtualSizeBytes,
      });
      await this.takeOver(image, files);
      await this.ledger.release(image.projectId, 'uploads', 1);
      await this.record('image.activated', actorId, active, { sizeBytes: active.sizeBytes }, true);
    });
  }

  /** Ends a copy to further stores well. @throws ImageGoneError */
  addCopies(
    imageId: string,
    taskId: string,
    actorId: string | null,
    files: readonly CompleteFile[],
    failedStores: readonly string[],
  ): Promise<void> {
    return this.uow.run(async () => {
      const image = await this.lockHeld(imageId, taskId);
      const copied = await this.imports.addCopies(imageId, files, markImported(image.properties, failedStores));
      for (const { id } of files) await this.artifacts.reference(id);
      await this.ledger.release(image.projectId, 'uploads', 1);
      await this.record('image.copied', actorId, copied, { stores: files.map(({ storeId }) => storeId) }, true);
    });
  }

  /**
   * Ends an import that failed: the image is `queued` again, without data and without what was staged; one that had data
   * keeps it. Nothing happens if the task does not have the image (any more).
   */
  release(imageId: string, taskId: string): Promise<void> {
    return this.uow.run(async () => {
      const sighting = await this.images.findForUpdate(imageId, null);
      if (!sighting || importTaskOf(sighting.image) !== taskId) return;
      const image = await this.letGo(sighting.image);
      await this.record('image.import_failed', null, image);
    });
  }

  private async letGo(image: Image): Promise<Image> {
    const properties = markImported(image.properties, missedStoresOf(image));
    await this.ledger.release(image.projectId, 'uploads', 1);
    // Nobody has read a byte of what was not looked at.
    if (isUnexamined(image)) await this.locations.replaceWeb(image.id, []);
    else if (image.status !== 'importing') return this.imports.setProperties(image.id, properties);
    checkTransition(image.id, image.status, 'queued');
    if (image.uploadFileId !== null) await this.artifacts.unreference(image.uploadFileId);
    return this.imports.requeue(image.id, properties);
  }

  /** What is staged and became a copy is referred to by that from now on; otherwise it goes. */
  private async takeOver({ uploadFileId }: Image, files: readonly CompleteFile[]): Promise<void> {
    for (const { id } of files) if (id !== uploadFileId) await this.artifacts.reference(id);
    if (uploadFileId !== null && files.every(({ id }) => id !== uploadFileId)) {
      await this.artifacts.unreference(uploadFileId);
    }
  }

  private async lockImportable(actor: Actor, imageId: string, command: BeginImport): Promise<Image> {
    const sighting = isUuid(imageId, true) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkVisible(actor, sighting);
    const { image } = sighting;
    const needed = NEEDED[command.method];
    if (image.status !== needed) throw new ImportStatusError(imageId, image.status, needed);
    if (command.method === 'glance-direct' && image.sizeBytes === null) throw new ImportStagingError(imageId);
    if (image.diskFormat === null || image.containerFormat === null) throw new ImportFormatsMissingError(imageId);
    if (command.method === 'copy-image' && image.primaryFileId === null && image.hashValue === null) {
      throw new ImportDigestsMissingError(imageId);
    }
    command.checkArguments();
    this.checkPermitted(actor, sighting, command.method);
    return image;
  }

  private checkPermitted(actor: Actor, sighting: Sighting, method: ImportMethod): void {
    if (method === 'copy-image') this.policy.checkCopy(actor, sighting);
    else this.policy.checkImport(actor, sighting);
  }

  private storesFor(image: Image, { method, stores: choice }: BeginImport): readonly string[] {
    const stores = this.chosenStores(choice);
    if (method !== 'copy-image') return stores;
    const present = stores.find((store) => image.storeIds.includes(store));
    if (present !== undefined && choice.all !== true) {
      throw new ImportStoresInvalidError(`Image ${image.id} is in store ${present} already`, { store: present });
    }
    return stores.filter((store) => !image.storeIds.includes(store));
  }

  private chosenStores({ all, named, header }: StoreChoice): readonly string[] {
    if (all === true) {
      if (named !== undefined || header !== undefined) {
        throw new ImportStoresInvalidError('all_stores goes with neither stores nor X-Image-Meta-Store');
      }
      return this.objects.all().map(({ description }) => description.id);
    }
    if (named !== undefined && header !== undefined) {
      throw new ImportStoresInvalidError('stores does not go with X-Image-Meta-Store');
    }
    const chosen = [...new Set(named ?? [header ?? this.objects.default.description.id])];
    if (chosen.length === 0) throw new ImportStoresInvalidError('stores must name at least one store');
    const unknown = chosen.find((store) => !this.objects.find(store));
    if (unknown !== undefined) throw new ImportStoreUnknownError(unknown);
    return chosen;
  }

  private async lockHeld(imageId: string, taskId: string): Promise<Image> {
    return this.checkHeld(await this.images.findForUpdate(imageId, null), imageId, taskId);
  }

  private checkHeld(sighting: Sighting | null, imageId: string, taskId: string): Image {
    if (!sighting || importTaskOf(sighting.image) !== taskId) throw new ImageGoneError(imageId);
    return sighting.image;
  }

  private record(
    kind: string,
    actorId: string | null,
    { id, projectId }: Image,
    data: Record<string, unknown> = {},
    dispatch = false,
  ): Promise<void> {
    return this.outbox.record({ kind, noun: 'image', nounId: id, projectId, actorId, data }, { dispatch });
  }
}
