import { All, Controller, Get, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { NOVA_MOUNT } from '../compute-path.js';
import { askedVersion, minorOf } from '../microversion.js';
import { ResourceNotFoundError } from '../nova.errors.js';
import { askedPath, NovaFace } from '../nova.face.js';
import { choicesDocument, versionDocument, versionsDocument } from './version-documents.js';
import { ApiExcludeEndpoint } from '@nestjs/swagger';

/** What answers without a token: clients look at the versions before they sign in. */
@Controller(NOVA_MOUNT)
export class NovaDiscoveryController {
  constructor(private readonly face: NovaFace) {}

  @Get()
  versions(@Req() request: FastifyRequest) {
    return versionsDocument(this.face.links(request).root);
  }

  @Get('v2')
  older(@Req() request: FastifyRequest) {
    return versionDocument('v2', this.face.links(request).root);
  }

  @Get('v2.1')
  current(@Req() request: FastifyRequest) {
    minorOf(askedVersion(request.headers));
    return versionDocument('v2.1', this.face.links(request).root);
  }

  @All('*')
  @ApiExcludeEndpoint()
  @HttpCode(300)
  choices(@Req() request: FastifyRequest) {
    const { base, rest } = askedPath(request);
    // Another method than GET.
    if (base !== null) throw new ResourceNotFoundError();
    return choicesDocument(this.face.links(request).root, rest);
  }
}
