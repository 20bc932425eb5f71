import { Readable } from 'node:stream';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../../common/clock.js';
import { newId } from '../../common/ids.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import { ArtifactsService } from '../artifacts/index.js';
import { addProperties, ImagesService } from '../images/index.js';
import { type Ending, type Job, JobEndings, JobsService } from '../jobs/index.js';
import { Actor, Ledger, NotPermittedError } from '../tenancy/index.js';
import { ConfigurationDocument, meansYes } from './configuration/configuration-document.js';
import type { ConfiguredTag, ImageConfiguration } from './configuration/image-configuration.js';
import { shapeOf } from './configuration/instance-type.js';
import { jobAddressOf } from './configuration/script-address.js';
import type { CustomImage, Tag } from './custom-image.entity.js';
import { checkTransition } from './custom-image-state.js';
import { CustomImageRemovalService } from './custom-image-removal.service.js';
import {
  ConfigurationInvalidError,
  CustomImageExistsError,
  CustomImageNameTooLongError,
  ParentImageUnknownError,
} from './custom-images.errors.js';
import { CustomImagesRepository } from './custom-images.repository.js';
import {
  BUILDER_VERSION,
  type BuildAnswer,
  type BuildCustomImage,
  CUSTOM_IMAGES_FACE,
  LONGEST_NAME,
} from './custom-images.types.js';
import { ParentImages } from './parent-images.js';
import { Regions } from './regions.js';
import { ConfigurationValidators, type ValidationContext } from './validation/configuration-validators.js';
import { isAtLeast } from './validation/validation.js';

/** Where the configurations of builds lie in their projects. */
const CONFIG_BUCKET = 'parallelcluster';
/** Memory of the machine that builds, by the size of the instance that is asked for. */
const MEMORY_GIB = { small: 4, medium: 8, large: 16 } as const;

/** A build that nothing is wrong with. */
interface Plan extends ValidationContext {
  readonly wanted: BuildCustomImage;
  readonly parentId: string;
}

/** Takes back what a dry run has done. */
class DryRunEnd extends Error {}

/** Builds custom images: each is one job that customises its parent by scripts. */
@Injectable()
export class CustomImageBuildsService implements OnModuleInit {
  constructor(
    private readonly customImages: CustomImagesRepository,
    private readonly removal: CustomImageRemovalService,
    private readonly parents: ParentImages,
    private readonly validators: ConfigurationValidators,
    private readonly regions: Regions,
    private readonly jobs: JobsService,
    private readonly endings: JobEndings,
    private readonly images: ImagesService,
    private readonly artifacts: ArtifactsService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.endings.onEndOf(CUSTOM_IMAGES_FACE, (job, ending) => this.settle(job, ending));
    this.artifacts.registerReferenceChecker(async (artifact) => {
      const users = await this.customImages.findByConfig(artifact.id);
      return users.map(({ jobId, deletedAt }) => ({ noun: 'job', id: jobId, live: deletedAt === null }));
    });
  }

  /**
   * Accepts a build, or tells that it would be accepted. What is looked at comes in the order of the reference: the name
   * may be taken before the configuration is read.
   *
   * @throws NotPermittedError the actor may only read
   * @throws RegionUnsupportedError, RegionAmbiguousError
   * @throws CustomImageNameTooLongError
   * @throws CustomImageExistsError
   * @throws ConfigurationUnreadableError, ConfigurationInvalidError
   * @throws ParentImageUnknownError nobody may suppress that there must be one
   * @throws MalformedAddressError, JobScriptsError, JobSourceError, JobObjectMissingError nor that its job must be one that can
   *   be run
   * @throws LimitExceededError there is no room for the job, or just now for the image that it would make
   */
  async build(actor: Actor, wanted: BuildCustomImage): Promise<BuildAnswer> {
    this.checkMayBuild(actor);
    const projectId = actor.projectId!;
    const document = new ConfigurationDocument(wanted.configuration);
    const region = this.regions.resolve(wanted.region, document.region);
    if (wanted.name.length > LONGEST_NAME) throw new CustomImageNameTooLongError(wanted.name, LONGEST_NAME);
    if (await this.customImages.find(projectId, region, wanted.name)) throw new CustomImageExistsError(wanted.name);
    const configuration = document.check();
    const parent = await this.parents.find(actor, region, configuration.Build.ParentImage);
    const context: ValidationContext = { configuration, projectId, region, parent };
    const messages = await this.validators.run(context, wanted.suppressed);
    if (messages.some(({ level }) => isAtLeast(level, wanted.failureLevel))) {
      throw new ConfigurationInvalidError('Configuration is invalid', messages);
    }
    if (!parent?.rootfs) throw new ParentImageUnknownError(configuration.Build.ParentImage);
    for (const quantity of ['queued_jobs', 'images'] as const) await this.ledger.check(projectId, quantity, 1);
    const plan: Plan = { ...context, wanted, parentId: parent.image.id };
    if (wanted.dryRun) {
      await this.rehearse(actor, plan);
      return { image: null, messages };
    }
    const record = await this.accept(actor, plan);
    return { image: { record, image: null, job: null }, messages };
  }

