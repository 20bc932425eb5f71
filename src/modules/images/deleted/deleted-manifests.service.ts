import { Readable } from 'node:stream';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { newId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { EventDispatcher } from '../../../platform/events/event-dispatcher.js';
import { Log } from '../../../platform/logging/log.js';
import { type Address, ArtifactsService, type CompleteFile, formatAddress } from '../../artifacts/index.js';
import { ProjectsService } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { ImagesRepository } from '../images.repository.js';
import { MANIFEST_TYPE, type NewManifestEntry, writeManifest } from '../registration/manifest.js';
import { deletedManifestAddress } from './deleted-manifest-address.js';
import { DeletedImagesRepository, type PlacedArtifact } from './deleted-images.repository.js';

/**
 * Writes down, for whoever reads the store, where the artifacts of deleted images are. Kiln itself brings images back
 * by what the database says of them.
 *
 * @see Image Management Service v3, deleted_manifest.json
 */
@Injectable()
export class DeletedManifestsService implements OnModuleInit {
  constructor(
    private readonly deleted: DeletedImagesRepository,
    private readonly images: ImagesRepository,
    private readonly artifacts: ArtifactsService,
    private readonly projects: ProjectsService,
    private readonly uow: UnitOfWork,
    private readonly events: EventDispatcher,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.events.on('image.deleted', (event) => this.ensure(event.nounId));
  }

  /** Writes the manifest of a deleted image that had one, unless that is done. Repeatable; counts against no limit. */
  async ensure(imageId: string): Promise<void> {
    const image = await this.deleted.find(imageId);
    if (!image?.projectId || !(await this.isMissing(image)) || !(await this.projects.find(image.projectId))) return;
    const manifest = await this.store(image);
    try {
      await this.uow.run(async () => {
        const locked = await this.images.findDeletedForUpdate(imageId);
        if (!locked || !(await this.isMissing(locked))) return;
        await this.place(locked, manifest);
      });
    } finally {
      // Does nothing unless somebody else was faster, or the image has come back or gone for good.
      await this.artifacts.discard(manifest.id);
    }
  }

  /** As `ensure`, now rather than soon. That it fails is no reason to fail: it is tried again. */
  async ensureSoon(imageId: string): Promise<void> {
    await this.ensure(imageId).catch((error: unknown) => {
      this.log.warn('the manifest of a deleted image could not be written; trying again', { error, image_id: imageId });
    });
  }

  private async isMissing({ id, linkPath, projectId }: Image): Promise<boolean> {
    if (linkPath === null || projectId === null) return false;
    return (await this.deleted.artifactsOf(id)).every(({ role }) => role !== 'deleted_manifest');
  }

  private async store(image: Image): Promise<CompleteFile> {
    const placed = await this.deleted.artifactsOf(image.id);
    const entries = [...placed].sort((a, b) => Number(a.role === 'manifest') - Number(b.role === 'manifest'));
    const text = Buffer.from(writeManifest(image.deletedAt!, entries.map(toEntry)));
    return this.artifacts.storeFile(null, Readable.from([text]), { charge: false, sizeBytes: text.length });
  }

  private async place({ id, projectId, linkPath }: Image, manifest: CompleteFile): Promise<void> {
    const address = await this.freeAddress(projectId!, id);
    const content = { contentType: 'application/json' };
    const artifact = await this.artifacts.attach(projectId!, address, manifest.id, content);
    await this.deleted.addDeletedManifest(id, artifact.id, MANIFEST_TYPE);
    const path = formatAddress(address);
    if (path !== linkPath) await this.deleted.setLink(id, path, '');
  }

  /** The image's own place, unless a user has put something there. */
  private async freeAddress(projectId: string, imageId: string): Promise<Address> {
    const address = deletedManifestAddress(imageId);
    const taken = await this.artifacts.find(projectId, address.bucket, address.key);
    return taken ? deletedManifestAddress(imageId, newId()) : address;
  }
}

function toEntry({ role, mediaType, path, etag, md5 }: PlacedArtifact): NewManifestEntry {
  return role === 'manifest' ? { type: MANIFEST_TYPE, path, md5: null, etag } : { type: mediaType, path, md5, etag };
}
