import { Controller, Delete, Get, HttpCode, Param, Post, Put, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { checkPropertyRoom, ImagesService, replaceProperties } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { NOVA_MOUNT } from '../compute-path.js';
import { presentMetadata } from '../images/images.presenter.js';
import { MetadataKeyNotFoundError, ResourceNotFoundError } from '../nova.errors.js';
import { NovaGuard, ServedUpTo } from '../nova.guard.js';
import { readMeta, readMetadata, toChange, toProperties } from './metadata.requests.js';
import { object, Takes } from '../../shared/documents/documented.js';

const TEXTS = { type: 'object', additionalProperties: { type: 'string', maxLength: 255 } };
const WHOLE = object({ metadata: TEXTS }, ['metadata']);
const ONE = object({ meta: { ...TEXTS, minProperties: 1, maxProperties: 1 } }, ['meta']);

/** @see Compute API reference, "Images (DEPRECATED)", metadata */
@Controller(`${NOVA_MOUNT}/v2.1/images/:imageId/metadata`)
@UseGuards(NovaGuard)
@ServedUpTo(38)
export class NovaMetadataController {
  constructor(private readonly images: ImagesService) {}

  @Get()
  async show(@CurrentActor() actor: Actor, @Param('imageId') imageId: string) {
    return { metadata: presentMetadata((await this.images.get(actor, imageId)).properties) };
  }

  @Post()
  @Takes(WHOLE)
  @HttpCode(200)
  async add(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    const image = await this.images.update(actor, imageId, toChange(readMetadata(request)));
    return { metadata: presentMetadata(image.properties) };
  }

  @Put()
  @Takes(WHOLE)
  async replace(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    const metadata = readMetadata(request);
    const wanted = toProperties(metadata);
    await this.images.update(actor, imageId, ({ properties }) => {
      // What was sent counts, names of attributes as well.
      checkPropertyRoom(metadata);
      return replaceProperties(properties, wanted);
    });
    return { metadata };
  }

  @Get(':key')
  async showOne(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Param('key') key: string) {
    const metadata = presentMetadata((await this.images.get(actor, imageId)).properties);
    if (!Object.hasOwn(metadata, key)) throw new ResourceNotFoundError();
    return { meta: Object.fromEntries([[key, metadata[key]]]) };
  }

  @Put(':key')
  @Takes(ONE)
  async setOne(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Param('key') key: string,
    @Req() request: FastifyRequest,
  ) {
    const meta = readMeta(request, key);
    await this.images.update(actor, imageId, toChange(meta));
    return { meta };
  }

  @Delete(':key')
  @HttpCode(204)
  async removeOne(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Param('key') key: string,
  ): Promise<void> {
    await this.images.update(actor, imageId, ({ properties }) => {
      if (!Object.hasOwn(properties, key)) throw new MetadataKeyNotFoundError();
      return { removeProperties: [key] };
    });
  }
}
