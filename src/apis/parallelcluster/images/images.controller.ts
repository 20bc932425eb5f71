import { Controller, Delete, Get, HttpCode, Param, Post, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import {
  CustomImageBuildsService,
  CustomImageRemovalService,
  CustomImagesService,
} from '../../../modules/custom-images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { Asks, AsksFor, object, Refuses, Takes, text } from '../../shared/documents/documented.js';
import { BASES, dialectOf } from '../dialect.js';
import { DryRunError } from '../parallelcluster.errors.js';
import { ParallelClusterGuard } from '../parallelcluster.guard.js';
import { Query } from '../query.js';
import { presentMessages } from '../validation-messages.js';
import { ConfigurationAddress } from './configuration-address.js';
import { checkPathId } from './image-id.js';
import { presentAccepted, presentDeleting, presentDescription, presentListed } from './images.presenter.js';
import { FILTERS, toBuildRequest, toDeletion, toListQuery } from './images.requests.js';

/** The preview has `id` for the name, the region beside it, and the configuration in base64. */
const BUILD = {
  anyOf: [
    object({ imageId: text, imageConfiguration: text }, ['imageId', 'imageConfiguration']),
    object({ id: text, region: text, imageConfiguration: text }, ['id', 'imageConfiguration']),
  ],
};

/** @see AWS ParallelCluster API, ImageOperations */
@Controller(BASES.map((base) => `${base}/custom`))
@UseGuards(ParallelClusterGuard)
export class ParallelClusterImagesController {
  constructor(
    private readonly customImages: CustomImagesService,
    private readonly builds: CustomImageBuildsService,
    private readonly removal: CustomImageRemovalService,
    private readonly configurations: ConfigurationAddress,
  ) {}

  @Post()
  @HttpCode(202)
  @Takes(BUILD)
  @Asks('region', 'suppressValidators', 'validationFailureLevel', 'dryrun', 'rollbackOnFailure')
  @Refuses(409, 412)
  async build(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    this.builds.checkMayBuild(actor);
    const { wanted, dialect } = toBuildRequest(request);
    const { image, messages } = await this.builds.build(actor, wanted);
    if (image === null) throw new DryRunError(messages);
    const told = messages.length > 0 || dialect === 'preview';
    return { image: presentAccepted(image), ...(told ? { validationMessages: presentMessages(messages) } : {}) };
  }

  @Get()
  @AsksFor('imageStatus', Object.keys(FILTERS))
  @Asks('region', 'nextToken')
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const dialect = dialectOf(request);
    const { items, nextPageToken } = await this.customImages.list(actor, toListQuery(request, dialect));
    const images = items.map((item) => presentListed(item, dialect));
    return { ...(dialect === 'preview' ? { items: images } : { images }), nextToken: nextPageToken };
  }

  @Get(':imageId')
  @Asks('region')
  async describe(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    const dialect = dialectOf(request);
    const name = checkPathId(imageId, dialect);
    const view = await this.customImages.get(actor, new Query(request.url).text('region'), name);
    return presentDescription(view, await this.configurations.of(view.record, request), dialect);
  }

  @Delete(':imageId')
  @HttpCode(202)
  @Asks('region', 'force')
  async delete(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    this.removal.checkMayDelete(actor);
    const name = checkPathId(imageId, dialectOf(request));
    const { region, force } = toDeletion(request);
    return { image: presentDeleting(await this.removal.delete(actor, region, name, force)) };
  }
}
