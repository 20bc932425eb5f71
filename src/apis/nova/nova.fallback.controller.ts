import { All, Controller, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { versionDocument } from './discovery/version-documents.js';
import { ResourceNotFoundError } from './nova.errors.js';
import { NOVA_MOUNT } from './compute-path.js';
import { askedPath, NovaFace } from './nova.face.js';
import { NovaGuard } from './nova.guard.js';
import { ApiExcludeController } from '@nestjs/swagger';

/** Everything below the bases that no other controller takes, other methods included. */
@ApiExcludeController()
@Controller(NOVA_MOUNT)
@UseGuards(NovaGuard)
export class NovaFallbackController {
  constructor(private readonly face: NovaFace) {}

  @All('v2.1/*')
  refuse(@Req() request: FastifyRequest) {
    const { base, projectId, rest } = askedPath(request);
    if (request.method === 'GET' && projectId !== null && rest === '/') {
      return versionDocument(base ?? 'v2.1', this.face.links(request).root);
    }
    throw new ResourceNotFoundError();
  }
}