  /** For who asks before anything else is looked at. @throws NotPermittedError the actor may only read */
  checkMayBuild(actor: Actor): void {
    if (!actor.has('member')) throw new NotPermittedError('custom_images:build');
  }

  /** Begins the job and takes it back, so that whatever would refuse it does so now. */
  private async rehearse(actor: Actor, plan: Plan): Promise<void> {
    try {
      await this.uow.run(async () => {
        await this.begin(actor, plan);
        throw new DryRunEnd();
      });
    } catch (error) {
      if (!(error instanceof DryRunEnd)) throw error;
    }
  }

  private async accept(actor: Actor, plan: Plan): Promise<CustomImage> {
    const text = Buffer.from(plan.wanted.configuration);
    // Not charged, as other documents that Kiln keeps for itself. If this process dies, nothing refers to it: it is swept.
    const file = await this.artifacts.storeFile(null, Readable.from([text]), {
      charge: false,
      sizeBytes: text.length,
    });
    try {
      return await this.uow.run(async () => {
        const { projectId, region } = plan;
        const job = await this.begin(actor, plan);
        const address = { bucket: CONFIG_BUCKET, key: `images/${region}/${job.id}/image-config.yaml` };
        const config = await this.artifacts.attach(projectId, address, file.id, { contentType: 'application/yaml' });
        const record = await this.customImages.insert(newRecord(actor, plan, job, config.id));
        await this.record('custom_image.created', record, actor.id, { jobId: job.id });
        return record;
      });
    } catch (error) {
      await this.artifacts.discard(file.id);
      throw error;
    }
  }

  /** Makes room for the name, and creates the job. */
  private async begin(actor: Actor, { configuration, projectId, region, wanted, parentId }: Plan): Promise<Job> {
    const { Build, Image } = configuration;
    const hollow = await this.customImages.lockHollow(projectId, region, wanted.name);
    // Its image is deleted; one that is brought back just now has lost its name.
    if (hollow) await this.removal.remove({ ...hollow, imageId: null });
    const date = this.clock.now().toISOString().slice(0, 19).replaceAll(':', '-');
    return this.jobs.create(actor, {
      face: CUSTOM_IMAGES_FACE,
      jobType: 'customize',
      artifactId: parentId,
      sharedSources: true,
      imageRootArchiveName: `${Image?.Name ?? wanted.name} ${date}`,
      memoryGib: MEMORY_GIB[shapeOf(Build.InstanceType)?.size ?? 'medium'],
      scripted: {
        updateOsPackages: meansYes(Build.UpdateOsPackages?.Enabled),
        scripts: (Build.Components ?? []).map((component) => ({ url: jobAddressOf(component, projectId, region) })),
      },
    });
  }

  /** What becomes of a custom image when its job ends, in the transaction that ends it. */
  private async settle(job: Job, { status, cause, resultantImageId }: Ending): Promise<void> {
    const record = await this.customImages.lockOfJob(job.id);
    if (record?.state !== 'building') return;
    if (status === 'succeeded' && resultantImageId !== undefined) {
      await this.finish(record, resultantImageId);
      return;
    }
    const state = record.rollbackOnFailure ? 'rolling_back' : 'failed';
    checkTransition(record.name, record.state, state);
    await this.customImages.setState(record.id, state, cause?.message ?? null);
    await this.record('custom_image.failed', record, null, { jobId: job.id });
    if (record.rollbackOnFailure) await this.removal.announce(record, 'rolling_back');
  }

  private async finish(record: CustomImage, imageId: string): Promise<void> {
    checkTransition(record.name, record.state, 'complete');
    await this.images.update(Actor.system('custom image', record.projectId), imageId, (image) => ({
      ...(record.minDiskGib > image.minDiskGib ? { minDiskGib: record.minDiskGib } : {}),
      ...addProperties(image.properties, Object.fromEntries(record.imageTags.map(({ key, value }) => [key, value]))),
    }));
    await this.customImages.complete(record.id, imageId);
    await this.record('custom_image.completed', record, null, { imageId });
  }

  private record(
    kind: string,
    { id, projectId, region, name }: CustomImage,
    actorId: string | null,
    data: Record<string, unknown>,
  ): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'custom_image',
      nounId: id,
      projectId,
      actorId,
      data: { region, name, ...data },
    });
  }
}

function newRecord(actor: Actor, { configuration, projectId, region, parent, wanted }: Plan, job: Job, config: string) {
  const { Image, Build } = configuration;
  return {
    id: newId(),
    projectId,
    region,
    name: wanted.name,
    imageName: Image?.Name ?? null,
    imageTags: toTags(Image?.Tags),
    buildTags: toTags(Build.Tags),
    minDiskGib: Image?.RootVolume?.Size ?? parent?.image.minDiskGib ?? 0,
    rollbackOnFailure: wanted.rollbackOnFailure,
    version: BUILDER_VERSION,
    userId: actor.id,
    jobId: job.id,
    configArtifactId: config,
  };
}

function toTags(tags: ImageConfiguration['Build']['Tags'] = []): Tag[] {
  return tags.map(({ Key, Value }: ConfiguredTag) => ({ key: Key, value: Value }));
}
