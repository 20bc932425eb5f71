import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type ComputeResource,
  type ComputeResourceDetail,
  type ComputeResourceField,
  ComputeResourcesService,
  REGISTRY_PROVIDER,
} from '../../../modules/provisioning/index.js';
import type { Sent } from '../../shared/documents/answered.js';
import { PublicAddress } from '../../shared/public-address.js';
import { sendList } from '../../shared/whole-list.js';
import { AsksForPage } from '../apidoc/asks-for-page.js';
import { COMPUTE_RESOURCE_ATTRIBUTES } from '../apidoc/attributes.js';
import { TakesChange, TakesNew } from '../apidoc/takes-attributes.js';
import { Attributes, given } from '../body.js';
import { CurrentCall, type ForemanCall } from '../foreman-call.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { ForemanGuard } from '../foreman.guard.js';
import { presentPage, readListRequest } from '../listing/list-request.js';
import { readRowKey } from '../row-key.js';
import type { SearchFields } from '../search/search-fields.js';
import { presentTimes } from '../times.js';

export const COMPUTE_RESOURCE_FIELDS: SearchFields<ComputeResourceField> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
  type: { type: 'text', bare: true },
  location: { type: 'text', many: true },
  location_id: { type: 'integer', many: true },
  organization: { type: 'text' },
  organization_id: { type: 'integer' },
};

/** @see Foreman API v2, "Compute resources" */
@Controller(`${FOREMAN_MOUNT}/api/compute_resources`)
@UseGuards(ForemanGuard)
export class ForemanComputeResourcesController {
  constructor(
    private readonly resources: ComputeResourcesService,
    private readonly address: PublicAddress,
  ) {}

  @Get()
  @AsksForPage()
  async list(@CurrentCall() { actor, within, query }: ForemanCall, @Req() request: FastifyRequest) {
    const asked = readListRequest(query, COMPUTE_RESOURCE_FIELDS);
    const page = await this.resources.list(actor, within, asked.query);
    return presentPage(page, asked, (row) => this.present(row, request));
  }

  @Get(':id')
  async show(@CurrentCall() { actor, within }: ForemanCall, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.presentDetail(await this.resources.describe(actor, within, readRowKey(id)), request);
  }

  /** A bare list: what an image of the compute resource may have as its `uuid`. */
  @Get(':id/available_images')
  availableImages(
    @CurrentCall() { actor, within }: ForemanCall,
    @Param('id') id: string,
    @Res() reply: FastifyReply,
  ): Promise<Sent<{ uuid: string; name: string }[]>> {
    const images = this.resources.availableImages(actor, within, readRowKey(id));
    return sendList(reply, images, (image) => ({ uuid: image.id, name: image.name || image.id }));
  }

  @Post()
  @HttpCode(201)
  @TakesNew('compute_resource', COMPUTE_RESOURCE_ATTRIBUTES)
  async create(@CurrentCall() { actor, within, body }: ForemanCall, @Req() request: FastifyRequest) {
    this.resources.mayCreate(actor);
    const resource = new Attributes(body, 'compute_resource');
    const wanted = {
      name: resource.required('name'),
      provider: resource.required('provider'),
      description: resource.text('description') ?? null,
      url: resource.text('url') ?? null,
      ...given({ locationIds: resource.ids('location_ids') }),
    };
    return this.presentDetail(await this.resources.create(actor, within, wanted), request);
  }

  @Put(':id')
  @TakesChange('compute_resource', COMPUTE_RESOURCE_ATTRIBUTES)
  async update(
    @CurrentCall() { actor, within, body }: ForemanCall,
    @Param('id') id: string,
    @Req() request: FastifyRequest,
  ) {
    const resource = new Attributes(body, 'compute_resource');
    const [name, provider] = ['name', 'provider'].map((each) => resource.text(each));
    const change = given({
      name: name === null ? '' : name,
      provider: provider === null ? '' : provider,
      description: resource.text('description'),
      url: resource.text('url'),
      locationIds: resource.ids('location_ids'),
    });
    return this.presentDetail(await this.resources.update(actor, within, readRowKey(id), change), request);
  }

  @Patch(':id')
  @TakesChange('compute_resource', COMPUTE_RESOURCE_ATTRIBUTES)
  updateSome(@CurrentCall() call: ForemanCall, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.update(call, id, request);
  }

  @Delete(':id')
  async remove(@CurrentCall() { actor, within }: ForemanCall, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.present(await this.resources.remove(actor, within, readRowKey(id)), request);
  }

  private present(resource: ComputeResource, request: FastifyRequest) {
    return {
      description: resource.description,
      // The registry is where the client found this.
      url: resource.url ?? (resource.provider === REGISTRY_PROVIDER ? `${this.address.of(request)}/image` : null),
      ...presentTimes(resource),
      id: resource.id,
      name: resource.name,
      provider: resource.provider,
      provider_friendly_name: resource.provider,
    };
  }

  private presentDetail({ row, locations, images }: ComputeResourceDetail, request: FastifyRequest) {
    const organization = { id: row.projectNumber, name: row.projectName, title: row.projectName, description: null };
    return {
      ...this.present(row, request),
      images,
      compute_attributes: [],
      locations: locations.map(({ id, name, description }) => ({ id, name, title: name, description })),
      organizations: [organization],
    };
  }
}
