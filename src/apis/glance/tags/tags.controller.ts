import { Controller, Delete, HttpCode, Param, Put, UseGuards } from '@nestjs/common';
import { ImagesService } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { checkAttribute } from '../images/image-attributes.js';

/** @see Image API v2, "Image tags" */
@Controller(`${GLANCE_MOUNT}/v2/images/:imageId/tags/:tag`)
@UseGuards(TokenGuard, NoBodyGuard)
export class GlanceTagsController {
  constructor(private readonly images: ImagesService) {}

  @Put()
  @HttpCode(204)
  async add(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Param('tag') tag: string): Promise<void> {
    checkAttribute('tags', [tag]);
    await this.images.addTag(actor, imageId, tag);
  }

  @Delete()
  @HttpCode(204)
  async remove(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Param('tag') tag: string,
  ): Promise<void> {
    checkAttribute('tags', [tag]);
    await this.images.removeTag(actor, imageId, tag);
  }
}
