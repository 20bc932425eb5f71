import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { ArtifactsService } from '../../artifacts/index.js';
import { type Actor, Ledger } from '../../tenancy/index.js';
import { ImageRemovalService } from '../image-removal.service.js';
import type { Image } from '../image.entity.js';
import { ImageActionForbiddenError, ImageMarkerNotFoundError, ImageNotFoundError } from '../images.errors.js';
import { ImagesPolicy } from '../images.policy.js';
import { PropertyProtections } from '../protection/property-protections.js';
import { ImagesRepository } from '../images.repository.js';
import { ImageRegistrationRepository } from '../registration/image-registration.repository.js';
import { ImageRestoreConflictError } from './deleted-images.errors.js';
import { DeletedImagesRepository, inOrder, type PlacedArtifact } from './deleted-images.repository.js';
import type { DeletedImageQuery } from './deleted-images.types.js';

/** Soft-deleted images of projects, whichever face deleted them: seen, brought back, or removed for good. */
@Injectable()
export class DeletedImagesService {
  constructor(
    private readonly deleted: DeletedImagesRepository,
    private readonly images: ImagesRepository,
    private readonly registrations: ImageRegistrationRepository,
    private readonly policy: ImagesPolicy,
    private readonly protections: PropertyProtections,
    private readonly removal: ImageRemovalService,
    private readonly artifacts: ArtifactsService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /** @throws ImageNotFoundError unknown, not deleted, purged, or another project's */
  async get(actor: Actor, imageId: string): Promise<Image> {
    const image = this.checkSeen(actor, imageId, isUuid(imageId) ? await this.deleted.find(imageId) : null);
    return this.protections.shownTo(actor, image);
  }

  /** As `get`, for whoever is about to restore or purge it. @throws ImageNotFoundError, ImageForbiddenError */
  async getForChange(actor: Actor, imageId: string): Promise<Image> {
    const image = await this.get(actor, imageId);
    this.policy.checkDeleted(actor, image, 'change');
    return image;
  }

  /**
   * Every image of the list, read as it is consumed.
   * @param wanted how many will probably be consumed
   * @throws ImageActionForbiddenError, ImageMarkerNotFoundError
   */
  async *stream(actor: Actor, query: DeletedImageQuery, wanted?: number): AsyncGenerator<Image> {
    this.checkScope(actor, query.projectId);
    if (!this.protections.mayFilter(actor, query.filter)) return;
    for await (const image of this.deleted.stream(query, await this.marker(query), wanted)) {
      yield this.protections.shownTo(actor, image);
    }
  }

  /**
   * Brings an image back as it was, with its artifacts at their old addresses, and counts it again.
   *
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws LimitExceededError there is no room for it any more
   * @throws ImageRestoreConflictError another image has its link now
   * @throws AddressTakenError something else lies at one of its addresses now
   */
  restore(actor: Actor, imageId: string): Promise<Image> {
    return this.uow.run(async () => {
      const image = await this.lock(actor, imageId, 'restore');
      // As deletes do, files first: whoever shares them waits here and not half way.
      for (const fileId of await this.images.filesOf(imageId)) await this.artifacts.charge(fileId);
      const link = await this.bringBack(image);
      const path = link?.linkPath;
      if (path && (await this.registrations.linkIsTaken(image.projectId, path))) {
        throw new ImageRestoreConflictError(imageId, path);
      }
      const restored = await this.deleted.restore(Object.assign(image, link));
      await this.record('image.restored', actor, restored);
      await this.ledger.reserve(restored.projectId, 'images', 1);
      return this.protections.shownTo(actor, restored);
    });
  }

  /**
   * Removes a deleted image for good, with what nothing else refers to. Its bytes are gone when this returns.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  purge(actor: Actor, imageId: string): Promise<void> {
    return this.uow.run(async () => {
      await this.lock(actor, imageId, 'purge');
      await this.removal.purge(actor, imageId);
    });
  }

  /**
   * Deletes a live image at once and for good.
   * @param cascade whether its artifacts go too, unless something else refers to them; otherwise they stay where they are
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageProtectedError, ImageInUseError
   */
  deleteForGood(actor: Actor, imageId: string, { cascade }: { cascade: boolean }): Promise<void> {
    return this.uow.run(async () => {
      await this.removal.delete(actor, imageId, { keepArtifacts: !cascade });
      await this.removal.purge(actor, imageId);
    });
  }

  /** Moves what the image consists of back; returns the link to its manifest, if it had one. */
  private async bringBack(image: Image): Promise<Pick<Image, 'linkPath' | 'linkEtag'> | null> {
    // An old place may be where another one was moved to, if its key began with deleted/; that one's key is the shorter.
    const shortestFirst = (a: PlacedArtifact, b: PlacedArtifact) => a.path.length - b.path.length;
    for (const { artifactId, role } of inOrder(await this.deleted.artifactsOf(image.id)).sort(shortestFirst)) {
      if (role === 'deleted_manifest') {
        await this.deleted.removeArtifact(image.id, artifactId);
        await this.artifacts.removeUnused(artifactId);
        continue;
      }
      const { id: found } = await this.artifacts.moveBack(artifactId);
      if (found === artifactId) continue;
      await this.deleted.replaceArtifact(image.id, artifactId, found);
      await this.artifacts.removeUnused(artifactId);
    }
    const placed = await this.deleted.artifactsOf(image.id);
    const manifest = placed.find(({ role }) => role === 'manifest');
    return manifest ? { linkPath: manifest.path, linkEtag: manifest.etag } : null;
  }

  private async lock(actor: Actor, imageId: string, action: string): Promise<Image> {
    const found = isUuid(imageId) ? await this.images.findDeletedForUpdate(imageId) : null;
    const image = this.checkSeen(actor, imageId, found);
    this.policy.checkDeleted(actor, image, action);
    return image;
  }

  private checkSeen(actor: Actor, imageId: string, image: Image | null): Image {
    if (!image || !this.policy.isDeletedVisible(actor, image)) throw new ImageNotFoundError(imageId);
    return image;
  }

  private checkScope(actor: Actor, projectId: string | null): void {
    this.policy.checkList(actor);
    if (!this.policy.isAdmin(actor) && actor.projectId !== projectId) {
      throw new ImageActionForbiddenError('list images of other projects');
    }
  }

  private async marker({ marker, projectId, sort }: DeletedImageQuery): Promise<Image | null> {
    if (marker === undefined) return null;
    const image = isUuid(marker) ? await this.deleted.findEvenLive(marker) : null;
    // One that was restored meanwhile has no place in the order of deletion.
    const placed = image && (image.deletedAt !== null || sort.every(({ key }) => key !== 'deleted'));
    if (!placed || (projectId !== null && image.projectId !== projectId)) throw new ImageMarkerNotFoundError(marker);
    return image;
  }

  private record(kind: string, actor: Actor, { id, projectId }: Image): Promise<void> {
    const event = { kind, noun: 'image', nounId: id, projectId, actorId: actor.id };
    return this.outbox.record(event, { dispatch: true });
  }
}
