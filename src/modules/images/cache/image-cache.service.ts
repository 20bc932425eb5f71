import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import type { CachedFile, FileCache } from '../../../platform/file-cache/file-cache.js';
import type { Actor } from '../../tenancy/index.js';
import { ImageNotActiveError, ImageNotFoundError } from '../images.errors.js';
import { ImagesPolicy } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import { ImageCache } from './image-cache.js';

/** What the cache of this process has, and what it is asked to fetch, by ids of images. */
export interface ImageCacheState {
  readonly cached: readonly CachedFile[];
  readonly queued: readonly string[];
}

/** What a clear is for. */
export type CacheTarget = 'cache' | 'queue' | 'both';

/** The cache of this process, for administrators. Ask nothing of it while it is not `enabled`. */
@Injectable()
export class ImageCacheService {
  constructor(
    private readonly cache: ImageCache,
    private readonly images: ImagesRepository,
    private readonly policy: ImagesPolicy,
  ) {}

  get enabled(): boolean {
    return this.cache.files !== null;
  }

  /** @throws ImageActionForbiddenError */
  async state(actor: Actor): Promise<ImageCacheState> {
    this.policy.checkAction('cache_list', actor, 'list what is cached');
    return { cached: await this.files.list(), queued: await this.files.wanted() };
  }

  /**
   * Asks for the file of an image to be kept; that happens later.
   * @throws ImageNotFoundError, ImageActionForbiddenError
   * @throws ImageNotActiveError
   */
  async queue(actor: Actor, imageId: string): Promise<void> {
    const image = await this.visibleImage(actor, imageId);
    if (!image) throw new ImageNotFoundError(imageId);
    this.policy.checkAction('cache_image', actor, 'cache images');
    if (image.status !== 'active') throw new ImageNotActiveError(imageId, image.status);
    await this.cache.want(image.id);
  }

  /**
   * Lets go of the file of an image, or no longer asks for it.
   * @throws ImageNotFoundError there is neither such an image nor a file of it
   * @throws ImageActionForbiddenError
   */
  async remove(actor: Actor, imageId: string): Promise<void> {
    const image = await this.visibleImage(actor, imageId);
    const id = imageId.toLowerCase();
    if (!image && !(await this.knows(id))) throw new ImageNotFoundError(imageId);
    this.policy.checkAction('cache_delete', actor, 'take images out of the cache');
    await this.cache.unwant(id);
    await this.files.remove(id);
  }

  /** Lets go of every file, of everything that is asked for, or of both. @throws ImageActionForbiddenError */
  async clear(actor: Actor, target: CacheTarget): Promise<void> {
    this.policy.checkAction('cache_delete', actor, 'take images out of the cache');
    if (target !== 'cache') for (const key of await this.files.wanted()) await this.cache.unwant(key);
    if (target !== 'queue') for (const { key } of await this.files.list()) await this.files.remove(key);
  }

  /** Removes what is left of interrupted writes, and the files of images that are gone. @throws ImageActionForbiddenError */
  async clean(actor: Actor): Promise<void> {
    this.policy.checkAction('cache_clean', actor, 'clean the cache');
    await this.cache.clean();
  }

  /** Removes files until they fit the limit again: it may have been lowered. @throws ImageActionForbiddenError */
  async prune(actor: Actor): Promise<{ files: number; bytes: number }> {
    this.policy.checkAction('cache_prune', actor, 'prune the cache');
    return this.files.prune();
  }

  private get files(): FileCache {
    return this.cache.files!;
  }

  private async visibleImage(actor: Actor, imageId: string) {
    const sighting = isUuid(imageId, true) ? await this.images.find(imageId, actor.projectId) : null;
    return sighting && this.policy.isVisible(actor, sighting) ? sighting.image : null;
  }

  private async knows(id: string): Promise<boolean> {
    if (!isUuid(id)) return false;
    return (await this.files.wanted()).includes(id) || (await this.files.list()).some(({ key }) => key === id);
  }
}
