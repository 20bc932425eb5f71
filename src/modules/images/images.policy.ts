import { Injectable } from '@nestjs/common';
import { type Actor, Policy, type PolicyTarget } from '../tenancy/index.js';
import type { Image } from './image.entity.js';
import type { ImageRule } from './image-rules.js';
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

/** An image that is yet to be made. */
type Plan = Pick<Image, 'projectId' | 'visibility'>;

/**
 * Who may do what with images, for all faces. What an actor cannot see does not exist; what it sees but may not touch
 * is forbidden.
 *
 * The table of rules decides, within bounds that no rule moves: an image is seen by whom its visibility shows it to, it is
 * changed by its own project, and administrators are bound by neither. So an operator's rule that forgets to name the
 * project gives away rights inside of projects, and never a project's images to another one.
 *
 * @see Image API v2, default policy (roles admin ⊃ member ⊃ reader)
 */
@Injectable()
export class ImagesPolicy {
  constructor(private readonly policy: Policy) {}

  /** Whether the actor administers the deployment. */
  isAdmin(actor: Actor): boolean {
    return this.policy.allows('context_is_admin' satisfies ImageRule, actor);
  }

  /** Whose lists the actor's are. */
  viewer(actor: Actor): { readonly projectId: string | null; readonly isAdmin: boolean } {
    return { projectId: actor.projectId, isAdmin: this.isAdmin(actor) };
  }

  /** Whether the actor can see the image at all. */
  isVisible(actor: Actor, sighting: Sighting): boolean {
    return this.isShown(actor, sighting) && this.allows('get_image', actor, sighting);
  }

  /** Whether what a list holds may be less than what visibility shows. */
  get hidesListed(): boolean {
    return this.policy.isChanged('get_image' satisfies ImageRule);
  }

  /** As `isVisible`, of an image that a list of the actor's holds. */
  isListedVisible(actor: Actor, image: Image): boolean {
    // Why else would it be in the list?
    const memberStatus = image.visibility === 'shared' && image.projectId !== actor.projectId ? 'accepted' : null;
    return this.allows('get_image', actor, { image, memberStatus });
  }

  /** @throws ImageNotFoundError */
  checkVisible(actor: Actor, sighting: Sighting): void {
    if (!this.isVisible(actor, sighting)) throw new ImageNotFoundError(sighting.image.id);
  }

  /**
   * Anything that a rule says of an image which the actor sees.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  check(rule: ImageRule, actor: Actor, sighting: Sighting, action: string): void {
    this.checkVisible(actor, sighting);
    if (!this.allows(rule, actor, sighting)) throw new ImageForbiddenError(sighting.image.id, action);
  }

  /**
   * As `check`, for what changes an image: that is for its own project, and for administrators.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  checkOwn(rule: ImageRule, actor: Actor, sighting: Sighting, action: string): void {
    this.check(rule, actor, sighting, action);
    if (!this.isOf(actor, sighting.image.projectId)) throw new ImageForbiddenError(sighting.image.id, action);
  }

  /**
   * What a rule says of no image in particular.
   * @throws ImageActionForbiddenError
   */
  checkAction(rule: ImageRule, actor: Actor, action: string): void {
    const target = { project_id: actor.projectId, owner: actor.projectId, user_id: actor.id };
    if (!this.policy.allows(rule, actor, target)) throw new ImageActionForbiddenError(action);
  }

  /**
   * Change, tag, stage, import.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  checkModify(actor: Actor, sighting: Sighting, action: string): void {
    this.checkOwn('modify_image', actor, sighting, action);
  }

  /** @throws ImageNotFoundError, ImageForbiddenError */
  checkUpload(actor: Actor, sighting: Sighting): void {
    this.checkOwn('upload_image', actor, sighting, 'upload data to');
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
    this.check('copy_image', actor, sighting, 'copy');
  }

  /** @throws ImageNotFoundError, ImageForbiddenError, ImageProtectedError */
  checkDelete(actor: Actor, sighting: Sighting): void {
    this.checkOwn('delete_image', actor, sighting, 'delete');
    if (sighting.image.protected) throw new ImageProtectedError(sighting.image.id);
  }

  /** @throws ImageNotFoundError, ImageForbiddenError, ImageDeactivatedError */
  checkDownload(actor: Actor, sighting: Sighting): void {
    this.check('download_image', actor, sighting, 'download');
    if (this.hidesPlaces(actor, sighting.image)) {
      throw new ImageDeactivatedError(sighting.image.id);
    }
  }

  /** Whether the actor can see an image that was deleted: these are their own project's only. */
  isDeletedVisible(actor: Actor, image: Image): boolean {
    return this.isOf(actor, image.projectId) && this.allows('get_image', actor, { image, memberStatus: null });
  }

  /**
   * Restore and purge: for whoever may delete.
   * @throws ImageForbiddenError
   */
  checkDeleted(actor: Actor, image: Image, action: string): void {
    const allowed = this.allows('delete_image', actor, { image, memberStatus: null });
    if (!allowed || !this.isOf(actor, image.projectId)) throw new ImageForbiddenError(image.id, action);
  }

  /** @throws ImageActionForbiddenError */
  checkList(actor: Actor): void {
    this.checkAction('get_images', actor, 'list images');
  }

