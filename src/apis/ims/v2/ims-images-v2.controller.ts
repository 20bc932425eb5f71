import { Controller, Delete, HttpCode, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { DeletedImagesService } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { ImsImagesController } from '../images/ims-images.controller.js';
import { ImsGuard } from '../ims.guard.js';
import { readCascade } from './cascade.js';

/** As version 3, but a delete is for good. */
@UseGuards(ImsGuard)
@Controller(['apis/ims/v2/images', 'apis/ims/images'])
export class ImsImagesV2Controller extends ImsImagesController {
  @Inject(DeletedImagesService)
  private readonly removal: DeletedImagesService;

  @Delete()
  @HttpCode(204)
  override async deleteAll(@CurrentActor() actor: Actor, @Query('cascade') parameter?: unknown): Promise<void> {
    const cascade = readCascade(parameter);
    await this.removeEach(actor, (id) => this.removal.deleteForGood(actor, id, { cascade }));
  }

  @Delete(':id')
  @HttpCode(204)
  override async delete(
    @CurrentActor() actor: Actor,
    @Param('id') id: string,
    @Query('cascade') parameter?: unknown,
  ): Promise<void> {
    await this.find(actor, id);
    await this.removal.deleteForGood(actor, id, { cascade: readCascade(parameter) });
  }
}
