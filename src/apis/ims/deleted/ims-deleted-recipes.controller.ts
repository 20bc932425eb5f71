import { Controller, Delete, Get, HttpCode, Param, Patch, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Recipe, RECIPE_ARCHS, RECIPE_TYPES, RecipesService } from '../../../modules/recipes/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { ListQuery } from '../ims-list-query.js';
import { sendList, sendPage } from '../ims-lists.js';
import { ImsGuard } from '../ims.guard.js';
import { presentRecipe } from '../recipes/ims-recipes.presenter.js';
import { checkUndelete, ignoreGone, presentDeleted, restoreEach } from './undelete.js';

const SORT_KEYS = {
  id: 'id',
  name: 'name',
  created: 'created',
  deleted: 'deleted',
  arch: 'arch',
  recipe_type: 'recipe_type',
  linux_distribution: 'linux_distribution',
} as const;

const present = (recipe: Recipe) => presentDeleted(presentRecipe(recipe), recipe);

@UseGuards(ImsGuard)
@Controller('apis/ims/v3/deleted/recipes')
export class ImsDeletedRecipesController {
  constructor(private readonly recipes: RecipesService) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const parameters = new ListQuery(request);
    const { limit, marker, sort } = parameters.window(SORT_KEYS);
    const filter = {
      names: parameters.any('name'),
      archs: parameters.anyOf('arch', RECIPE_ARCHS),
      recipeTypes: parameters.anyOf('recipe_type', RECIPE_TYPES),
      linuxDistributions: parameters.any('linux_distribution'),
      requireDkms: parameters.boolean('require_dkms'),
      created: parameters.times('created'),
      deletedAt: parameters.times('deleted'),
    };
    const query = { projectId: parameters.owner(actor), deleted: true, filter, sort, marker };
    if (limit === undefined) return sendList(reply, this.recipes.stream(actor, query), present);
    const read = (wanted: number) => this.recipes.stream(actor, query, wanted);
    return sendPage(reply, parameters, read, limit, present);
  }

  @Patch()
  @HttpCode(204)
  async undeleteAll(@CurrentActor() actor: Actor, @Req() request: FastifyRequest): Promise<void> {
    checkUndelete(request);
    await restoreEach(this.all(actor), (id) => this.recipes.restore(actor, id));
  }

  @Delete()
  @HttpCode(204)
  async purgeAll(@CurrentActor() actor: Actor): Promise<void> {
    for await (const recipe of this.all(actor)) await this.recipes.purge(actor, recipe.id).catch(ignoreGone);
  }

  @Get(':id')
  async show(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return present(await this.recipes.getDeleted(actor, id));
  }

  @Patch(':id')
  @HttpCode(204)
  async undelete(@CurrentActor() actor: Actor, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.recipes.getDeletedForChange(actor, id);
    checkUndelete(request);
    await this.recipes.restore(actor, id);
  }

  @Delete(':id')
  @HttpCode(204)
  async purge(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.recipes.purge(actor, id);
  }

  private all(actor: Actor): AsyncGenerator<Recipe> {
    return this.recipes.stream(actor, { projectId: actor.projectId, deleted: true, filter: {}, sort: [] });
  }
}
