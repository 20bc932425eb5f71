import { Controller, Delete, Get, HttpCode, Param, Post, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AssociationsService, readAssociationDocument } from '../../../modules/metadefs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { presentAssociation, presentResourceType } from './metadefs.presenter.js';
import { readBody, TIMES } from './metadefs.requests.js';
import { NamePipe } from './name.pipe.js';
import { Takes } from '../../shared/documents/documented.js';
import { METADEF_BODIES } from '../schemas/metadef-schemas.js';

/** @see Image API v2, "Metadata definition resource types" */
@Controller(`${GLANCE_MOUNT}/v2/metadefs`)
@UseGuards(TokenGuard)
export class GlanceResourceTypesController {
  constructor(private readonly associations: AssociationsService) {}

  @Get('resource_types')
  @UseGuards(NoBodyGuard)
  async listTypes(@CurrentActor() actor: Actor) {
    return { resource_types: (await this.associations.listTypes(actor)).map(presentResourceType) };
  }

  @Get('namespaces/:namespace/resource_types')
  @UseGuards(NoBodyGuard)
  async list(@CurrentActor() actor: Actor, @Param('namespace', NamePipe) namespace: string) {
    const associations = await this.associations.list(actor, namespace);
    return { resource_type_associations: associations.map(presentAssociation) };
  }

  @Post('namespaces/:namespace/resource_types')
  @Takes(METADEF_BODIES.association)
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Req() request: FastifyRequest,
  ) {
    const document = readAssociationDocument(readBody(request, TIMES));
    return presentAssociation(await this.associations.create(actor, namespace, document));
  }

  @Delete('namespaces/:namespace/resource_types/:name')
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async remove(
    @CurrentActor() actor: Actor,
    @Param('namespace', NamePipe) namespace: string,
    @Param('name', NamePipe) name: string,
  ): Promise<void> {
    await this.associations.remove(actor, namespace, name);
  }
}
