import { Injectable } from '@nestjs/common';
import { isUuid } from '../../common/ids.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import type { Actor } from '../tenancy/index.js';
import { ImageActivationError, ImageNotFoundError } from './images.errors.js';
import { ImagesPolicy } from './images.policy.js';
import { ImagesRepository } from './images.repository.js';

const BECOMES = { deactivate: 'deactivated', reactivate: 'active' } as const;

/** Takes images out of use for all but administrators, and puts them back. */
@Injectable()
export class ImageActivationService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly policy: ImagesPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Nothing happens if it is so already.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageActivationError the image has no data (yet)
   */
  turn(actor: Actor, imageId: string, action: keyof typeof BECOMES): Promise<void> {
    return this.uow.run(async () => {
      const sighting = isUuid(imageId, true) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
      if (!sighting) throw new ImageNotFoundError(imageId);
      this.policy.checkOwn(action, actor, sighting, action);
      const { id, projectId, status } = sighting.image;
      if (status !== 'active' && status !== 'deactivated') throw new ImageActivationError(id, action, status);
      if (status === BECOMES[action]) return;
      await this.images.setStatus(id, BECOMES[action]);
      const kind = `image.${BECOMES[action] === 'active' ? 'reactivated' : 'deactivated'}`;
      await this.outbox.record({ kind, noun: 'image', nounId: id, projectId, actorId: actor.id });
    });
  }
}
