import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { EventDispatcher } from '../../../platform/events/event-dispatcher.js';
import { type Address, ArtifactsService, type CompleteFile, formatAddress } from '../../artifacts/index.js';
import { ProjectsService } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { hasData } from '../image-status.js';
import { ImagesRepository } from '../images.repository.js';
import { IMAGE_BUCKET } from './built-images.service.js';
import { ImageRegistrationRepository } from './image-registration.repository.js';
import { MANIFEST_TYPE, mediaTypeOf, writeManifest } from './manifest.js';

const SQUASHFS_MAGIC = Buffer.from('hsqs');

/** Writes manifests for images that came as one file, after they became active and never on the upload's path. */
@Injectable()
export class ImageManifestsService implements OnModuleInit {
  constructor(
    private readonly images: ImagesRepository,
    private readonly registrations: ImageRegistrationRepository,
    private readonly artifacts: ArtifactsService,
    private readonly projects: ProjectsService,
    private readonly uow: UnitOfWork,
    private readonly events: EventDispatcher,
  ) {}

  onModuleInit(): void {
    this.events.on('image.activated', (event) => this.ensureManifest(event.nounId));
    // One whose bytes were elsewhere only, so that there was nothing to name.
    this.events.on('image.copied', (event) => this.ensureManifest(event.nounId));
    // It may have been deleted before it came to have one.
    this.events.on('image.restored', (event) => this.ensureManifest(event.nounId));
  }

  /**
   * Gives an active image without a link a manifest and a link to it; otherwise does nothing. Repeatable. Owners that
   * are no project have no addresses, so their images get none.
   */
  async ensureManifest(imageId: string): Promise<void> {
    const image = (await this.images.find(imageId, null))?.image;
    if (!image || !wantsManifest(image) || !(await this.projects.find(image.projectId))) return;
    const file = await this.artifacts.getFile(image.primaryFileId);
    const role = (await this.isSquashfs(file)) ? 'rootfs' : 'disk';
    const type = mediaTypeOf(role, image.diskFormat ?? undefined);
    const dataAddress = await this.freeAddress(image, role);
    const manifestAddress = await this.freeAddress(image, 'manifest.json');
    const text = writeManifest(image.createdAt, [{ type, path: formatAddress(dataAddress), md5: file.md5 }]);
    const manifest = await this.storeText(text);
    try {
      await this.uow.run(async () => {
        const locked = (await this.images.findForUpdate(imageId, null))?.image;
        if (!locked || !wantsManifest(locked) || locked.projectId !== image.projectId) return;
        const data = await this.artifacts.attach(locked.projectId, dataAddress, file.id);
        const content = { contentType: 'application/json' };
        const link = await this.artifacts.attach(locked.projectId, manifestAddress, manifest.id, content);
        await this.registrations.addArtifacts(imageId, [
          { artifactId: data.id, role, mediaType: type, md5: file.md5 },
          { artifactId: link.id, role: 'manifest', mediaType: MANIFEST_TYPE, md5: manifest.md5 },
        ]);
        await this.registrations.setLink(imageId, formatAddress(manifestAddress), manifest.md5);
      });
    } finally {
      // Does nothing unless the image has come to need no manifest meanwhile.
      await this.artifacts.discard(manifest.id);
    }
  }

  /** By content, whatever the formats say. */
  private async isSquashfs(file: CompleteFile): Promise<boolean> {
    if (file.sizeBytes < SQUASHFS_MAGIC.length) return false;
    const start = await buffer(await this.artifacts.open(file, { start: 0, end: SQUASHFS_MAGIC.length - 1 }));
    return start.equals(SQUASHFS_MAGIC);
  }

  /** The image's own place, unless a user has put something there. */
  private async freeAddress(image: LinkableImage, name: string): Promise<Address> {
    const key = `${image.id}/${name}`;
    const taken = await this.artifacts.find(image.projectId, IMAGE_BUCKET, key);
    return { bucket: IMAGE_BUCKET, key: taken ? `${image.id}/${newId()}/${name}` : key };
  }

  private storeText(text: string): Promise<CompleteFile> {
    const bytes = Buffer.from(text);
    return this.artifacts.storeFile(null, Readable.from([bytes]), { charge: false, sizeBytes: bytes.length });
  }
}

type LinkableImage = Image & { readonly projectId: string; readonly primaryFileId: string };

function wantsManifest(image: Image): image is LinkableImage {
  const { linkPath, projectId, primaryFileId } = image;
  return linkPath === null && projectId !== null && primaryFileId !== null && hasData(image.status);
}
