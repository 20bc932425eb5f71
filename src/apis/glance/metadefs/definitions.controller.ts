import { Delete, HttpCode, Param, UseGuards } from '@nestjs/common';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { NamePipe } from './name.pipe.js';

/** What a namespace defines, as far as it goes away alike. */
interface Definitions {
  removeAll(actor: Actor, namespace: string): Promise<unknown>;
  remove(actor: Actor, namespace: string, name: string): Promise<unknown>;
}

/** How the definitions of a namespace go, one by one or all at once; how they come is each kind's own. */
export abstract class DefinitionsController {
  protected abstract readonly definitions: Definitions;

  @Delete()
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async removeAll(@CurrentActor() actor: Actor, @Param('namespace', NamePipe) namespace: string): Promise<void> {
    await this.definitions.removeAll(actor, namespace);
  }

  @Delete(':name')
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async remove(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
  ): Promise<void> {
    await this.definitions.remove(actor, namespace, name);
  }
}
