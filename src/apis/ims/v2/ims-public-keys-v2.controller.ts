import { Controller, Delete, HttpCode, Param, UseGuards } from '@nestjs/common';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { ignoreGone } from '../deleted/undelete.js';
import { ImsGuard } from '../ims.guard.js';
import { ImsPublicKeysController } from '../public-keys/ims-public-keys.controller.js';

/** As version 3, but a delete is for good. */
@UseGuards(ImsGuard)
@Controller(['apis/ims/v2/public-keys', 'apis/ims/public-keys'])
export class ImsPublicKeysV2Controller extends ImsPublicKeysController {
  @Delete()
  @HttpCode(204)
  override async deleteAll(@CurrentActor() actor: Actor): Promise<void> {
    const keys = this.keys.stream(actor, { projectId: actor.projectId, filter: {}, sort: [] });
    for await (const { id } of keys) await this.keys.deleteForGood(actor, id).catch(ignoreGone);
  }

  @Delete(':id')
  @HttpCode(204)
  override async delete(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.keys.deleteForGood(actor, id);
  }
}
