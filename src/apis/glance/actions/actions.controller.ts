import { Controller, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { ImageActivationService } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';

/** @see Image API v2, "Image actions" */
@Controller(`${GLANCE_MOUNT}/v2/images/:imageId/actions`)
@UseGuards(TokenGuard, NoBodyGuard)
export class GlanceActionsController {
  constructor(private readonly activation: ImageActivationService) {}

  @Post('deactivate')
  @HttpCode(204)
  deactivate(@CurrentActor() actor: Actor, @Param('imageId') imageId: string): Promise<void> {
    return this.activation.turn(actor, imageId, 'deactivate');
  }

  @Post('reactivate')
  @HttpCode(204)
  reactivate(@CurrentActor() actor: Actor, @Param('imageId') imageId: string): Promise<void> {
    return this.activation.turn(actor, imageId, 'reactivate');
  }
}
