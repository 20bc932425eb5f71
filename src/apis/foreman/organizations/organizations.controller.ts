import { Controller, Get, Param, UseGuards } from '@nestjs/common';
import { type OrganizationField, OrganizationsService } from '../../../modules/provisioning/index.js';
import { AsksForPage } from '../apidoc/asks-for-page.js';
import { CurrentCall, type ForemanCall } from '../foreman-call.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { ForemanGuard } from '../foreman.guard.js';
import { presentPage, readListRequest } from '../listing/list-request.js';
import { readRowKey } from '../row-key.js';
import type { SearchFields } from '../search/search-fields.js';
import { presentTaxonomy } from '../taxonomies.presenter.js';

export const ORGANIZATION_FIELDS: SearchFields<OrganizationField> = {
  id: { type: 'integer' },
  name: { type: 'text', bare: true },
  title: { type: 'text', bare: true },
};

/** Projects, which are made by the identity service only. @see Foreman API v2, "Organizations" */
@Controller(`${FOREMAN_MOUNT}/api/organizations`)
@UseGuards(ForemanGuard)
export class ForemanOrganizationsController {
  constructor(private readonly organizations: OrganizationsService) {}

  @Get()
  @AsksForPage()
  async list(@CurrentCall() { session, query }: ForemanCall) {
    const request = readListRequest(query, ORGANIZATION_FIELDS);
    return presentPage(await this.organizations.list(session, request.query), request, presentTaxonomy);
  }

  @Get(':id')
  async show(@CurrentCall() { session }: ForemanCall, @Param('id') id: string) {
    return presentTaxonomy(await this.organizations.get(session, readRowKey(id)));
  }
}
