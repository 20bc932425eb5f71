import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Query as QueryString,
  Req,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Config } from '../../../config/config.js';
import { LimitsService, type Session } from '../../../modules/identity/index.js';
import { type Limits, type OwnLimit, QUANTITIES, type Quantity } from '../../../modules/tenancy/index.js';
import { BodyObject, InvalidMemberError } from '../body.js';
import { NotInCatalogueError } from '../catalogue/catalogue.controller.js';
import { IdentityFace } from '../identity.face.js';
import { Caller, IdentityGuard, VaryByToken } from '../identity.guard.js';
import {
  defaultLimitId,
  largestLimit,
  limitId,
  parseLimitId,
  presentMaximum,
  quantityOf,
  quantityOfDefault,
  resourceName,
  toMaximum,
} from './limit-resources.js';
import { presentCollection, whole } from '../presenters.js';
import { type Query, textOf } from '../query.js';
import { ServiceCatalogue } from '../catalogue/service-catalogue.js';
import { TextParam } from '../text-param.js';
import { CHANGED_DEFAULT_LIMIT, CHANGED_LIMIT, NEW_DEFAULT_LIMITS, NEW_LIMITS } from '../request-documents.js';
import { Takes } from '../../shared/documents/documented.js';

/** Limits of projects, and what holds by default, as Keystone's unified limits. All belong to the service `image`. */
@Controller('identity/v3')
@UseGuards(IdentityGuard)
@UseInterceptors(VaryByToken)
export class IdentityLimitsController {
  private readonly serviceId: string;

  constructor(
    private readonly face: IdentityFace,
    private readonly limits: LimitsService,
    private readonly config: Config,
    catalogue: ServiceCatalogue,
  ) {
    this.serviceId = catalogue.serviceId('image');
  }

  @Get('registered_limits')
  async listDefaults(@QueryString() query: Query, @Req() request: FastifyRequest) {
    const defaults = await this.limits.defaults();
    const found = this.asksForNothing(query) ? [] : QUANTITIES.filter((one) => isNamed(query, one));
    return presentCollection(
      'registered_limits',
      whole(found),
      (one, base) => this.presentDefault(one, defaults, base),
      this.face.base(request),
      'registered_limits',
    );
  }

  @Get('registered_limits/:limitId')
  async showDefault(@Param('limitId', TextParam) id: string, @Req() request: FastifyRequest) {
    return this.defaultOf(getDefault(id), request);
  }

  @Post('registered_limits')
  @Takes(NEW_DEFAULT_LIMITS)
  async createDefaults(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const wanted = BodyObject.parse(request.body).objects('registered_limits');
    const read = wanted.map((one) => this.readLimit(one, 'default_limit'));
    await this.limits.createDefaults(caller, read);
    const defaults = await this.limits.defaults();
    const base = this.face.base(request);
    return { registered_limits: read.map(({ quantity }) => this.presentDefault(quantity, defaults, base)) };
  }

  @Patch('registered_limits/:limitId')
  @Takes(CHANGED_DEFAULT_LIMIT)
  async updateDefault(
    @Caller() caller: Session,
    @Param('limitId', TextParam) id: string,
    @Req() request: FastifyRequest,
  ) {
    const quantity = getDefault(id);
    const wanted = BodyObject.parse(request.body).object('registered_limit');
    await this.limits.setDefault(caller, quantity, readMaximum(wanted, quantity, 'default_limit'));
    return this.defaultOf(quantity, request);
  }

  /** Nothing is limited by default then. */
  @Delete('registered_limits/:limitId')
  @HttpCode(204)
  async removeDefault(@Caller() caller: Session, @Param('limitId', TextParam) id: string) {
    await this.limits.setDefault(caller, getDefault(id), null);
  }

  @Get('limits/model')
  model() {
    return { model: { name: 'flat', description: 'Limits of projects hold each for itself.' } };
  }

  @Get('limits')
  async list(@Caller() caller: Session, @QueryString() query: Query, @Req() request: FastifyRequest) {
    const resource = textOf(query, 'resource_name');
    const quantity = resource === undefined ? undefined : quantityOf(resource);
    const nothing =
      this.asksForNothing(query) || textOf(query, 'domain_id') || (resource !== undefined && quantity === undefined);
    const found = nothing
      ? whole<OwnLimit>([])
      : await this.limits.list(caller, { projectId: textOf(query, 'project_id'), quantity });
    return presentCollection(
      'limits',
      found,
      (one, base) => this.presentLimit(one, base),
      this.face.base(request),
      'limits',
    );
  }

