import { Controller, Get, HttpCode, Param, Put, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ImageDataService } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { requestedRange } from './byte-range.js';
import { DATA_TYPE, readUpload } from './upload-headers.js';
import { Asks, Sends, TakesBytes } from '../../shared/documents/documented.js';

/** @see Image API v2, "Image data" */
@Controller(`${GLANCE_MOUNT}/v2/images/:imageId/file`)
@UseGuards(TokenGuard)
export class GlanceImageDataController {
  constructor(private readonly data: ImageDataService) {}

  @Put()
  @TakesBytes(DATA_TYPE)
  @HttpCode(204)
  async upload(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    await this.data.upload(actor, imageId, request.raw, readUpload(request.headers));
  }

  // Never a redirect to the store: clients check the digest of what they get from here.
  @Get()
  @Sends({ 200: DATA_TYPE, 204: null, 206: DATA_TYPE })
  @Asks('prefer')
  @UseGuards(NoBodyGuard)
  async download(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { image, data } = await this.data.download(actor, imageId, preferredStores(request.query));
    if (!data) {
      await reply.status(204).send();
      return;
    }
    const range = requestedRange(request.headers, data.sizeBytes);
    const stream = await data.open(range ?? undefined);
    void reply.status(range ? 206 : 200).header('content-type', DATA_TYPE);
    void reply.header('content-length', range ? range.end - range.start + 1 : data.sizeBytes);
    if (range) void reply.header('content-range', `bytes ${range.start}-${range.end}/${data.sizeBytes}`);
    // Of the whole image, and in hexadecimal: what the reference sends, and clients compare.
    if (image.md5 !== null) void reply.header('content-md5', image.md5);
    await reply.send(stream);
  }
}

/** @see Image API v2, "Download binary image data", query parameter prefer */
function preferredStores(query: unknown): string[] {
  const { prefer } = query as { readonly prefer?: string | readonly string[] };
  return [prefer ?? []]
    .flat()
    .flatMap((stores) => stores.split(','))
    .map((store) => store.trim())
    .filter(Boolean);
}
