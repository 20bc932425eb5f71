import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, UseGuards } from '@nestjs/common';
import { type Location, type LocationField, LocationsService } from '../../../modules/provisioning/index.js';
import { AsksForPage } from '../apidoc/asks-for-page.js';
import { LOCATION_ATTRIBUTES } from '../apidoc/attributes.js';
import { TakesChange, TakesNew } from '../apidoc/takes-attributes.js';
import { Attributes, given } from '../body.js';
import { CurrentCall, type ForemanCall } from '../foreman-call.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { ForemanGuard } from '../foreman.guard.js';
import { presentPage, readListRequest } from '../listing/list-request.js';
import { readRowKey } from '../row-key.js';
import type { SearchFields } from '../search/search-fields.js';
import { presentTaxonomy } from '../taxonomies.presenter.js';

export const LOCATION_FIELDS: SearchFields<LocationField> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
  title: { type: 'text', bare: true },
};

/** @see Foreman API v2, "Locations" */
@Controller(`${FOREMAN_MOUNT}/api/locations`)
@UseGuards(ForemanGuard)
export class ForemanLocationsController {
  constructor(private readonly locations: LocationsService) {}

  @Get()
  @AsksForPage()
  async list(@CurrentCall() { actor, query }: ForemanCall) {
    const request = readListRequest(query, LOCATION_FIELDS);
    return presentPage(await this.locations.list(actor, request.query), request, presentLocation);
  }

  @Get(':id')
  async show(@CurrentCall() { actor }: ForemanCall, @Param('id') id: string) {
    return presentLocation(await this.locations.get(actor, readRowKey(id)));
  }

  @Post()
  @HttpCode(201)
  @TakesNew('location', LOCATION_ATTRIBUTES)
  async create(@CurrentCall() { actor, body }: ForemanCall) {
    this.locations.mayCreate(actor);
    const location = new Attributes(body, 'location');
    const wanted = { name: location.required('name'), description: location.text('description') ?? null };
    return presentLocation(await this.locations.create(actor, wanted));
  }

  @Put(':id')
  @TakesChange('location', LOCATION_ATTRIBUTES)
  async update(@CurrentCall() { actor, body }: ForemanCall, @Param('id') id: string) {
    const location = new Attributes(body, 'location');
    const name = location.text('name');
    const change = given({ name: name === null ? '' : name, description: location.text('description') });
    return presentLocation(await this.locations.update(actor, readRowKey(id), change));
  }

  @Patch(':id')
  @TakesChange('location', LOCATION_ATTRIBUTES)
  updateSome(@CurrentCall() call: ForemanCall, @Param('id') id: string) {
    return this.update(call, id);
  }

  @Delete(':id')
  async remove(@CurrentCall() { actor }: ForemanCall, @Param('id') id: string) {
    return presentLocation(await this.locations.remove(actor, readRowKey(id)));
  }
}

function presentLocation(location: Location) {
  return presentTaxonomy(location);
}
