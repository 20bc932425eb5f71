import { Controller, Get, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { BUILDER_VERSION, OFFICIAL_SYSTEMS, Regions } from '../../../modules/custom-images/index.js';
import { type OfficialImage, OfficialImagesService } from '../../../modules/images/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { Asks } from '../../shared/documents/documented.js';
import { BASES, dialectOf } from '../dialect.js';
import { BadInputError } from '../parallelcluster.errors.js';
import { ParallelClusterGuard } from '../parallelcluster.guard.js';
import { notOneOf, Query } from '../query.js';

const ARCHITECTURES = { x86_64: 'x86_64', aarch64: 'arm64' } as const satisfies Record<OfficialImage['arch'], string>;

/** @see AWS ParallelCluster API, ImageOperations, list_official_images */
@Controller(BASES.map((base) => `${base}/official`))
@UseGuards(ParallelClusterGuard)
export class ParallelClusterOfficialImagesController {
  constructor(
    private readonly official: OfficialImagesService,
    private readonly regions: Regions,
  ) {}

  @Get()
  @Asks('region', 'os', 'architecture')
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const query = new Query(request.url);
    const [os, architecture] = [query.text('os'), query.text('architecture')];
    this.regions.resolve(query.text('region'));
    const faults = [
      ...faultOf('os', os, OFFICIAL_SYSTEMS),
      ...faultOf('architecture', architecture, Object.values(ARCHITECTURES)),
    ];
    if (faults.length > 0) throw new BadInputError(faults.join('; '));
    const found = await this.official.list(actor, os === undefined ? OFFICIAL_SYSTEMS : [os]);
    const images = found
      .map(presentOfficial)
      .filter((image) => architecture === undefined || image.architecture === architecture);
    return dialectOf(request) === 'preview' ? { items: images } : { images };
  }
}

function faultOf(name: string, value: string | undefined, values: readonly string[]): string[] {
  return value === undefined || values.includes(value) ? [] : [notOneOf(value, values, name)];
}

function presentOfficial({ os, arch, image }: OfficialImage) {
  return {
    amiId: image.amiId,
    os,
    name: image.name || image.id,
    version: BUILDER_VERSION,
    architecture: ARCHITECTURES[arch],
  };
}
