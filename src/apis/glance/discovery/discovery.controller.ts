import { All, Controller, Get, HttpCode, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PublicAddress } from '../../shared/public-address.js';
import { GLANCE_MOUNT, GlanceFace } from '../glance.face.js';
import { versionsDocument } from './versions.js';
import { ApiExcludeEndpoint } from '@nestjs/swagger';
import { Sends } from '../../shared/documents/documented.js';

/** What answers without a token: the versions, and whether the service is there. */
@Controller(GLANCE_MOUNT)
export class GlanceDiscoveryController {
  constructor(
    private readonly address: PublicAddress,
    private readonly face: GlanceFace,
  ) {}

  @Get('versions')
  versions(@Req() request: FastifyRequest) {
    return versionsDocument(this.endpoint(request), this.face.minors);
  }

  @Get('healthcheck')
  @Sends({ 200: 'text/plain' })
  async healthcheck(@Res() reply: FastifyReply) {
    await reply.type('text/plain; charset=UTF-8').send('OK');
  }

  /** An absolute address, since the mount is not known to clients. */
  @Get('v2')
  @HttpCode(302)
  async toVersion(@Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    await reply
      .status(302)
      .header('location', `${this.endpoint(request)}/v2/`)
      .send();
  }

  /** A client that names no version that is here is told which are. */
  @All(['', '*'])
  @ApiExcludeEndpoint()
  @HttpCode(300)
  choices(@Req() request: FastifyRequest) {
    return versionsDocument(this.endpoint(request), this.face.minors);
  }

  private endpoint(request: FastifyRequest): string {
    return this.address.of(request) + GLANCE_MOUNT;
  }
}
