import { Controller, Delete, Get, HttpCode, Param, Patch, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type DeletedImageQuery,
  DeletedImagesService,
  type Image,
  VISIBILITIES,
} from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { architecturesOf, IMS_ARCHS } from '../images/ims-image-arch.js';
import { presentImage } from '../images/ims-images.presenter.js';
import { ImsShownImages } from '../images/ims-shown-images.js';
import { ListQuery } from '../ims-list-query.js';
import { sendList, sendPage } from '../ims-lists.js';
import { ImsGuard } from '../ims.guard.js';
import { checkUndelete, ignoreGone, presentDeleted, restoreEach } from './undelete.js';

const SORT_KEYS = { id: 'id', name: 'name', created: 'created', deleted: 'deleted', arch: 'arch' } as const;

const present = (image: Image) => presentDeleted(presentImage(image), image);

@UseGuards(ImsGuard)
@Controller('apis/ims/v3/deleted/images')
export class ImsDeletedImagesController {
  constructor(
    private readonly images: DeletedImagesService,
    private readonly shown: ImsShownImages,
  ) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const parameters = new ListQuery(request);
    const { limit, marker, sort } = parameters.window(SORT_KEYS);
    const archs = parameters.anyOf('arch', IMS_ARCHS);
    const query: DeletedImageQuery = {
      projectId: parameters.owner(actor),
      filter: {
        architectures: archs && architecturesOf(archs),
        knownArchitectures: architecturesOf(IMS_ARCHS),
        names: parameters.any('name'),
        visibility: parameters.oneOf('visibility', VISIBILITIES),
        properties: parameters.map('metadata'),
        created: parameters.times('created'),
        deleted: parameters.times('deleted'),
      },
      sort,
      marker,
    };
    if (limit === undefined) return sendList(reply, this.images.stream(actor, query), present);
    const read = (wanted: number) => this.images.stream(actor, query, wanted);
    return sendPage(reply, parameters, read, limit, present);
  }

  @Patch()
  @HttpCode(204)
  async undeleteAll(@CurrentActor() actor: Actor, @Req() request: FastifyRequest): Promise<void> {
    checkUndelete(request);
    await restoreEach(this.all(actor), (id) => this.images.restore(actor, id));
  }

  @Delete()
  @HttpCode(204)
  async purgeAll(@CurrentActor() actor: Actor): Promise<void> {
    for await (const image of this.all(actor)) await this.images.purge(actor, image.id).catch(ignoreGone);
  }

  @Get(':id')
  async show(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return present(await this.shown.check(actor, id, await this.images.get(actor, id)));
  }

  @Patch(':id')
  @HttpCode(204)
  async undelete(@CurrentActor() actor: Actor, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.shown.check(actor, id, await this.images.getForChange(actor, id));
    checkUndelete(request);
    await this.images.restore(actor, id);
  }

  @Delete(':id')
  @HttpCode(204)
  async purge(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.shown.check(actor, id, await this.images.getForChange(actor, id));
    await this.images.purge(actor, id);
  }

  private all(actor: Actor): AsyncGenerator<Image> {
    const filter = { knownArchitectures: architecturesOf(IMS_ARCHS) };
    return this.images.stream(actor, { projectId: actor.projectId, filter, sort: [] });
  }
}
