import { Controller, Get, Param, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { CustomImageLogsService, CustomImagesService } from '../../../modules/custom-images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { Asks } from '../../shared/documents/documented.js';
import { RELEASED_BASE } from '../dialect.js';
import { checkPathId } from '../images/image-id.js';
import { ParallelClusterGuard } from '../parallelcluster.guard.js';
import { Query } from '../query.js';
import { presentEvents, presentStackEvents, presentStream } from './image-logs.presenter.js';
import { toLogQuery } from './image-logs.requests.js';

/**
 * What a build says while it runs and after it has ended. The preview did not have it.
 * @see AWS ParallelCluster API, ImageLogs
 */
@Controller(`${RELEASED_BASE}/custom/:imageId`)
@UseGuards(ParallelClusterGuard)
export class ParallelClusterImageLogsController {
  constructor(
    private readonly customImages: CustomImagesService,
    private readonly logs: CustomImageLogsService,
  ) {}

  @Get('logstreams')
  @Asks('region', 'nextToken')
  async streams(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() { url }: FastifyRequest) {
    const name = checkPathId(imageId, 'released');
    const log = await this.logs.get(actor, new Query(url).text('region'), name);
    return { logStreams: [presentStream(log)] };
  }

  @Get('logstreams/:logStreamName')
  @Asks('region', 'nextToken', 'startFromHead', 'limit', 'startTime', 'endTime')
  async events(
    @CurrentActor() actor: Actor,
    @Param('imageId') imageId: string,
    @Param('logStreamName') logStreamName: string,
    @Req() request: FastifyRequest,
  ) {
    const name = checkPathId(imageId, 'released');
    const { region, range, limit } = toLogQuery(request);
    return presentEvents(await this.logs.page(actor, region, name, logStreamName, range, limit), range.place);
  }

  @Get('stackevents')
  @Asks('region', 'nextToken')
  async stackEvents(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() { url }: FastifyRequest) {
    const name = checkPathId(imageId, 'released');
    const { record } = await this.customImages.get(actor, new Query(url).text('region'), name);
    return { events: presentStackEvents(record) };
  }
}
