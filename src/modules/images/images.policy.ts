import { Injectable } from '@nestjs/common';
import type { Actor } from '../tenancy/index.js';
import type { Image } from './image.entity.js';
import {
  ImageActionForbiddenError,
  ImageDeactivatedError,
  ImageForbiddenError,
  ImageNotFoundError,
  ImageProtectedError,
} from './images.errors.js';
import type { MemberStatus, Visibility } from './images.types.js';

/** An image, and what the actor's project is to it. */
export interface Sighting {
  readonly image: Image;
  /** Null: the image is not shared with the actor's project. */
  readonly memberStatus: MemberStatus | null;
}

/**
 * Who may do what with images, for all faces. What an actor cannot see does not exist; what it sees but may not touch
 * is forbidden.
 *
 * @see Image API v2, default policy (roles admin ⊃ member ⊃ reader)
 */
@Injectable()
export class ImagesPolicy {
  /** Whether the actor can see the image at all. */
  isVisible(actor: Actor, { image, memberStatus }: Sighting): boolean {
    if (actor.isAdmin) return true;
    if (!actor.has('reader')) return false;
    if (image.projectId === null || image.projectId === actor.projectId) return true;
    if (image.visibility === 'public' || image.visibility === 'community') return true;
    return image.visibility === 'shared' && memberStatus !== null;
  }

  /** @throws ImageNotFoundError */
  checkVisible(actor: Actor, sighting: Sighting): void {
    if (!this.isVisible(actor, sighting)) throw new ImageNotFoundError(sighting.image.id);
  }

  /**
   * Change, delete, upload, tag, share.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  checkModify(actor: Actor, sighting: Sighting, action: string): void {
    this.checkVisible(actor, sighting);
    if (!this.isMaster(actor, sighting.image)) throw new ImageForbiddenError(sighting.image.id, action);
  }

  /** @throws ImageNotFoundError, ImageForbiddenError */
  checkStage(actor: Actor, sighting: Sighting): void {
    this.checkModify(actor, sighting, 'stage data of');
  }

  /** @throws ImageNotFoundError, ImageForbiddenError */
  checkImport(actor: Actor, sighting: Sighting): void {
    this.checkModify(actor, sighting, 'import data of');
  }

  /**
   * Copy to further stores.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  checkCopy(actor: Actor, sighting: Sighting): void {
    this.checkVisible(actor, sighting);
    if (!actor.isAdmin) throw new ImageForbiddenError(sighting.image.id, 'copy');
  }

  /** @throws ImageNotFoundError, ImageForbiddenError, ImageProtectedError */
  checkDelete(actor: Actor, sighting: Sighting): void {
    this.checkModify(actor, sighting, 'delete');
    if (sighting.image.protected) throw new ImageProtectedError(sighting.image.id);
  }

  /** @throws ImageNotFoundError, ImageForbiddenError, ImageDeactivatedError */
  checkDownload(actor: Actor, sighting: Sighting): void {
    this.checkVisible(actor, sighting);
    if (!actor.isAdmin && !actor.has('member')) throw new ImageForbiddenError(sighting.image.id, 'download');
    if (sighting.image.status === 'deactivated' && !actor.isAdmin) throw new ImageDeactivatedError(sighting.image.id);
  }

  /** @throws ImageActionForbiddenError */
  checkList(actor: Actor): void {
    if (!actor.isAdmin && !actor.has('reader')) throw new ImageActionForbiddenError('list images');
  }

  /**
   * @param owner the owner that the new image is to have
   * @throws ImageActionForbiddenError
   */
  checkCreate(actor: Actor, owner: string | null, visibility: Visibility): void {
    if (actor.isAdmin) return;
    if (!actor.has('member')) throw new ImageActionForbiddenError('create images');
    if (owner !== actor.projectId) throw new ImageActionForbiddenError(`create images owned by '${owner}'`);
    this.checkPublish(actor, visibility);
  }

  /** @throws ImageActionForbiddenError */
  checkPublish(actor: Actor, visibility: Visibility): void {
    if (visibility === 'public' && !actor.isAdmin) throw new ImageActionForbiddenError('make images public');
  }

  /** @throws ImageActionForbiddenError */
  checkGiveAway(actor: Actor): void {
    if (!actor.isAdmin) throw new ImageActionForbiddenError('change the owner of an image');
  }

  /** Whether the actor sees every member of a shared image, not only its own project. */
  seesAllMembers(actor: Actor, image: Image): boolean {
    return actor.isAdmin || (image.projectId !== null && image.projectId === actor.projectId);
  }

  /**
   * The project an image is shared with decides on its membership; the owner does not.
   * @throws ImageForbiddenError
   */
  checkDecideMembership(actor: Actor, image: Image, member: string): void {
    if (actor.isAdmin || actor.hasIn(member, 'member')) return;
    throw new ImageForbiddenError(image.id, 'change the status of a member of');
  }

  /** @throws ImageActionForbiddenError */
  checkStoreDetails(actor: Actor): void {
    if (!actor.isAdmin && !actor.roles.has('service')) throw new ImageActionForbiddenError('see details of stores');
  }

  private isMaster(actor: Actor, image: Image): boolean {
    return actor.isAdmin || actor.hasIn(image.projectId, 'member');
  }
}