  /** @throws ImageActionForbiddenError */
  checkCreate(actor: Actor, plan: Plan): void {
    const owner = plan.projectId;
    const action = owner === actor.projectId ? 'create images' : `create images owned by '${owner}'`;
    const allowed = this.policy.allows('add_image' satisfies ImageRule, actor, targetOf(plan, null));
    if (!allowed || !this.isOf(actor, owner)) throw new ImageActionForbiddenError(action);
    this.checkPublish(actor, plan, plan.visibility);
  }

  /** @throws ImageActionForbiddenError */
  checkPublish(actor: Actor, image: Plan, visibility: Visibility): void {
    const target = targetOf(image, null);
    if (visibility === 'public' && !this.policy.allows('publicize_image' satisfies ImageRule, actor, target)) {
      throw new ImageActionForbiddenError('make images public');
    }
    if (visibility === 'community' && !this.policy.allows('communitize_image' satisfies ImageRule, actor, target)) {
      throw new ImageActionForbiddenError('make images available to the community');
    }
  }

  /** @throws ImageActionForbiddenError */
  checkGiveAway(actor: Actor): void {
    if (!this.isAdmin(actor)) throw new ImageActionForbiddenError('change the owner of an image');
  }

  /** Whether the actor may know where the bytes of an image that it sees are. */
  seesLocations(actor: Actor, image: Image): boolean {
    return this.allows('get_image_location', actor, { image, memberStatus: null });
  }

  /** Whether nobody but an administrator is told where an image's bytes are: nobody else may read them then. */
  hidesPlaces(actor: Actor, image: Image): boolean {
    return image.status === 'deactivated' && !this.isAdmin(actor);
  }

  /** @throws ImageNotFoundError, ImageForbiddenError */
  checkSetLocation(actor: Actor, sighting: Sighting): void {
    this.checkOwn('set_image_location', actor, sighting, 'set locations of');
  }

  /**
   * Give a queued image the place of its bytes. Services may do so for any image that they see.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  checkAddLocation(actor: Actor, sighting: Sighting): void {
    const action = 'add a location to';
    if (this.fetchesLocations(actor, sighting)) this.check('add_image_location', actor, sighting, action);
    else this.checkOwn('add_image_location', actor, sighting, action);
  }

  /** Whether the actor is one of those who are told where the bytes of every image are. */
  fetchesLocations(actor: Actor, sighting: Sighting): boolean {
    return this.allows('fetch_image_location', actor, sighting);
  }

  /** @throws ImageNotFoundError, ImageForbiddenError */
  checkFetchLocations(actor: Actor, sighting: Sighting): void {
    this.check('fetch_image_location', actor, sighting, 'fetch the locations of');
  }

  /**
   * Also the removal of a copy from a store.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  checkDeleteLocation(actor: Actor, sighting: Sighting): void {
    this.checkOwn('delete_image_location', actor, sighting, 'remove locations of');
  }

  /** Whether the actor sees every member of a shared image, not only its own project. */
  seesAllMembers(actor: Actor, image: Image): boolean {
    return this.isOf(actor, image.projectId);
  }

  /** @throws ImageForbiddenError */
  checkMembers(actor: Actor, image: Image): void {
    const target = targetOf(image, actor.projectId);
    if (!this.policy.allows('get_members' satisfies ImageRule, actor, target)) {
      throw new ImageForbiddenError(image.id, 'list the members of');
    }
  }

  /** @throws ImageForbiddenError */
  checkMember(actor: Actor, image: Image, member: string): void {
    if (!this.policy.allows('get_member' satisfies ImageRule, actor, targetOf(image, member))) {
      throw new ImageForbiddenError(image.id, 'see that member of');
    }
  }

  /**
   * The project an image is shared with decides on its membership; the owner does not.
   * @throws ImageForbiddenError
   */
  checkDecideMembership(actor: Actor, image: Image, member: string): void {
    const allowed = this.policy.allows('modify_member' satisfies ImageRule, actor, targetOf(image, member));
    if (allowed && this.isOf(actor, member)) return;
    throw new ImageForbiddenError(image.id, 'change the status of a member of');
  }

  /** @throws ImageActionForbiddenError */
  checkStoreDetails(actor: Actor): void {
    this.checkAction('stores_info_detail', actor, 'see details of stores');
  }

  /** Whom the visibility of an image shows it to. */
  private isShown(actor: Actor, { image, memberStatus }: Sighting): boolean {
    if (this.isAdmin(actor)) return true;
    if (actor.projectId === null) return false;
    if (image.projectId === null || image.projectId === actor.projectId) return true;
    if (image.visibility === 'public' || image.visibility === 'community') return true;
    return image.visibility === 'shared' && memberStatus !== null;
  }

  private allows(rule: ImageRule, actor: Actor, { image, memberStatus }: Sighting): boolean {
    return this.policy.allows(rule, actor, targetOf(image, memberStatus === null ? null : actor.projectId));
  }

  private isOf(actor: Actor, projectId: string | null): boolean {
    return (projectId !== null && actor.projectId === projectId) || this.isAdmin(actor);
  }
}

/** An image as rules see it: properties too, but never in the place of an attribute. */
function targetOf(image: Plan & Partial<Image>, memberId: string | null): PolicyTarget {
  return {
    ...image.properties,
    id: image.id,
    image_id: image.id,
    name: image.name,
    owner: image.projectId,
    project_id: image.projectId,
    tenant: image.projectId,
    member_id: memberId ?? undefined,
    status: image.status,
    visibility: image.visibility,
    protected: image.protected,
    os_hidden: image.hidden,
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    min_disk: image.minDiskGib,
    min_ram: image.minRamMib,
    size: image.sizeBytes,
  };
}
