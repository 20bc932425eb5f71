import { Controller, Get, HttpCode, Param, Post, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ImageLocationsService } from '../../../modules/images/index.js';
import { ImportsService } from '../../../modules/jobs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { parseJsonBody } from '../../shared/requests/json-body.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { LONGEST_URL } from '../images/location-value.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { toAddLocation } from './add-location-request.js';
import { object, Takes } from '../../shared/documents/documented.js';

const LOCATION = object(
  {
    url: { type: 'string', minLength: 1, maxLength: LONGEST_URL },
    validation_data: {
      anyOf: [
        { type: 'null' },
        object({ os_hash_algo: { type: ['string', 'null'] }, os_hash_value: { type: ['string', 'null'] } }),
      ],
    },
  },
  ['url'],
);

/** @see Image API v2, "Locations" */
@Controller(`${GLANCE_MOUNT}/v2/images/:imageId/locations`)
@UseGuards(TokenGuard)
export class GlanceLocationsController {
  constructor(
    private readonly imports: ImportsService,
    private readonly locations: ImageLocationsService,
  ) {}

  @Post()
  @Takes(LOCATION)
  @HttpCode(202)
  async add(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    await this.imports.addLocation(actor, imageId, toAddLocation(parseJsonBody(request.body)));
  }

  @Get()
  @UseGuards(NoBodyGuard)
  list(@CurrentActor() actor: Actor, @Param('imageId') imageId: string) {
    return this.locations.fetch(actor, imageId);
  }
}
