import {
  type CanActivate,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Injectable,
  Param,
  Post,
  Put,
  UseGuards,
} from '@nestjs/common';
import { type CacheTarget, ImageCacheService } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { RouteNotFoundError } from '../../shared/requests/request-errors.js';
import { NoCentralCacheError, RequestInvalidError } from '../glance.errors.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { Sends } from '../../shared/documents/documented.js';

const TARGETS: readonly CacheTarget[] = ['cache', 'queue'];

/** Where there is no cache, nothing is served of it. */
@Injectable()
export class CacheEnabledGuard implements CanActivate {
  constructor(private readonly cache: ImageCacheService) {}

  canActivate(): boolean {
    if (!this.cache.enabled) throw new RouteNotFoundError('/v2/cache');
    return true;
  }
}

/** @see Image API v2, "Cache manage" */
@Controller(`${GLANCE_MOUNT}/v2/cache`)
@UseGuards(TokenGuard, CacheEnabledGuard)
export class GlanceCacheController {
  constructor(private readonly cache: ImageCacheService) {}

  @Get()
  @UseGuards(NoBodyGuard)
  async state(@CurrentActor() actor: Actor) {
    const { cached, queued } = await this.cache.state(actor);
    return {
      cached_images: cached.map(({ key, hits, lastAccessedAt, modifiedAt, sizeBytes }) => ({
        image_id: key,
        hits,
        last_accessed: seconds(lastAccessedAt),
        last_modified: seconds(modifiedAt),
        size: sizeBytes,
      })),
      queued_images: queued,
    };
  }

  @Delete()
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async clear(@CurrentActor() actor: Actor, @Headers('x-image-cache-clear-target') header = ''): Promise<void> {
    const target = header.toLowerCase();
    const known = TARGETS.find((each) => each === target);
    if (target !== '' && !known) {
      throw new RequestInvalidError(`x-image-cache-clear-target must be empty or one of ${TARGETS.join(', ')}`);
    }
    await this.cache.clear(actor, known ?? 'both');
  }

  @Put(':imageId')
  @UseGuards(NoBodyGuard)
  @HttpCode(202)
  async queue(@CurrentActor() actor: Actor, @Param('imageId') imageId: string): Promise<void> {
    await this.cache.queue(actor, imageId);
  }

  @Delete(':imageId')
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async remove(@CurrentActor() actor: Actor, @Param('imageId') imageId: string): Promise<void> {
    await this.cache.remove(actor, imageId);
  }

  @Post('clean')
  @HttpCode(200)
  async clean(@CurrentActor() actor: Actor) {
    await this.cache.clean(actor);
    return {};
  }

  @Post('prune')
  @HttpCode(200)
  async prune(@CurrentActor() actor: Actor) {
    const { files, bytes } = await this.cache.prune(actor);
    return { total_files_pruned: files, total_bytes_pruned: bytes };
  }

  /** Every process has a cache of its own and knows of no other's. */
  @Get('nodes/:imageId')
  @Sends({ 409: null })
  @UseGuards(NoBodyGuard)
  async nodes(@CurrentActor() actor: Actor): Promise<never> {
    await this.cache.state(actor);
    throw new NoCentralCacheError();
  }
}

/** Times of the cache are seconds since 1970, with a fraction. */
function seconds(time: Date): number {
  return time.getTime() / 1000;
}
