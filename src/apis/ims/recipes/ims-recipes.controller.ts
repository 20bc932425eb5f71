import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../../../config/config.js';
import { RECIPE_ARCHS, RECIPE_TYPES, RecipesService } from '../../../modules/recipes/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import type { FieldFaults } from '../../shared/requests/validation.js';
import { type MoreRules, readBody } from '../ims-body.js';
import type { LinkRequest } from '../ims-link.js';
import { ListQuery } from '../ims-list-query.js';
import { sendList, sendPage } from '../ims-lists.js';
import { ImsGuard } from '../ims.guard.js';
import { presentRecipe } from './ims-recipes.presenter.js';
import { CreateRecipeRequest, UpdateRecipeRequest } from './ims-recipes.requests.js';

const SORT_KEYS = {
  id: 'id',
  name: 'name',
  created: 'created',
  arch: 'arch',
  recipe_type: 'recipe_type',
  linux_distribution: 'linux_distribution',
} as const;

@UseGuards(ImsGuard)
@Controller('apis/ims/v3/recipes')
export class ImsRecipesController {
  constructor(
    protected readonly recipes: RecipesService,
    private readonly config: Config,
  ) {}

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
    };
    const query = { projectId: parameters.owner(actor), filter, sort, marker };
    if (limit === undefined) return sendList(reply, this.recipes.stream(actor, query), presentRecipe);
    const read = (wanted: number) => this.recipes.stream(actor, query, wanted);
    return sendPage(reply, parameters, read, limit, presentRecipe);
  }

  @Post()
  async create(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const body = readBody(request, CreateRecipeRequest, this.distributionRule);
    const recipe = await this.recipes.create(actor, {
      name: body.name,
      recipeType: body.recipe_type,
      linuxDistribution: body.linux_distribution,
      arch: body.arch ?? 'x86_64',
      requireDkms: body.require_dkms ?? true,
      templateDictionary: body.template_dictionary ?? [],
      link: body.link ? toLink(body.link) : null,
    });
    return presentRecipe(recipe);
  }

  @Delete()
  @HttpCode(204)
  async deleteAll(@CurrentActor() actor: Actor): Promise<void> {
    await this.recipes.deleteAll(actor);
  }

  @Get(':id')
  async show(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return presentRecipe(await this.recipes.get(actor, id));
  }

  @Patch(':id')
  async update(@CurrentActor() actor: Actor, @Param('id') id: string, @Req() request: FastifyRequest) {
    await this.recipes.getForUpdate(actor, id);
    const body = readBody(request, UpdateRecipeRequest);
    const recipe = await this.recipes.update(actor, id, {
      arch: body.arch,
      requireDkms: body.require_dkms,
      templateDictionary: body.template_dictionary === null ? [] : body.template_dictionary,
      link: body.link && toLink(body.link),
    });
    return presentRecipe(recipe);
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.recipes.delete(actor, id);
  }

  /** Which distributions there are is configuration. */
  private readonly distributionRule: MoreRules = ({ linux_distribution: found }): FieldFaults => {
    const { distributions } = this.config.ims;
    if (typeof found !== 'string' || distributions.includes(found)) return {};
    return { linux_distribution: [`linux_distribution must be one of ${distributions.join(', ')}`] };
  };
}

function toLink({ path, etag }: LinkRequest) {
  return { path, etag: etag ?? '' };
}
