import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { ArtifactsService, type CompleteFile } from '../../artifacts/index.js';
import type { Actor } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { hasData } from '../image-status.js';
import { ImageNotFoundError } from '../images.errors.js';
import { ImagesPolicy } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import { ImageRegistrationRepository } from './image-registration.repository.js';

/** An image and its root file system. */
export interface ImageRoot {
  readonly image: Image;
  /** Null: the image has no data yet, or it is no root file system. */
  readonly rootfs: CompleteFile | null;
}

/** Root file systems of images, for those who make other images of them. */
@Injectable()
export class ImageRootsService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly registrations: ImageRegistrationRepository,
    private readonly policy: ImagesPolicy,
    private readonly artifacts: ArtifactsService,
  ) {}

  /**
   * An image that the actor may read. In a transaction, nobody deletes or deactivates it until that ends.
   *
   * @throws ImageNotFoundError, ImageForbiddenError, ImageDeactivatedError
   * @throws StoredFileNotFoundError the bytes are gone
   */
  async hold(actor: Actor, imageId: string): Promise<ImageRoot> {
    const sighting = isUuid(imageId) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkDownload(actor, sighting);
    const { image } = sighting;
    const isRoot = hasData(image.status) && (await this.registrations.hasRootfs(image.id));
    return { image, rootfs: isRoot ? await this.artifacts.getFile(image.primaryFileId!) : null };
  }
}
