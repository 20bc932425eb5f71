import { Controller, Get, HttpCode, Param, Post, Put, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { MetadefObjectsService, readObjectDocument } from '../../../modules/metadefs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { parseParameters } from '../query.js';
import { DefinitionsController } from './definitions.controller.js';
import { presentObject, presentObjects } from './metadefs.presenter.js';
import { checkUnpagedQuery, readBody, WRITTEN_BY_SERVICE } from './metadefs.requests.js';
import { NamePipe } from './name.pipe.js';
import { Takes } from '../../shared/documents/documented.js';
import { METADEF_BODIES } from '../schemas/metadef-schemas.js';

/** @see Image API v2, "Metadata definition objects" */
@Controller(`${GLANCE_MOUNT}/v2/metadefs/namespaces/:namespace/objects`)
@UseGuards(TokenGuard)
export class GlanceMetadefObjectsController extends DefinitionsController {
  constructor(protected readonly definitions: MetadefObjectsService) {
    super();
  }

  @Get()
  @UseGuards(NoBodyGuard)
  async list(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    checkUnpagedQuery(parseParameters(request.url));
    return presentObjects(namespace, await this.definitions.list(actor, namespace));
  }

  @Post()
  @Takes(METADEF_BODIES.object)
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    const document = readObjectDocument(readBody(request, WRITTEN_BY_SERVICE));
    return presentObject(namespace, await this.definitions.create(actor, namespace, document));
  }

  @Get(':name')
  @UseGuards(NoBodyGuard)
  async show(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
  ) {
    return presentObject(namespace, await this.definitions.get(actor, namespace, name));
  }

  @Put(':name')
  @Takes(METADEF_BODIES.object)
  async replace(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
    @Req() request: FastifyRequest,
  ) {
    const document = readObjectDocument(readBody(request, WRITTEN_BY_SERVICE));
    return presentObject(namespace, await this.definitions.replace(actor, namespace, name, document));
  }
}
