import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, UseGuards } from '@nestjs/common';
import {
  type Architecture,
  type ArchitectureField,
  ArchitecturesService,
} from '../../../modules/provisioning/index.js';
import { AsksForPage } from '../apidoc/asks-for-page.js';
import { ARCHITECTURE_ATTRIBUTES } from '../apidoc/attributes.js';
import { TakesChange, TakesNew } from '../apidoc/takes-attributes.js';
import { Attributes } from '../body.js';
import { CurrentCall, type ForemanCall } from '../foreman-call.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { ForemanGuard } from '../foreman.guard.js';
import { presentPage, readListRequest } from '../listing/list-request.js';
import { readRowKey } from '../row-key.js';
import type { SearchFields } from '../search/search-fields.js';
import { presentTimes } from '../times.js';

export const ARCHITECTURE_FIELDS: SearchFields<ArchitectureField> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
};

/** @see Foreman API v2, "Architectures" */
@Controller(`${FOREMAN_MOUNT}/api/architectures`)
@UseGuards(ForemanGuard)
export class ForemanArchitecturesController {
  constructor(private readonly architectures: ArchitecturesService) {}

  @Get()
  @AsksForPage()
  async list(@CurrentCall() { actor, query }: ForemanCall) {
    const request = readListRequest(query, ARCHITECTURE_FIELDS);
    return presentPage(await this.architectures.list(actor, request.query), request, presentArchitecture);
  }

  @Get(':id')
  async show(@CurrentCall() { actor, within }: ForemanCall, @Param('id') id: string) {
    const { row, operatingSystems, images } = await this.architectures.describe(actor, within, readRowKey(id));
    const operatingsystems = operatingSystems.map((system) => ({ ...system, title: system.name }));
    return { ...presentArchitecture(row), operatingsystems, images };
  }

  @Post()
  @HttpCode(201)
  @TakesNew('architecture', ARCHITECTURE_ATTRIBUTES)
  async create(@CurrentCall() { actor, body }: ForemanCall) {
    this.architectures.mayCreate(actor);
    const name = new Attributes(body, 'architecture').required('name');
    return presentArchitecture(await this.architectures.create(actor, { name }));
  }

  @Put(':id')
  @TakesChange('architecture', ARCHITECTURE_ATTRIBUTES)
  async update(@CurrentCall() { actor, body }: ForemanCall, @Param('id') id: string) {
    const name = new Attributes(body, 'architecture').text('name');
    const change = name === undefined ? {} : { name: name ?? '' };
    return presentArchitecture(await this.architectures.update(actor, readRowKey(id), change));
  }

  @Patch(':id')
  @TakesChange('architecture', ARCHITECTURE_ATTRIBUTES)
  updateSome(@CurrentCall() call: ForemanCall, @Param('id') id: string) {
    return this.update(call, id);
  }

  @Delete(':id')
  async remove(@CurrentCall() { actor }: ForemanCall, @Param('id') id: string) {
    return presentArchitecture(await this.architectures.remove(actor, readRowKey(id)));
  }
}

function presentArchitecture(architecture: Architecture) {
  return { ...presentTimes(architecture), name: architecture.name, id: architecture.id };
}
