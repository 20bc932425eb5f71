import { Controller, Get, HttpCode, Param, Post, Put, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { MetadefPropertiesService, readPropertyDocument } from '../../../modules/metadefs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { parseParameters } from '../query.js';
import { DefinitionsController } from './definitions.controller.js';
import { presentDictionary, presentProperty } from './metadefs.presenter.js';
import { readBody, readResourceType, TIMES } from './metadefs.requests.js';
import { NamePipe } from './name.pipe.js';
import { Takes } from '../../shared/documents/documented.js';
import { METADEF_BODIES } from '../schemas/metadef-schemas.js';

/** @see Image API v2, "Metadata definition properties" */
@Controller(`${GLANCE_MOUNT}/v2/metadefs/namespaces/:namespace/properties`)
@UseGuards(TokenGuard)
export class GlanceMetadefPropertiesController extends DefinitionsController {
  constructor(protected readonly definitions: MetadefPropertiesService) {
    super();
  }

  @Get()
  @UseGuards(NoBodyGuard)
  async list(@CurrentActor() actor: Actor, @Param('namespace', NamePipe) namespace: string) {
    return { properties: presentDictionary(await this.definitions.list(actor, namespace)) };
  }

  @Post()
  @Takes(METADEF_BODIES.property)
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    const document = readPropertyDocument(readBody(request, TIMES));
    return presentProperty(await this.definitions.create(actor, namespace, document));
  }

  @Get(':name')
  @UseGuards(NoBodyGuard)
  async show(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
    @Req() request: FastifyRequest,
  ) {
    const resourceType = readResourceType(parseParameters(request.url));
    return presentProperty(
      resourceType === undefined
        ? await this.definitions.get(actor, namespace, name)
        : await this.definitions.getOn(actor, namespace, name, resourceType),
    );
  }

  @Put(':name')
  @Takes(METADEF_BODIES.property)
  async replace(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
    @Req() request: FastifyRequest,
  ) {
    const document = readPropertyDocument(readBody(request, TIMES));
    return presentProperty(await this.definitions.replace(actor, namespace, name, document));
  }
}
