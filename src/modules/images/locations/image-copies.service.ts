import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { ObjectStores } from '../../../platform/object-store/object-stores.js';
import { ArtifactsService } from '../../artifacts/index.js';
import type { Actor } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { ImageNotFoundError } from '../images.errors.js';
import { ImagesPolicy } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import { type ImageCopy, type ImageLocation, storeOf, WEB_STORE } from './image-location.js';
import { ImageLocationsRepository } from './image-locations.repository.js';
import {
  CopyInUseError,
  CopyNotFoundError,
  LastLocationError,
  LocationsStatusError,
  StoreNotAvailableError,
} from './locations.errors.js';

/** The copies of images in stores, each of which counts in the ledger. */
@Injectable()
export class ImageCopiesService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly locations: ImageLocationsRepository,
    private readonly policy: ImagesPolicy,
    private readonly artifacts: ArtifactsService,
    private readonly objects: ObjectStores,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Removes an image's copy from one store; the others stay readable.
   *
   * @throws StoreNotAvailableError
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws LocationsStatusError the image is not `active`
   * @throws LastLocationError looked at before whether the copy is in that store
   * @throws CopyNotFoundError
   */
  async removeFromStore(actor: Actor, storeId: string, imageId: string): Promise<void> {
    if (storeId !== WEB_STORE && !this.objects.find(storeId)) throw new StoreNotAvailableError(storeId);
    await this.uow.run(async () => {
      const sighting = isUuid(imageId, true) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
      if (!sighting) throw new ImageNotFoundError(imageId);
      this.policy.checkDeleteLocation(actor, sighting);
      const { image } = sighting;
      if (image.status !== 'active') throw new LocationsStatusError(image.id, image.status);
      const places = (await this.locations.of([image.id])).get(image.id)!;
      if (places.length <= 1) throw new LastLocationError(image.id);
      const removed = places.find((place) => storeOf(place) === storeId);
      if (!removed) throw new CopyNotFoundError(image.id, storeId);
      await this.keep(image, places, new Set(places.filter((place) => place !== removed)));
      const { id, projectId } = image;
      await this.outbox.record({
        kind: 'image.location_removed',
        noun: 'image',
        nounId: id,
        projectId,
        actorId: actor.id,
        data: { store: storeId },
      });
    });
  }

  /**
   * Lets an image keep only some of its places, within the transaction that locked it. What else it had is given back.
   * @throws CopyInUseError
   */
  async keep(image: Image, places: readonly ImageLocation[], kept: ReadonlySet<ImageLocation>): Promise<void> {
    const copies = places.filter((place) => place.kind === 'copy');
    const web = places.filter((place) => place.kind === 'web');
    const primary = copies.find((copy) => kept.has(copy))?.fileId ?? null;
    const keptWeb = web.filter((place) => kept.has(place));
    for (const copy of copies) if (!kept.has(copy)) await this.removeCopy(image.id, copy, primary);
    if (keptWeb.length < web.length) await this.locations.replaceWeb(image.id, keptWeb);
    await this.images.setPlaces(image.id, [...new Set([...kept].map(storeOf))], primary);
  }

  private async removeCopy(imageId: string, { storeId, fileId }: ImageCopy, otherFileId: string | null): Promise<void> {
    await this.locations.removeCopy(imageId, storeId);
    // Addresses of the image name its bytes, wherever they are.
    for (const artifactId of await this.locations.artifactsOn(imageId, fileId)) {
      if (otherFileId === null) throw new CopyInUseError(imageId, storeId);
      await this.artifacts.repoint(artifactId, otherFileId);
    }
    // What is deleted may refer to the file as well, and costs nothing.
    await this.artifacts.discharge(fileId);
    await this.artifacts.unreference(fileId);
  }
}
