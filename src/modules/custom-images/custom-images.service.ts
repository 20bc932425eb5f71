import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import { DownloadLinks, type DownloadLink } from '../artifacts/index.js';
import { type Image, ImagesService } from '../images/index.js';
import { JobsService } from '../jobs/index.js';
import { type Actor, NotPermittedError } from '../tenancy/index.js';
import type { CustomImage } from './custom-image.entity.js';
import { CustomImageNotFoundError } from './custom-images.errors.js';
import { CustomImagesRepository, type ListedPart } from './custom-images.repository.js';
import {
  CUSTOM_IMAGES_FACE,
  type CustomImagePage,
  type CustomImageQuery,
  type CustomImageView,
} from './custom-images.types.js';
import { PageTokens } from './page-tokens.js';
import { Regions } from './regions.js';

/** How long a link to a configuration works. */
const LINK_SECONDS = 900;

/**
 * Custom images: names that stand for a build and then for its image. A name is looked up in the actor's project only,
 * whoever the actor is. Builds are `CustomImageBuildsService`'s, deletion is `CustomImageRemovalService`'s.
 */
@Injectable()
export class CustomImagesService {
  constructor(
    private readonly customImages: CustomImagesRepository,
    private readonly images: ImagesService,
    private readonly jobs: JobsService,
    private readonly links: DownloadLinks,
    private readonly tokens: PageTokens,
    private readonly regions: Regions,
    private readonly config: Config,
  ) {}

  /**
   * A page of the project's custom images, newest first, then by name.
   * @throws NotPermittedError
   * @throws RegionUnsupportedError
   * @throws PageTokenError
   */
  async list(actor: Actor, query: CustomImageQuery): Promise<CustomImagePage> {
    const projectId = readableProject(actor, 'custom_images:list');
    const region = this.regions.resolve(query.region);
    const { filter, withoutRolledBack = false, nameLength = null, pageToken } = query;
    const part: ListedPart = { projectId, region, filter, withoutRolledBack, nameLength };
    const list = JSON.stringify(part);
    const after = pageToken === undefined ? null : await this.tokens.read(list, pageToken);
    const { pageSize } = this.config.parallelCluster;
    const found = await this.customImages.list(part, pageSize + 1, after);
    const items = found.slice(0, pageSize);
    const last = found.length > pageSize ? items.at(-1)!.record : null;
    return { items, nextPageToken: last ? await this.tokens.write(list, last) : undefined };
  }

  /**
   * @throws NotPermittedError
   * @throws RegionUnsupportedError
   * @throws CustomImageNotFoundError
   */
  async get(actor: Actor, region: string | undefined, name: string): Promise<CustomImageView> {
    const projectId = readableProject(actor, 'custom_images:get');
    const record = await this.customImages.find(projectId, this.regions.resolve(region), name);
    if (!record) throw new CustomImageNotFoundError(name);
    return this.view(actor, record);
  }

  /** A custom image with its image and its build, as far as they are there. */
  async view(actor: Actor, record: CustomImage): Promise<CustomImageView> {
    const job = await this.jobs.find(actor, CUSTOM_IMAGES_FACE, record.jobId);
    return { record, image: await this.imageOf(actor, record), job };
  }

  /** Where the configuration can be read for a while; null: it cannot be had now. */
  async configurationLink({ configArtifactId }: CustomImage): Promise<DownloadLink | null> {
    if (configArtifactId === null) return null;
    // Whoever describes an image is told of it even while the store is away.
    return this.links.to(configArtifactId, LINK_SECONDS).catch(() => null);
  }

  private async imageOf(actor: Actor, { imageId, projectId }: CustomImage): Promise<Image | null> {
    if (imageId === null) return null;
    try {
      const image = await this.images.get(actor, imageId);
      return image.projectId === projectId ? image : null;
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }
}

/** The project in which the actor's names are looked up. @throws NotPermittedError it may not even read there */
function readableProject(actor: Actor, action: string): string {
  if (!actor.has('reader')) throw new NotPermittedError(action);
  return actor.projectId!;
}
