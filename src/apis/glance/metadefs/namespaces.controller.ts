import { Controller, Delete, Get, HttpCode, Param, Post, Put, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { NamespacesService, readNamespaceDocument } from '../../../modules/metadefs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { PublicAddress } from '../../shared/public-address.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { parseParameters } from '../query.js';
import { presentNamespace, presentNamespacePage, presentWholeNamespace } from './metadefs.presenter.js';
import { readBody, readResourceType, toNamespaceQuery, WRITTEN_BY_SERVICE } from './metadefs.requests.js';
import { NamePipe } from './name.pipe.js';
import { Takes } from '../../shared/documents/documented.js';
import { METADEF_BODIES } from '../schemas/metadef-schemas.js';

/** @see Image API v2, "Metadata definition namespaces" */
@Controller(`${GLANCE_MOUNT}/v2/metadefs/namespaces`)
@UseGuards(TokenGuard)
export class GlanceNamespacesController {
  constructor(
    private readonly namespaces: NamespacesService,
    private readonly address: PublicAddress,
  ) {}

  @Get()
  @UseGuards(NoBodyGuard)
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const parameters = parseParameters(request.url);
    const query = toNamespaceQuery(parameters);
    return presentNamespacePage(await this.namespaces.list(actor, query), parameters, query.limit);
  }

  @Post()
  @Takes(METADEF_BODIES.namespace)
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const document = readNamespaceDocument(readBody(request, WRITTEN_BY_SERVICE));
    const created = await this.namespaces.create(actor, document);
    const path = `/v2/metadefs/namespaces/${encodeURIComponent(document.name)}`;
    reply.header('location', `${this.address.of(request)}${GLANCE_MOUNT}${path}`);
    return presentWholeNamespace(created);
  }

  @Get(':namespace')
  @UseGuards(NoBodyGuard)
  async show(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    const resourceType = readResourceType(parseParameters(request.url));
    return presentWholeNamespace(await this.namespaces.get(actor, namespace), resourceType);
  }

  @Put(':namespace')
  @Takes(METADEF_BODIES.namespace)
  async replace(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    const document = readNamespaceDocument(readBody(request, WRITTEN_BY_SERVICE));
    return presentNamespace(await this.namespaces.replace(actor, namespace, document));
  }

  @Delete(':namespace')
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('namespace', NamePipe) namespace: string): Promise<void> {
    await this.namespaces.delete(actor, namespace);
  }
}
