import { Controller, Delete, Get, HttpCode, Param, Patch, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Key, KeysService } from '../../../modules/keys/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { ListQuery } from '../ims-list-query.js';
import { sendList, sendPage } from '../ims-lists.js';
import { ImsGuard } from '../ims.guard.js';
import { presentPublicKey } from '../public-keys/ims-public-keys.presenter.js';
import { checkUndelete, ignoreGone, presentDeleted, restoreEach } from './undelete.js';

const SORT_KEYS = { id: 'id', name: 'name', created: 'created', deleted: 'deleted' } as const;

const present = (key: Key) => presentDeleted(presentPublicKey(key), key);

@UseGuards(ImsGuard)
@Controller('apis/ims/v3/deleted/public-keys')
export class ImsDeletedPublicKeysController {
  constructor(private readonly keys: KeysService) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const parameters = new ListQuery(request);
    const { limit, marker, sort } = parameters.window(SORT_KEYS);
    const filter = {
      names: parameters.any('name'),
      created: parameters.times('created'),
      deletedAt: parameters.times('deleted'),
    };
    const query = { projectId: parameters.owner(actor), deleted: true, filter, sort, marker };
    if (limit === undefined) return sendList(reply, this.keys.stream(actor, query), present);
    const read = (wanted: number) => this.keys.stream(actor, query, wanted);
    return sendPage(reply, parameters, read, limit, present);
  }

  @Patch()
  @HttpCode(204)
  async undeleteAll(@CurrentActor() actor: Actor, @Req() request: FastifyRequest): Promise<void> {
    checkUndelete(request);
    await restoreEach(this.all(actor), (id) => this.keys.restore(actor, id));
  }

  @Delete()
  @HttpCode(204)
  async purgeAll(@CurrentActor() actor: Actor): Promise<void> {
    for await (const key of this.all(actor)) await this.keys.purge(actor, key.id).catch(ignoreGone);
  }

  @Get(':id')
  async show(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return present(await this.keys.getDeleted(actor, id));
  }

  @Patch(':id')
  @HttpCode(204)
  async undelete(@CurrentActor() actor: Actor, @Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.keys.getDeletedForChange(actor, id);
    checkUndelete(request);
    await this.keys.restore(actor, id);
  }

  @Delete(':id')
  @HttpCode(204)
  async purge(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.keys.purge(actor, id);
  }

  private all(actor: Actor): AsyncGenerator<Key> {
    return this.keys.stream(actor, { projectId: actor.projectId, deleted: true, filter: {}, sort: [] });
  }
}
