import { Controller, Delete, Get, HttpCode, Param, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { NodesService } from '../../../modules/nodes/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { readBody } from '../ims-body.js';
import { sendList } from '../ims-lists.js';
import { ImsGuard } from '../ims.guard.js';
import { presentNode, presentNodeStatus } from './ims-remote-build-nodes.presenter.js';
import { CreateRemoteBuildNodeRequest } from './ims-remote-build-nodes.requests.js';

/** Only version 3 has them. A node that is called `status` can be named, but not asked for alone. */
@UseGuards(ImsGuard)
@Controller('apis/ims/v3/remote-build-nodes')
export class ImsRemoteBuildNodesController {
  constructor(private readonly nodes: NodesService) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Res() reply: FastifyReply) {
    return sendList(reply, this.nodes.stream(actor), presentNode);
  }

  @Post()
  async create(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const { xname } = readBody(request, CreateRemoteBuildNodeRequest);
    await this.nodes.add(actor, xname);
    return { xname };
  }

  @Delete()
  @HttpCode(204)
  async deleteAll(@CurrentActor() actor: Actor): Promise<void> {
    await this.nodes.deleteAll(actor);
  }

  @Get('status')
  async listStatus(@CurrentActor() actor: Actor, @Res() reply: FastifyReply) {
    return sendList(reply, this.nodes.stream(actor), presentNodeStatus);
  }

  @Get('status/:xname')
  async showStatus(@CurrentActor() actor: Actor, @Param('xname') xname: string) {
    return presentNodeStatus(await this.nodes.get(actor, xname));
  }

  @Get(':xname')
  async show(@CurrentActor() actor: Actor, @Param('xname') xname: string) {
    return presentNode(await this.nodes.get(actor, xname));
  }

  @Delete(':xname')
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('xname') xname: string): Promise<void> {
    await this.nodes.delete(actor, xname);
  }
}
