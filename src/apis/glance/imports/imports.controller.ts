import { Controller, Get, HttpCode, Param, Post, Put, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ImageStagingService } from '../../../modules/images/index.js';
import { ImportsService } from '../../../modules/jobs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { tokenOf } from '../../shared/callers/credentials.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { parseJsonBody } from '../../shared/requests/json-body.js';
import { DATA_TYPE, readUpload } from '../data/upload-headers.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { toImportImage } from './import-request.js';
import { object, Takes, TakesBytes, text } from '../../shared/documents/documented.js';

const IMPORT = object(
  {
    method: object(
      {
        name: text,
        uri: text,
        glance_region: text,
        glance_image_id: text,
        glance_service_interface: text,
      },
      ['name'],
    ),
    stores: { type: 'array', items: text },
    all_stores: { type: 'boolean' },
    all_stores_must_succeed: { type: 'boolean' },
  },
  ['method'],
);

/** @see Image API v2, "Interoperable image import" */
@Controller(`${GLANCE_MOUNT}/v2`)
@UseGuards(TokenGuard)
export class GlanceImportsController {
  constructor(
    private readonly staging: ImageStagingService,
    private readonly imports: ImportsService,
  ) {}

  @Put('images/:imageId/stage')
  @TakesBytes(DATA_TYPE)
  @HttpCode(204)
  async stage(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    await this.staging.stage(actor, imageId, request.raw, readUpload(request.headers));
  }

  @Post('images/:imageId/import')
  @Takes(IMPORT)
  @HttpCode(202)
  async start(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const store = request.headers['x-image-meta-store'];
    const command = toImportImage(
      parseJsonBody(request.body),
      typeof store === 'string' ? store : undefined,
      tokenOf(request) ?? undefined,
    );
    await this.imports.start(actor, imageId, command);
  }

  @Get('info/import')
  @UseGuards(NoBodyGuard)
  methods() {
    return {
      'import-methods': {
        description: 'Import methods available.',
        type: 'array',
        value: this.imports.methods(),
      },
    };
  }
}
