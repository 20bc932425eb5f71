import { Controller, Get, HttpCode, Param, Post, Put, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { MetadefTagsService, readTagDocument, readTagsDocument } from '../../../modules/metadefs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { parseParameters } from '../query.js';
import { DefinitionsController } from './definitions.controller.js';
import { presentTag, presentTagName } from './metadefs.presenter.js';
import { isTrue, readBody, TIMES, toTagQuery } from './metadefs.requests.js';
import { NamePipe } from './name.pipe.js';
import { Takes } from '../../shared/documents/documented.js';
import { METADEF_BODIES } from '../schemas/metadef-schemas.js';

/** @see Image API v2, "Metadata definition tags" */
@Controller(`${GLANCE_MOUNT}/v2/metadefs/namespaces/:namespace/tags`)
@UseGuards(TokenGuard)
export class GlanceMetadefTagsController extends DefinitionsController {
  constructor(protected readonly definitions: MetadefTagsService) {
    super();
  }

  @Get()
  @UseGuards(NoBodyGuard)
  async list(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    const tags = await this.definitions.page(actor, namespace, toTagQuery(parseParameters(request.url)));
    return { tags: tags.map(presentTagName) };
  }

  @Post()
  @Takes(METADEF_BODIES.tags)
  @HttpCode(201)
  async setAll(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    const tags = readTagsDocument(readBody(request, TIMES));
    const append = isTrue(request.headers['x-openstack-append']);
    return { tags: (await this.definitions.setAll(actor, namespace, tags, append)).map(presentTagName) };
  }

  @Get(':name')
  @UseGuards(NoBodyGuard)
  async show(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
  ) {
    return presentTag(await this.definitions.get(actor, namespace, name));
  }

  @Post(':name')
  @UseGuards(NoBodyGuard)
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
  ) {
    return presentTag(await this.definitions.create(actor, namespace, readTagDocument({ name })));
  }

  @Put(':name')
  @Takes(METADEF_BODIES.tag)
  async replace(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
    @Req() request: FastifyRequest,
  ) {
    const document = readTagDocument(readBody(request, TIMES));
    return presentTag(await this.definitions.replace(actor, namespace, name, document));
  }
}
