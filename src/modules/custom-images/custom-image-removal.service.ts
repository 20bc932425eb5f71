import { Injectable, type OnModuleInit } from '@nestjs/common';
import { drain } from '../../common/drain.js';
import { KilnError, NotFoundError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { EventDispatcher } from '../../platform/events/event-dispatcher.js';
import { Outbox } from '../../platform/events/outbox.js';
import { Log } from '../../platform/logging/log.js';
import { ArtifactsService } from '../artifacts/index.js';
import {
  type Image,
  ImageMembersService,
  ImagePinsService,
  ImageProtectedError,
  ImageRemovalService,
  ImagesService,
} from '../images/index.js';
import { JobLogsService, JobsService } from '../jobs/index.js';
import { Actor, NotPermittedError } from '../tenancy/index.js';
import type { CustomImage } from './custom-image.entity.js';
import { checkTransition } from './custom-image-state.js';
import {
  CustomImageBuildingError,
  CustomImageInUseError,
  CustomImageNotFoundError,
  CustomImageSharedError,
} from './custom-images.errors.js';
import { CustomImagesRepository } from './custom-images.repository.js';
import { CustomImagesService } from './custom-images.service.js';
import { CUSTOM_IMAGES_FACE, type CustomImageView } from './custom-images.types.js';
import { Regions } from './regions.js';

/** From then on what is on its way out is taken for forgotten; until then its event is on the way. */
const FORGOTTEN_AFTER_MS = 10_000;
const SWEEP_BATCH = 100;
/** What is told of a user of an image that is none of the project's business. */
const FOREIGN_BUILD = 'a build of another project';

/**
 * Deletes custom images: accepted at once, done in the background. The state says what is to be done, so that whoever comes
 * next (the event's handler, the same once more, a sweep) does it from there.
 */
@Injectable()
export class CustomImageRemovalService implements OnModuleInit {
  constructor(
    private readonly customImages: CustomImagesRepository,
    private readonly views: CustomImagesService,
    private readonly regions: Regions,
    private readonly images: ImagesService,
    private readonly imageRemoval: ImageRemovalService,
    private readonly members: ImageMembersService,
    private readonly pins: ImagePinsService,
    private readonly jobs: JobsService,
    private readonly logs: JobLogsService,
    private readonly artifacts: ArtifactsService,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly events: EventDispatcher,
    private readonly config: Config,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    for (const kind of ['custom_image.deleting', 'custom_image.rolling_back']) {
      this.events.on(kind, ({ nounId }) => this.proceed(nounId));
    }
  }

  /**
   * Begins to delete a custom image and all that belongs to it. One that is being deleted stays so.
   *
   * @param force although others use or see the image
   * @throws NotPermittedError the actor may only read
   * @throws RegionUnsupportedError
   * @throws CustomImageNotFoundError
   * @throws CustomImageInUseError, CustomImageSharedError
   * @throws ImageProtectedError also with force
   * @throws CustomImageBuildingError also with force
   */
  delete(actor: Actor, asked: string | undefined, name: string, force: boolean): Promise<CustomImageView> {
    this.checkMayDelete(actor);
    const region = this.regions.resolve(asked);
    return this.uow.run(async () => {
      const record = await this.customImages.findForUpdate(actor.projectId!, region, name);
      if (!record) throw new CustomImageNotFoundError(name);
      const view = await this.views.view(actor, record);
      if (record.state === 'deleting') return view;
      if (view.image) await this.checkUnused(actor, record, view.image, force);
      if (record.state === 'building' || record.state === 'rolling_back') throw new CustomImageBuildingError(name);
      checkTransition(name, record.state, 'deleting');
      const deleting = await this.customImages.setDeleting(record.id, force);
      await this.announce(deleting, 'deleting', actor.id);
      return { ...view, record: deleting };
    });
  }

  /** For who asks before anything else is looked at. @throws NotPermittedError the actor may only read */
  checkMayDelete(actor: Actor): void {
    if (!actor.has('member')) throw new NotPermittedError('custom_images:delete');
  }

  /** Tells workers that there is something to do for a custom image; in the transaction that says so. */
  announce(
    { id, projectId, region, name }: CustomImage,
    what: 'deleting' | 'rolling_back',
    actorId: string | null = null,
  ): Promise<void> {
    return this.outbox.record(
      { kind: `custom_image.${what}`, noun: 'custom_image', nounId: id, projectId, actorId, data: { region, name } },
      { dispatch: true },
    );
  }

  /** Removes a locked custom image and what belongs to it, its image if that is there; in the open transaction. */
  async remove(record: CustomImage): Promise<void> {
    const { id, projectId, jobId, imageId, configArtifactId } = record;
    const actor = Actor.system('custom image deleted', projectId);
    if (imageId !== null) await ignoringMissing(this.removeImage(actor, record, imageId));
    await ignoringMissing(this.jobs.delete(actor, CUSTOM_IMAGES_FACE, jobId));
    await this.customImages.markDeleted(id);
    if (configArtifactId !== null) await this.artifacts.remove(configArtifactId);
    const { region, name } = record;
    const event = { kind: 'custom_image.deleted', noun: 'custom_image', nounId: id, projectId, actorId: null };
    await this.outbox.record({ ...event, data: { region, name } });
  }

  /** Finishes what was begun and forgotten, and removes old rows. Repeatable, in any number of processes at once. */
  async sweep(): Promise<number> {
    const moved = await drain(
      SWEEP_BATCH,
      (limit) => this.customImages.findLeaving(FORGOTTEN_AFTER_MS, limit),
      (id) => this.proceed(id),
      (id, error) => this.log.error('a custom image could not be removed', { error, custom_image_id: id }),
    );
    const { deletedRetentionMs } = this.config;
    return moved + (deletedRetentionMs === null ? 0 : await this.customImages.purge(deletedRetentionMs, SWEEP_BATCH));
  }

  /** Does for a custom image what its state says; once more does no harm. */
  private async proceed(id: string): Promise<void> {
    try {
      await this.uow.run(async () => {
        const record = await this.customImages.lock(id);
        if (!record) return;
        if (record.state === 'deleting' || (record.state === 'complete' && record.imageId === null)) {
          await this.remove(record);
        }
        if (record.state === 'rolling_back') await this.rollBack(record);
      });
    } catch (error) {
      // What is away comes back, and so does whoever does this.
      if (!(error instanceof KilnError) || error.kind === 'unavailable') throw error;
      await this.giveUp(id, error);
    }
  }

  /** Removes what a failed build leaves to look at. Why it failed stays. */
  private async rollBack(record: CustomImage): Promise<void> {
    checkTransition(record.name, record.state, 'rolled_back');
    await this.logs.discard(record.jobId);
    await this.customImages.setState(record.id, 'rolled_back', record.stateReason);
  }

  private giveUp(id: string, error: KilnError): Promise<void> {
    return this.uow.run(async () => {
      const record = await this.customImages.lock(id);
      if (!record) return;
      const failed = record.state === 'rolling_back' ? 'rollback_failed' : 'delete_failed';
      checkTransition(record.name, record.state, failed);
      await this.customImages.setState(id, failed, error.message);
      this.log.warn('a custom image could not be removed', { custom_image_id: id, reason: error.message });
    });
  }

  /** @throws CustomImageInUseError, CustomImageSharedError that began after the deletion was accepted */
  private async removeImage(actor: Actor, record: CustomImage, imageId: string): Promise<void> {
    const image = await this.images.get(actor, imageId);
    // Somebody else's by now.
    if (image.projectId !== record.projectId) return;
    await this.checkUnused(actor, record, image, record.forced);
    await this.imageRemoval.delete(actor, imageId, { evenInUse: record.forced });
  }

  private async checkUnused(
    actor: Actor,
    { name, projectId }: CustomImage,
    image: Image,
    force: boolean,
  ): Promise<void> {
    if (image.protected) throw new ImageProtectedError(image.id);
    if (force) return;
    const builds = await this.jobs.findCustomising(image.id);
    const users = [...new Set(builds.map((job) => (job.projectId === projectId ? `job ${job.id}` : FOREIGN_BUILD)))];
    if (await this.pins.isPinned(image.id)) users.push('a record of the project');
    if (users.length > 0) throw new CustomImageInUseError(name, image.amiId, users);
    const sharers = await this.sharersOf(actor, image);
    if (sharers.length > 0) throw new CustomImageSharedError(name, image.amiId, sharers);
  }

  private async sharersOf(actor: Actor, image: Image): Promise<string[]> {
    if (image.visibility === 'public' || image.visibility === 'community') return ['everybody'];
    if (image.visibility !== 'shared') return [];
    return (await this.members.list(actor, image.id)).map(({ member }) => `project ${member}`);
  }
}

async function ignoringMissing(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}
