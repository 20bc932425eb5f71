import { Controller, Get, Param, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CustomImagesService } from '../../../modules/custom-images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/current-actor.js';
import { BASES, dialectOf } from '../dialect.js';
import { ParallelClusterGuard } from '../parallelcluster.guard.js';
import { Query } from '../query.js';
import { ConfigurationAddress } from './configuration-address.js';
import { checkImageId } from './image-id.js';
import { presentDescription, presentListed } from './images.presenter.js';
import { toListQuery } from './images.requests.js';

/** @see AWS ParallelCluster API, ImageOperations */
@Controller(BASES.map((base) => `${base}/custom`))
@UseGuards(ParallelClusterGuard)
export class ParallelClusterImagesController {
  constructor(
    private readonly customImages: CustomImagesService,
    private readonly configurations: ConfigurationAddress,
  ) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const dialect = dialectOf(request);
    const { items, nextPageToken } = await this.customImages.list(actor, toListQuery(request, dialect));
    const images = items.map((item) => presentListed(item, dialect));
    return { ...(dialect === 'preview' ? { items: images } : { images }), nextToken: nextPageToken };
  }

  @Get(':imageId')
  async describe(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    const dialect = dialectOf(request);
    const name = checkImageId(imageId, dialect, 'imageId');
    const view = await this.customImages.get(actor, new Query(request.url).text('region'), name);
    return presentDescription(view, await this.configurations.of(view.record, request), dialect);
  }
}
