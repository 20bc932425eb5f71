import { Controller, Delete, HttpCode, Param, Query, UseGuards } from '@nestjs/common';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { ignoreGone } from '../deleted/undelete.js';
import { ImsGuard } from '../ims.guard.js';
import { ImsRecipesController } from '../recipes/ims-recipes.controller.js';
import { readCascade } from './cascade.js';

/** As version 3, but a delete is for good. */
@UseGuards(ImsGuard)
@Controller(['apis/ims/v2/recipes', 'apis/ims/recipes'])
export class ImsRecipesV2Controller extends ImsRecipesController {
  @Delete()
  @HttpCode(204)
  override async deleteAll(@CurrentActor() actor: Actor, @Query('cascade') parameter?: unknown): Promise<void> {
    const cascade = readCascade(parameter);
    const recipes = this.recipes.stream(actor, { projectId: actor.projectId, filter: {}, sort: [] });
    for await (const { id } of recipes) await this.recipes.deleteForGood(actor, id, { cascade }).catch(ignoreGone);
  }

  @Delete(':id')
  @HttpCode(204)
  override async delete(
    @CurrentActor() actor: Actor,
    @Param('id') id: string,
    @Query('cascade') parameter?: unknown,
  ): Promise<void> {
    await this.recipes.deleteForGood(actor, id, { cascade: readCascade(parameter) });
  }
}
