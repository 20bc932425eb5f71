import { Controller, Delete, Get, HttpCode, Param, UseGuards } from '@nestjs/common';
import { ImageCopiesService, ImageDataService, type ImageStore } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';

const MEBIBYTE = 1024 * 1024;

/** @see Image API v2, "Stores" */
@Controller(`${GLANCE_MOUNT}/v2`)
@UseGuards(TokenGuard, NoBodyGuard)
export class GlanceStoresController {
  constructor(
    private readonly data: ImageDataService,
    private readonly copies: ImageCopiesService,
  ) {}

  @Get('info/stores')
  list() {
    return { stores: this.data.stores().map(presentStore) };
  }

  @Get('info/stores/detail')
  details(@CurrentActor() actor: Actor) {
    return { stores: this.data.storeDetails(actor).map(presentDetails) };
  }

  @Delete('stores/:storeId/:imageId')
  @HttpCode(204)
  async delete(
    @CurrentActor() actor: Actor,
    @Param('storeId') storeId: string,
    @Param('imageId') imageId: string,
  ): Promise<void> {
    await this.copies.removeFromStore(actor, storeId, imageId);
  }
}

/** The reference's booleans are texts here, and left out when they are false. */
function presentStore({ id, description, isDefault, readOnly }: ImageStore) {
  return {
    id,
    ...(description === undefined ? {} : { description }),
    ...(isDefault ? { default: 'true' } : {}),
    ...(readOnly ? { 'read-only': 'true' } : {}),
  };
}

function presentDetails(store: ImageStore) {
  return { ...presentStore(store), type: store.type, weight: store.weight ?? 0, properties: propertiesOf(store) };
}

/** By the reference's names, in MiB; of a file store it would tell paths of this machine. */
function propertiesOf({ type, details }: ImageStore): Record<string, unknown> {
  if (type !== 's3' || typeof details?.partBytes !== 'number') return {};
  const part = details.partBytes / MEBIBYTE;
  // Parts of one upload go one after the other.
  return { s3_store_large_object_size: part, s3_store_large_object_chunk_size: part, s3_store_thread_pools: 1 };
}