  @Get('limits/:limitId')
  async show(@Caller() caller: Session, @Param('limitId', TextParam) id: string, @Req() request: FastifyRequest) {
    const { projectId, quantity } = getLimit(id);
    return { limit: this.presentLimit(await this.limits.get(caller, projectId, quantity), this.face.base(request)) };
  }

  @Post('limits')
  @Takes(NEW_LIMITS)
  async create(@Caller() caller: Session, @Req() request: FastifyRequest) {
    const wanted = BodyObject.parse(request.body).objects('limits');
    const limits = wanted.map((one): OwnLimit => {
      const { quantity, maximum } = this.readLimit(one, 'resource_limit');
      return { projectId: one.text('project_id'), quantity, maximum };
    });
    await this.limits.create(caller, limits);
    return { limits: limits.map((one) => this.presentLimit(one, this.face.base(request))) };
  }

  @Patch('limits/:limitId')
  @Takes(CHANGED_LIMIT)
  async update(@Caller() caller: Session, @Param('limitId', TextParam) id: string, @Req() request: FastifyRequest) {
    const { projectId, quantity } = getLimit(id);
    const wanted = BodyObject.parse(request.body).object('limit');
    const limit = { projectId, quantity, maximum: readMaximum(wanted, quantity, 'resource_limit') };
    await this.limits.update(caller, limit);
    return { limit: this.presentLimit(limit, this.face.base(request)) };
  }

  @Delete('limits/:limitId')
  @HttpCode(204)
  async remove(@Caller() caller: Session, @Param('limitId', TextParam) id: string) {
    const { projectId, quantity } = getLimit(id);
    await this.limits.remove(caller, projectId, quantity);
  }

  private async defaultOf(quantity: Quantity, request: FastifyRequest) {
    const defaults = await this.limits.defaults();
    return { registered_limit: this.presentDefault(quantity, defaults, this.face.base(request)) };
  }

  private readLimit(wanted: BodyObject, member: string): { quantity: Quantity; maximum: number | null } {
    const quantity = quantityOf(wanted.text('resource_name'));
    if (!quantity) {
      throw new InvalidMemberError('resource_name', `one of ${QUANTITIES.map(resourceName).join(', ')}`);
    }
    if (wanted.text('service_id') !== this.serviceId) {
      throw new InvalidMemberError('service_id', `${this.serviceId}, the service image`);
    }
    const region = wanted.optionalText('region_id');
    if (region !== undefined && region !== this.config.region) {
      throw new InvalidMemberError('region_id', this.config.region);
    }
    return { quantity, maximum: readMaximum(wanted, quantity, member) };
  }

  private asksForNothing(query: Query): boolean {
    const service = textOf(query, 'service_id') ?? this.serviceId;
    const region = textOf(query, 'region_id') ?? this.config.region;
    return service !== this.serviceId || region !== this.config.region;
  }

  private presentDefault(quantity: Quantity, defaults: Limits, base: string) {
    const id = defaultLimitId(quantity);
    return {
      id,
      service_id: this.serviceId,
      region_id: null,
      resource_name: resourceName(quantity),
      default_limit: presentMaximum(quantity, defaults[quantity]),
      description: null,
      links: { self: `${base}/v3/registered_limits/${id}` },
    };
  }

  private presentLimit({ projectId, quantity, maximum }: OwnLimit, base: string) {
    const id = limitId(projectId, quantity);
    return {
      id,
      service_id: this.serviceId,
      region_id: null,
      project_id: projectId,
      domain_id: null,
      resource_name: resourceName(quantity),
      resource_limit: presentMaximum(quantity, maximum),
      description: null,
      links: { self: `${base}/v3/limits/${id}` },
    };
  }
}

function readMaximum(wanted: BodyObject, quantity: Quantity, member: string): number | null {
  return toMaximum(quantity, wanted.integer(member, -1, largestLimit(quantity)));
}

function getDefault(id: string): Quantity {
  const quantity = quantityOfDefault(id);
  if (!quantity) throw new NotInCatalogueError('registered limit', id);
  return quantity;
}

function getLimit(id: string): { projectId: string; quantity: Quantity } {
  const found = parseLimitId(id);
  if (!found) throw new NotInCatalogueError('limit', id);
  return found;
}

function isNamed(query: Query, quantity: Quantity): boolean {
  return (textOf(query, 'resource_name') ?? resourceName(quantity)) === resourceName(quantity);
}
