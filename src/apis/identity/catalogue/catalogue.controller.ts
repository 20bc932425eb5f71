import { Controller, Get, Param, Query as QueryString, Req, UseGuards, UseInterceptors } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { NotFoundError } from '../../../common/errors.js';
import { Config } from '../../../config/config.js';
import type { Session } from '../../../modules/identity/index.js';
import { NotPermittedError } from '../../../modules/tenancy/index.js';
import { IdentityFace } from '../identity.face.js';
import { Caller, IdentityGuard, VaryByToken } from '../identity.guard.js';
import { presentCollection, presentEndpoint, presentRegion, presentService, whole } from '../presenters.js';
import { type Query, textOf } from '../query.js';
import { ServiceCatalogue } from './service-catalogue.js';
import { TextParam } from '../text-param.js';

/** Something that the catalogue does not have. */
export class NotInCatalogueError extends NotFoundError {
  override readonly code = 'identity.not_in_catalogue';
  constructor(noun: string, id: string) {
    super(`Could not find ${noun}: ${id}.`, { id });
  }
}

/** The service catalogue in single pieces. It follows from the faces that run, so nobody changes it. */
@Controller('identity/v3')
@UseGuards(IdentityGuard)
@UseInterceptors(VaryByToken)
export class IdentityCatalogueController {
  constructor(
    private readonly face: IdentityFace,
    private readonly catalogue: ServiceCatalogue,
    private readonly config: Config,
  ) {}

  @Get('services')
  services(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    mustAdminister(caller, 'identity:list_services');
    const services = this.catalogue
      .of(request)
      .filter((one) => matches(query, 'type', one.type) && matches(query, 'name', one.name));
    return presentCollection('services', whole(services), presentService, this.face.base(request), 'services');
  }

  @Get('services/:serviceId')
  service(@Caller() caller: Session, @Param('serviceId', TextParam) id: string, @Req() request: FastifyRequest) {
    mustAdminister(caller, 'identity:get_service');
    const service = this.catalogue.of(request).find((one) => one.id === id);
    if (!service) throw new NotInCatalogueError('service', id);
    return { service: presentService(service, this.face.base(request)) };
  }

  @Get('endpoints')
  endpoints(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    mustAdminister(caller, 'identity:list_endpoints');
    const endpoints = this.catalogue
      .endpoints(request)
      .filter(
        (one) =>
          matches(query, 'service_id', one.service_id) &&
          matches(query, 'interface', one.interface) &&
          matches(query, 'region_id', one.region_id),
      );
    return presentCollection('endpoints', whole(endpoints), presentEndpoint, this.face.base(request), 'endpoints');
  }

  @Get('endpoints/:endpointId')
  endpoint(@Caller() caller: Session, @Param('endpointId', TextParam) id: string, @Req() request: FastifyRequest) {
    mustAdminister(caller, 'identity:get_endpoint');
    const endpoint = this.catalogue.endpoints(request).find((one) => one.id === id);
    if (!endpoint) throw new NotInCatalogueError('endpoint', id);
    return { endpoint: presentEndpoint(endpoint, this.face.base(request)) };
  }

  @Get('regions')
  regions(@QueryString() query: Query, @Req() request: FastifyRequest) {
    // Regions do not nest: none has a parent.
    const regions = textOf(query, 'parent_region_id') ? [] : [this.config.region];
    return presentCollection('regions', whole(regions), presentRegion, this.face.base(request), 'regions');
  }

  @Get('regions/:regionId')
  region(@Param('regionId', TextParam) id: string, @Req() request: FastifyRequest) {
    if (id !== this.config.region) throw new NotInCatalogueError('region', id);
    return { region: presentRegion(id, this.face.base(request)) };
  }
}

function mustAdminister(caller: Session, action: string): void {
  if (!caller.actor.isAdmin) throw new NotPermittedError(action);
}

function matches(query: Query, name: string, value: string): boolean {
  return (textOf(query, name) ?? value) === value;
}
