import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, UseGuards } from '@nestjs/common';
import {
  type CreateOperatingSystem,
  type OperatingSystem,
  type OperatingSystemField,
  OperatingSystemsService,
} from '../../../modules/provisioning/index.js';
import { AsksForPage } from '../apidoc/asks-for-page.js';
import { OPERATING_SYSTEM_ATTRIBUTES } from '../apidoc/attributes.js';
import { TakesChange, TakesNew } from '../apidoc/takes-attributes.js';
import { Attributes, type Body, given } from '../body.js';
import { CurrentCall, type ForemanCall } from '../foreman-call.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { ForemanGuard } from '../foreman.guard.js';
import { presentPage, readListRequest } from '../listing/list-request.js';
import { readRowKey } from '../row-key.js';
import type { SearchFields } from '../search/search-fields.js';
import { presentTimes } from '../times.js';

export const OPERATING_SYSTEM_FIELDS: SearchFields<OperatingSystemField> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
  title: { type: 'text', bare: true },
  major: { type: 'text' },
  minor: { type: 'text' },
  family: { type: 'text' },
};

/** @see Foreman API v2, "Operating systems" */
@Controller(`${FOREMAN_MOUNT}/api/operatingsystems`)
@UseGuards(ForemanGuard)
export class ForemanOperatingSystemsController {
  constructor(private readonly systems: OperatingSystemsService) {}

  @Get()
  @AsksForPage()
  async list(@CurrentCall() { actor, query }: ForemanCall) {
    const request = readListRequest(query, OPERATING_SYSTEM_FIELDS);
    return presentPage(await this.systems.list(actor, request.query), request, presentOperatingSystem);
  }

  @Get(':id')
  async show(@CurrentCall() { actor, within }: ForemanCall, @Param('id') id: string) {
    const { row, architectures, images } = await this.systems.describe(actor, within, readRowKey(id));
    return {
      ...presentOperatingSystem(row),
      media: [],
      architectures,
      ptables: [],
      provisioning_templates: [],
      os_default_templates: [],
      parameters: [],
      images,
    };
  }

  @Post()
  @HttpCode(201)
  @TakesNew('operatingsystem', OPERATING_SYSTEM_ATTRIBUTES)
  async create(@CurrentCall() { actor, body }: ForemanCall) {
    this.systems.mayCreate(actor);
    const { name, major } = requiredOf(body);
    const wanted = {
      minor: '',
      description: null,
      family: null,
      releaseName: null,
      passwordHash: null,
      architectureIds: [],
      ...toChange(body),
      name,
      major,
    };
    return presentOperatingSystem(await this.systems.create(actor, wanted));
  }

  @Put(':id')
  @TakesChange('operatingsystem', OPERATING_SYSTEM_ATTRIBUTES)
  async update(@CurrentCall() { actor, body }: ForemanCall, @Param('id') id: string) {
    return presentOperatingSystem(await this.systems.update(actor, readRowKey(id), toChange(body)));
  }

  @Patch(':id')
  @TakesChange('operatingsystem', OPERATING_SYSTEM_ATTRIBUTES)
  updateSome(@CurrentCall() call: ForemanCall, @Param('id') id: string) {
    return this.update(call, id);
  }

  @Delete(':id')
  async remove(@CurrentCall() { actor }: ForemanCall, @Param('id') id: string) {
    return presentOperatingSystem(await this.systems.remove(actor, readRowKey(id)));
  }
}

function requiredOf(body: Body) {
  const system = new Attributes(body, 'operatingsystem');
  return { name: system.required('name'), major: system.required('major') };
}

function toChange(body: Body): Partial<CreateOperatingSystem> {
  const system = new Attributes(body, 'operatingsystem');
  const present = (name: string) => {
    const value = system.text(name);
    return value === null ? '' : value;
  };
  const orNull = (name: string) => {
    const value = system.text(name);
    return value === '' ? null : value;
  };
  return given({
    name: present('name'),
    major: present('major'),
    minor: present('minor'),
    description: orNull('description'),
    family: orNull('family'),
    releaseName: orNull('release_name'),
    passwordHash: orNull('password_hash'),
    architectureIds: system.ids('architecture_ids'),
  });
}

function presentOperatingSystem(system: OperatingSystem) {
  return {
    description: system.description,
    major: system.major,
    minor: system.minor,
    family: system.family,
    release_name: system.releaseName,
    password_hash: system.passwordHash,
    ...presentTimes(system),
    id: system.id,
    name: system.name,
    title: system.title,
  };
}
