import { Injectable } from '@nestjs/common';
import { isUuid, newId } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { type Actor, Ledger } from '../../tenancy/index.js';
import { type ContentClaim, type ContentVerdict, ImageContentService } from '../content/image-content.service.js';
import type { Image } from '../image.entity.js';
import {
  ImageChangedError,
  ImageFormatsMissingError,
  ImageGoneError,
  ImageNotFoundError,
  ImageStatusConflictError,
} from '../images.errors.js';
import { ImagesPolicy } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import { ImageImportsRepository } from '../imports/image-imports.repository.js';
import { importTaskOf, markImported, markImporting } from '../imports/import-marks.js';
import { ImportLockedError } from '../imports/imports.errors.js';
import { WEB_STORE } from './image-location.js';
import { ImageLocationsRepository } from './image-locations.repository.js';
import { LocationMismatchError, LocationSchemeError, LocationsOffError } from './locations.errors.js';
import { WebReader } from './web-reader.js';

/** The place that a queued image is to have its bytes from. */
export interface AddLocation {
  readonly taskId: string;
  readonly url: string;
  /** Whether a digest is known that the bytes must come to. */
  readonly isAwaited: boolean;
}

/** What was found at a place. */
export interface ExaminedBytes {
  readonly sizeBytes: number;
  readonly md5: string;
  readonly sha512: string;
  /** The image as it was when they were judged. */
  readonly judged: ContentClaim;
  readonly verdict: ContentVerdict;
}

/**
 * Gives queued images a place on the web, which a task looks at: it has the image until then, as an import has it. If the
 * task fails, the image is `queued` again; see `ImageImportsService.release`.
 */
@Injectable()
export class ExaminedLocationsService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly imports: ImageImportsRepository,
    private readonly locations: ImageLocationsRepository,
    private readonly web: WebReader,
    private readonly content: ImageContentService,
    private readonly policy: ImagesPolicy,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
  ) {}

  /**
   * Gives an image its place, and gives it to the task. With a digest that is awaited it is `importing` until the task has
   * found that; otherwise it is `active` at once, and its bytes are read when the task has looked at them.
   *
   * @param andAlso what else is done, or not done, with it
   * @throws LocationsOffError, LocationSchemeError
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageStatusConflictError, ImageFormatsMissingError, ImportLockedError
   * @throws LimitExceededError the project's uploads would be too many
   * @throws anything that `WebReader.check` throws and, without a digest, what `WebReader.measure` throws
   */
  async begin<T>(
    actor: Actor,
    imageId: string,
    command: AddLocation,
    andAlso: (image: Image) => Promise<T>,
  ): Promise<T> {
    await this.uow.run(() => this.lockQueued(actor, imageId, command));
    const sizeBytes = command.isAwaited ? null : await this.web.measure(command.url);
    return this.uow.run(async () => {
      const image = await this.lockQueued(actor, imageId, command);
      await this.ledger.reserve(image.projectId, 'uploads', 1);
      const properties = markImporting(image.properties, command.taskId, [], []);
      if (sizeBytes === null) return andAlso(await this.imports.beginExamining(image.id, properties));
      await this.place(image.id, command.url);
      const active = await this.imports.activateUnexamined(image.id, properties, sizeBytes, WEB_STORE);
      await this.record('image.activated', actor.id, active, { sizeBytes });
      return andAlso(active);
    });
  }

  /**
   * Ends the task well: what was found is known of the image from now on.
   * @throws ImageGoneError the task does not have the image (any more)
   * @throws ImageChangedError its bytes were judged by what it no longer says
   * @throws LocationMismatchError their size is another one than that which was announced
   */
  finish(imageId: string, taskId: string, actorId: string | null, url: string, found: ExaminedBytes): Promise<void> {
    return this.uow.run(async () => {
      const sighting = await this.images.findForUpdate(imageId, null);
      if (!sighting || importTaskOf(sighting.image) !== taskId) throw new ImageGoneError(imageId);
      const { image } = sighting;
      if (!this.content.judgesAlike(found.judged, image)) throw new ImageChangedError(imageId);
      if (image.sizeBytes !== null && image.sizeBytes !== found.sizeBytes) {
        throw new LocationMismatchError('The location has another size than it said');
      }
      const isNew = image.status === 'importing';
      if (isNew) await this.place(imageId, url);
      const { sizeBytes, md5, sha512, verdict } = found;
      const known = { sizeBytes, md5, sha512, virtualSizeBytes: verdict.virtualSizeBytes };
      const examined = await this.imports.setExamined(imageId, markImported(image.properties, []), known, WEB_STORE);
      await this.ledger.release(image.projectId, 'uploads', 1);
      if (isNew) await this.record('image.activated', actorId, examined, { sizeBytes });
      else await this.record('image.updated', actorId, examined, { changed: ['os_hash_value'] });
    });
  }

  private async lockQueued(actor: Actor, imageId: string, { url, isAwaited }: AddLocation): Promise<Image> {
    const sighting = isUuid(imageId, true) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkAddLocation(actor, sighting);
    if (!this.config.images.locationsShown) throw new LocationsOffError();
    if (!/^https?:/i.test(url) && !this.policy.fetchesLocations(actor, sighting)) throw new LocationSchemeError();
    this.web.check(url);
    const { image } = sighting;
    const { id, status, diskFormat, containerFormat } = image;
    if (status !== 'queued') throw new ImageStatusConflictError(id, status, isAwaited ? 'importing' : 'active');
    const holder = importTaskOf(image);
    if (holder !== null) throw new ImportLockedError(id, holder);
    if (diskFormat === null || containerFormat === null) throw new ImageFormatsMissingError(id);
    return image;
  }

  private async place(imageId: string, url: string): Promise<void> {
    await this.locations.replaceWeb(imageId, [{ kind: 'web', id: newId(), url, metadata: {} }]);
  }

  private record(
    kind: string,
    actorId: string | null,
    { id, projectId }: Image,
    data: Record<string, unknown>,
  ): Promise<void> {
    const dispatch = kind === 'image.activated';
    return this.outbox.record({ kind, noun: 'image', nounId: id, projectId, actorId, data }, { dispatch });
  }
}
