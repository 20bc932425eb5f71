import { Controller, Get, UseGuards } from '@nestjs/common';
import { type Actor, Ledger, type Quantity } from '../../../modules/tenancy/index.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { NoBodyGuard } from '../no-body.guard.js';

const MEBIBYTE = 2 ** 20;

/** The quantities of images by the reference's names; sizes are told in MiB. */
const NAMES: Partial<Record<Quantity, { readonly name: string; readonly unit: number }>> = {
  storage_bytes: { name: 'image_size_total', unit: MEBIBYTE },
  staging_bytes: { name: 'image_stage_total', unit: MEBIBYTE },
  images: { name: 'image_count_total', unit: 1 },
  uploads: { name: 'image_count_uploading', unit: 1 },
};

/** @see Image API v2, "Quota usage" */
@Controller(`${GLANCE_MOUNT}/v2/info/usage`)
@UseGuards(TokenGuard, NoBodyGuard)
export class GlanceUsageController {
  constructor(private readonly ledger: Ledger) {}

  /** What the token's project uses of that which is limited. */
  @Get()
  async show(@CurrentActor() actor: Actor) {
    const usage = actor.projectId === null ? [] : await this.ledger.usage(actor.projectId);
    const told = usage.flatMap(({ quantity, used, maximum }) => {
      const known = NAMES[quantity];
      if (!known || maximum === null) return [];
      const [inUse, limit] = [used, maximum].map((amount) => Math.floor(amount / known.unit));
      return [[known.name, { usage: inUse, limit }]];
    });
    return { usage: Object.fromEntries(told) };
  }
}
