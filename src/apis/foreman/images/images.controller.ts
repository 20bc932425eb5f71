import { Controller, Delete, Get, HttpCode, Injectable, Param, Patch, Post, Put, UseGuards } from '@nestjs/common';
import { type ImageParent, ProvisioningImagesService } from '../../../modules/provisioning/index.js';
import { AsksForPage } from '../apidoc/asks-for-page.js';
import { IMAGE_ATTRIBUTES } from '../apidoc/attributes.js';
import { TakesChange, TakesNew } from '../apidoc/takes-attributes.js';
import { CurrentCall, type ForemanCall } from '../foreman-call.js';
import { FOREMAN_MOUNT } from '../foreman-path.js';
import { ForemanGuard } from '../foreman.guard.js';
import { presentPage, readListRequest } from '../listing/list-request.js';
import { readId, readRowKey } from '../row-key.js';
import { presentImage, presentRemovedImage } from './images.presenter.js';
import { IMAGE_FIELDS, toCreateImage, toUpdateImage } from './images.requests.js';

/** What may be read below each of an image's parents. */
@Injectable()
abstract class ForemanImagesReader {
  protected abstract readonly kind: ImageParent['kind'];

  constructor(protected readonly images: ProvisioningImagesService) {}

  @Get()
  @AsksForPage()
  async list(@CurrentCall() call: ForemanCall, @Param('parentId') parentId: string) {
    const request = readListRequest(call.query, IMAGE_FIELDS);
    const page = await this.images.list(call.actor, this.parent(parentId), call.within, request.query);
    const mayChange = call.actor.has('member');
    return {
      ...presentPage(page, request, presentImage),
      ...(call.query.has('include_permissions') ? { can_create: mayChange, can_edit: mayChange } : {}),
    };
  }

  @Get(':id')
  async show(@CurrentCall() call: ForemanCall, @Param('parentId') parentId: string, @Param('id') id: string) {
    return presentImage(await this.images.get(call.actor, this.parent(parentId), call.within, readId(id)));
  }

  private parent(parentId: string): ImageParent {
    return { kind: this.kind, key: readRowKey(parentId) };
  }
}

@Controller(`${FOREMAN_MOUNT}/api/operatingsystems/:parentId/images`)
@UseGuards(ForemanGuard)
export class OperatingSystemImagesController extends ForemanImagesReader {
  protected override readonly kind = 'operatingSystem';
}

@Controller(`${FOREMAN_MOUNT}/api/architectures/:parentId/images`)
@UseGuards(ForemanGuard)
export class ArchitectureImagesController extends ForemanImagesReader {
  protected override readonly kind = 'architecture';
}

/** @see Foreman API v2, "Images" */
@Controller(`${FOREMAN_MOUNT}/api/compute_resources/:parentId/images`)
@UseGuards(ForemanGuard)
export class ComputeResourceImagesController extends ForemanImagesReader {
  protected override readonly kind = 'computeResource';

  @Post()
  @HttpCode(201)
  @TakesNew('image', IMAGE_ATTRIBUTES)
  async create(@CurrentCall() call: ForemanCall, @Param('parentId') parentId: string) {
    const { actor, within, body } = call;
    return presentImage(await this.images.create(actor, readRowKey(parentId), within, toCreateImage(body)));
  }

  @Put(':id')
  @TakesChange('image', IMAGE_ATTRIBUTES)
  async update(@CurrentCall() call: ForemanCall, @Param('parentId') parentId: string, @Param('id') id: string) {
    const { actor, within, body } = call;
    return presentImage(await this.images.update(actor, readRowKey(parentId), within, readId(id), toUpdateImage(body)));
  }

  @Patch(':id')
  @TakesChange('image', IMAGE_ATTRIBUTES)
  updateSome(@CurrentCall() call: ForemanCall, @Param('parentId') parentId: string, @Param('id') id: string) {
    return this.update(call, parentId, id);
  }

  @Delete(':id')
  async remove(@CurrentCall() call: ForemanCall, @Param('parentId') parentId: string, @Param('id') id: string) {
    const { actor, within } = call;
    return presentRemovedImage(await this.images.remove(actor, readRowKey(parentId), within, readId(id)));
  }
}
