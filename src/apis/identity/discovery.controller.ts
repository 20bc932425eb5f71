import { Controller, Get, HttpCode, Req, Res, UseInterceptors } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { IdentityFace } from './identity.face.js';
import { VaryByToken } from './identity.guard.js';
import { presentVersion } from './presenters.js';

@Controller('identity')
@UseInterceptors(VaryByToken)
export class IdentityDiscoveryController {
  constructor(private readonly face: IdentityFace) {}

  @Get()
  @HttpCode(300)
  versions(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    const base = this.face.base(request);
    void reply.header('location', `${base}/v3/`);
    return { versions: { values: [presentVersion(base)] } };
  }

  @Get('v3')
  version(@Req() request: FastifyRequest) {
    return { version: presentVersion(this.face.base(request)) };
  }
}
