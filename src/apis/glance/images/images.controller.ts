import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ImageDataService, ImagesService } from '../../../modules/images/index.js';
import { ImportsService } from '../../../modules/jobs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/current-actor.js';
import { parseJsonBody } from '../../shared/json-body.js';
import { PublicAddress } from '../../shared/public-address.js';
import { PatchTypeUnsupportedError } from '../glance.errors.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { toCreateImage } from './create-image.js';
import { parseParameters } from '../query.js';
import { presentImagePage, toImageQuery } from './image-list-request.js';
import { parsePatch, PATCH_TYPES, patchDialect, toUpdateImage } from './image-patch.js';
import { presentImage } from './images.presenter.js';

/** @see Image API v2, "Images" */
@Controller(`${GLANCE_MOUNT}/v2/images`)
@UseGuards(TokenGuard)
export class GlanceImagesController {
  constructor(
    private readonly images: ImagesService,
    private readonly data: ImageDataService,
    private readonly imports: ImportsService,
    private readonly address: PublicAddress,
  ) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const parameters = parseParameters(request.url);
    const query = toImageQuery(parameters);
    return presentImagePage(await this.images.list(actor, query), parameters, query.limit);
  }

  @Post()
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const image = await this.images.create(actor, toCreateImage(parseJsonBody(request.body)));
    const stores = this.data.stores().map(({ id }) => id);
    reply.header('location', `${this.address.of(request)}${GLANCE_MOUNT}/v2/images/${image.id}`);
    reply.header('openstack-image-store-ids', stores.join(','));
    const methods = this.imports.methods();
    if (methods.length > 0) reply.header('openstack-image-import-methods', methods.join(','));
    return presentImage(image);
  }

  @Get(':imageId')
  @UseGuards(NoBodyGuard)
  async show(@CurrentActor() actor: Actor, @Param('imageId') imageId: string) {
    return presentImage(await this.images.get(actor, imageId));
  }

  @Patch(':imageId')
  async update(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    const dialect = patchDialect(request.headers['content-type']);
    if (!dialect) throw new PatchTypeUnsupportedError(request.headers['content-type'], PATCH_TYPES);
    const patch = parsePatch(parseJsonBody(request.body), dialect);
    return presentImage(await this.images.update(actor, imageId, (image) => toUpdateImage(patch, image, dialect)));
  }

  @Delete(':imageId')
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('imageId') imageId: string): Promise<void> {
    await this.images.delete(actor, imageId);
  }
}
