import { Controller, Delete, Get, HttpCode, Param, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KeysService } from '../../../modules/keys/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { readBody } from '../ims-body.js';
import { ListQuery } from '../ims-list-query.js';
import { sendList, sendPage } from '../ims-lists.js';
import { ImsGuard } from '../ims.guard.js';
import { presentPublicKey } from './ims-public-keys.presenter.js';
import { CreatePublicKeyRequest } from './ims-public-keys.requests.js';

const SORT_KEYS = { id: 'id', name: 'name', created: 'created' } as const;

@UseGuards(ImsGuard)
@Controller('apis/ims/v3/public-keys')
export class ImsPublicKeysController {
  constructor(protected readonly keys: KeysService) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const parameters = new ListQuery(request);
    const { limit, marker, sort } = parameters.window(SORT_KEYS);
    const filter = { names: parameters.any('name'), created: parameters.times('created') };
    const query = { projectId: parameters.owner(actor), filter, sort, marker };
    if (limit === undefined) return sendList(reply, this.keys.stream(actor, query), presentPublicKey);
    const read = (wanted: number) => this.keys.stream(actor, query, wanted);
    return sendPage(reply, parameters, read, limit, presentPublicKey);
  }

  @Post()
  async create(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const { name, public_key } = readBody(request, CreatePublicKeyRequest);
    return presentPublicKey(await this.keys.create(actor, { name, publicKey: public_key }));
  }

  @Delete()
  @HttpCode(204)
  async deleteAll(@CurrentActor() actor: Actor): Promise<void> {
    await this.keys.deleteAll(actor);
  }

  @Get(':id')
  async show(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return presentPublicKey(await this.keys.get(actor, id));
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.keys.delete(actor, id);
  }
}
