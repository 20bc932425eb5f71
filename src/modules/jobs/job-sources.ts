import { Injectable, type OnModuleInit } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import {
  type Artifact,
  ArtifactsService,
  type ArtifactUser,
  formatAddress,
  parseAddress,
  StoredFileNotFoundError,
} from '../artifacts/index.js';
import { type ImageRoot, ImageRootsService } from '../images/index.js';
import { type Recipe, RecipesService } from '../recipes/index.js';
import type { Actor } from '../tenancy/index.js';
import type { Job } from './job.entity.js';
import { JobObjectMissingError, JobSourceError } from './jobs.errors.js';
import { JobsRepository } from './jobs.repository.js';
import type { CreateJob, ScriptedCustomize } from './jobs.types.js';

/** Architectures that images are built of, as they are spelled; what says nothing is the first. */
const ARCHS: Readonly<Record<string, 'x86_64' | 'aarch64'>> = {
  '': 'x86_64',
  x86_64: 'x86_64',
  amd64: 'x86_64',
  aarch64: 'aarch64',
  arm64: 'aarch64',
};

/** What a job takes from the recipe or image that it starts from. */
export type JobSource = Pick<Job, 'recipeId' | 'imageId' | 'recipeType' | 'templateDictionary' | 'requireDkms'> & {
  readonly arch: 'x86_64' | 'aarch64';
  /** The recipe's archive or the image's root file system, referred to for the job. */
  readonly fileId: string;
};

/** Looks up what jobs start from, in the transaction that accepts them. */
@Injectable()
export class JobSources implements OnModuleInit {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly recipes: RecipesService,
    private readonly images: ImageRootsService,
    private readonly artifacts: ArtifactsService,
    private readonly config: Config,
  ) {}

  onModuleInit(): void {
    this.artifacts.registerReferenceChecker((artifact) => this.usersOf(artifact));
  }

  /**
   * The recipe (create) or image (customize) of a job, whose bytes are kept for it from now on.
   *
   * @throws JobSourceError there is none, or it cannot be the source of such a job
   * @throws JobObjectMissingError its bytes are gone
   * @throws ImageForbiddenError, ImageDeactivatedError
   */
  hold(actor: Actor, wanted: CreateJob): Promise<JobSource> {
    return wanted.jobType === 'create' ? this.ofRecipe(actor, wanted.artifactId) : this.ofImage(actor, wanted);
  }

  /**
   * Until the transaction ends nobody changes what lies at the addresses of the scripts; once the job is there nobody does
   * until that ends. Where nothing lies yet, something may still come before they are read.
   * @throws MalformedAddressError
   */
  async holdScripts(actor: Actor, { scripts }: ScriptedCustomize): Promise<void> {
    const addresses = scripts.filter(({ url }) => url.startsWith('s3://')).map(({ url }) => parseAddress(url));
    if (addresses.length > 0) await this.artifacts.holdAll(actor.projectId!, addresses);
  }

  private async usersOf(artifact: Artifact): Promise<ArtifactUser[]> {
    const ids = await this.jobs.findReading(artifact.projectId, formatAddress(artifact));
    return ids.map((id) => ({ noun: 'job', id, live: true }));
  }

  private async ofRecipe(actor: Actor, recipeId: string): Promise<JobSource> {
    const recipe = await orNull(this.recipes.get(actor, recipeId));
    // An administrator sees every project's recipes, but a job belongs with its recipe.
    if (!recipe || recipe.projectId !== actor.projectId) {
      throw new JobSourceError(`There is no recipe with id ${recipeId}`, { recipeId });
    }
    if (recipe.linkPath === null) {
      throw new JobSourceError(`Recipe ${recipeId} has no link, so there is nothing to build`, { recipeId });
    }
    const { arch, requireDkms, recipeType, templateDictionary } = recipe;
    const fileId = await this.holdArchive(recipe, recipe.linkPath);
    return { recipeId, imageId: null, recipeType, templateDictionary, requireDkms, arch, fileId };
  }

  private async holdArchive({ artifactId }: Recipe, linkPath: string): Promise<string> {
    const artifact = artifactId === null ? null : await orNull(this.artifacts.getArtifact(artifactId));
    if (!artifact) throw new JobObjectMissingError(linkPath);
    return this.refer(artifact.storedFileId, linkPath);
  }

  private async ofImage(actor: Actor, wanted: CreateJob): Promise<JobSource> {
    const imageId = wanted.artifactId;
    const { image, rootfs } = await this.findImage(actor, wanted);
    if (image.linkPath === null) {
      throw new JobSourceError(`Image ${imageId} has no link, so there is nothing to customize`, { imageId });
    }
    if (!rootfs) {
      throw new JobSourceError(`The manifest of image ${imageId} names no root file system`, { imageId });
    }
    const arch = ARCHS[image.architecture ?? '']!;
    const { requireDkms } = this.config.ims;
    const fileId = await this.refer(rootfs.id, image.linkPath);
    return { recipeId: null, imageId, recipeType: null, templateDictionary: null, requireDkms, arch, fileId };
  }

  private async findImage(actor: Actor, { artifactId, sharedSources }: CreateJob): Promise<ImageRoot> {
    const found = await this.rootOf(actor, artifactId);
    const isOurs = found !== null && (sharedSources === true || found.image.projectId === actor.projectId);
    // No face that asks for such jobs has a word for other architectures, so none has shown the image.
    if (!isOurs || !Object.hasOwn(ARCHS, found.image.architecture ?? '')) {
      throw new JobSourceError(`There is no image with id ${artifactId}`, { imageId: artifactId });
    }
    return found;
  }

  private async rootOf(actor: Actor, imageId: string): Promise<ImageRoot | null> {
    try {
      return await this.images.hold(actor, imageId);
    } catch (error) {
      if (error instanceof StoredFileNotFoundError) throw new JobObjectMissingError(`the image ${imageId}`);
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }

  private async refer(fileId: string, address: string): Promise<string> {
    try {
      await this.artifacts.reference(fileId);
    } catch (error) {
      if (error instanceof NotFoundError) throw new JobObjectMissingError(address);
      throw error;
    }
    return fileId;
  }
}

async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}
