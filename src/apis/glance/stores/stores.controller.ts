import { Controller, Get, UseGuards } from '@nestjs/common';
import { ImageDataService, type ImageStore } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/auth-guard.js';
import { NoBodyGuard } from '../no-body.guard.js';

/** @see Image API v2, "Stores" */
@Controller(`${GLANCE_MOUNT}/v2/info/stores`)
@UseGuards(TokenGuard, NoBodyGuard)
export class GlanceStoresController {
  constructor(private readonly data: ImageDataService) {}

  @Get()
  list() {
    return { stores: this.data.stores().map(presentStore) };
  }

  @Get('detail')
  details(@CurrentActor() actor: Actor) {
    const stores = this.data.storeDetails(actor);
    return { stores: stores.map((store) => ({ ...presentStore(store), type: store.type, properties: {} })) };
  }
}

/** The reference's booleans are texts here, and left out when they are false. */
function presentStore({ id, description, isDefault }: ImageStore) {
  return {
    id,
    ...(description === undefined ? {} : { description }),
    ...(isDefault ? { default: 'true' } : {}),
  };
}
