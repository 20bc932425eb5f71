import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import type { Actor } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import {
  ImageNotFoundError,
  ImageNotSharedError,
  ImageQuotaExceededError,
  MemberNotFoundError,
} from '../images.errors.js';
import { IMAGE_MEMBERS_MAX } from '../image-properties.js';
import { ImagesPolicy, type Sighting } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import type { MemberStatus } from '../images.types.js';
import type { ImageMember } from './image-member.entity.js';
import { ImageMembersRepository } from './image-members.repository.js';

/** The projects with which images are shared. */
@Injectable()
export class ImageMembersService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly members: ImageMembersRepository,
    private readonly policy: ImagesPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /**
   * The members that the actor may see: all for the owner, its own project for a member.
   * @throws ImageNotFoundError
   * @throws ImageNotSharedError
   */
  async list(actor: Actor, imageId: string): Promise<ImageMember[]> {
    const image = await this.getShared(actor, imageId);
    this.policy.checkMembers(actor, image);
    if (this.policy.seesAllMembers(actor, image)) return this.members.list(image.id);
    return actor.projectId === null ? [] : this.members.list(image.id, actor.projectId);
  }

  /**
   * @throws ImageNotFoundError
   * @throws MemberNotFoundError also when the image is not shared
   */
  async get(actor: Actor, imageId: string, member: string): Promise<ImageMember> {
    const { image } = await this.find(actor, imageId);
    const found = image.visibility === 'shared' ? await this.findVisible(actor, image, member) : null;
    if (!found) throw new MemberNotFoundError(image.id, member);
    this.policy.checkMember(actor, image, member);
    return found;
  }

  /**
   * Shares an image with a project, which has still to accept it.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageNotSharedError
   * @throws MemberExistsError
   * @throws ImageQuotaExceededError
   */
  add(actor: Actor, imageId: string, member: string): Promise<ImageMember> {
    return this.uow.run(async () => {
      const image = await this.lockShared('add_member', actor, imageId);
      const present = await this.members.count(image.id);
      if (present >= IMAGE_MEMBERS_MAX && !(await this.members.find(image.id, member))) {
        throw new ImageQuotaExceededError('members', IMAGE_MEMBERS_MAX, present + 1);
      }
      const added = await this.members.insert(image, member);
      await this.record('image.member_added', actor, image, { member });
      return added;
    });
  }

  /**
   * Says what a project thinks of an image that is shared with it.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageNotSharedError
   * @throws MemberNotFoundError
   */
  setStatus(actor: Actor, imageId: string, member: string, status: MemberStatus): Promise<ImageMember> {
    return this.uow.run(async () => {
      const image = await this.getShared(actor, imageId);
      if (!(await this.findVisible(actor, image, member))) throw new MemberNotFoundError(image.id, member);
      this.policy.checkDecideMembership(actor, image, member);
      const changed = await this.members.setStatus(image.id, member, status);
      if (!changed) throw new MemberNotFoundError(image.id, member);
      await this.record('image.member_updated', actor, image, { member, status });
      return changed;
    });
  }

  /**
   * Stops sharing an image with a project.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageNotSharedError
   * @throws MemberNotFoundError
   */
  remove(actor: Actor, imageId: string, member: string): Promise<void> {
    return this.uow.run(async () => {
      // Told to everybody who sees all members, before it is asked who may remove one.
      const { image: seen } = await this.find(actor, imageId);
      if (seen.visibility === 'shared' && this.policy.seesAllMembers(actor, seen)) {
        if (!(await this.members.find(seen.id, member))) throw new MemberNotFoundError(seen.id, member);
      }
      const image = await this.lockShared('delete_member', actor, imageId);
      if (!(await this.members.delete(image.id, member))) throw new MemberNotFoundError(image.id, member);
      await this.record('image.member_removed', actor, image, { member });
    });
  }

  private async find(actor: Actor, imageId: string): Promise<Sighting> {
    const sighting = isUuid(imageId, true) ? await this.images.find(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkVisible(actor, sighting);
    return sighting;
  }

  private async getShared(actor: Actor, imageId: string): Promise<Image> {
    const { image } = await this.find(actor, imageId);
    if (image.visibility !== 'shared') throw new ImageNotSharedError(image.id);
    return image;
  }

  private async lockShared(rule: 'add_member' | 'delete_member', actor: Actor, imageId: string): Promise<Image> {
    const sighting = isUuid(imageId, true) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkOwn(rule, actor, sighting, 'change the members of');
    if (sighting.image.visibility !== 'shared') throw new ImageNotSharedError(imageId);
    return sighting.image;
  }

  private findVisible(actor: Actor, image: Image, member: string): Promise<ImageMember | null> {
    const visible = member === actor.projectId || this.policy.seesAllMembers(actor, image);
    return visible ? this.members.find(image.id, member) : Promise.resolve(null);
  }

  private record(kind: string, actor: Actor, image: Image, data: Record<string, unknown>): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'image',
      nounId: image.id,
      projectId: image.projectId,
      actorId: actor.id,
      data,
    });
  }
}
