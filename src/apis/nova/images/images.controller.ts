import { Controller, Delete, Get, HttpCode, Param, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Image, ImagesService } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { parseParameters } from '../../shared/requests/query-string.js';
import type { ComputeLinks } from '../compute-links.js';
import { NOVA_MOUNT } from '../compute-path.js';
import { NovaFace } from '../nova.face.js';
import { NovaGuard, ServedUpTo } from '../nova.guard.js';
import { LIST_PARAMETERS, presentImagePage, toImageQuery } from './image-list-request.js';
import { presentImage, presentImageInBrief } from './images.presenter.js';
import { Asks } from '../../shared/documents/documented.js';

/** @see Compute API reference, "Images (DEPRECATED)" */
@Controller(`${NOVA_MOUNT}/v2.1/images`)
@UseGuards(NovaGuard)
@ServedUpTo(35)
export class NovaImagesController {
  constructor(
    private readonly images: ImagesService,
    private readonly face: NovaFace,
  ) {}

  @Get()
  @Asks(...LIST_PARAMETERS)
  list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    return this.page(actor, request, 'images', presentImageInBrief);
  }

  @Get('detail')
  @Asks(...LIST_PARAMETERS)
  listInDetail(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    return this.page(actor, request, 'images/detail', presentImage);
  }

  @Get(':imageId')
  async show(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    return { image: presentImage(await this.images.get(actor, imageId), this.face.links(request)) };
  }

  @Delete(':imageId')
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('imageId') imageId: string): Promise<void> {
    await this.images.delete(actor, imageId);
  }

  private async page<Wire extends object>(
    actor: Actor,
    request: FastifyRequest,
    path: string,
    present: (image: Image, links: ComputeLinks) => Wire,
  ) {
    const links = this.face.links(request);
    const parameters = parseParameters(request.url);
    const query = toImageQuery(parameters);
    const page = await this.images.list(actor, query);
    return presentImagePage(page, (image) => present(image, links), parameters, query, links.below(path));
  }
}
