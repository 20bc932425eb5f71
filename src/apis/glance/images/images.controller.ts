import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../../../config/config.js';
import { type Image, ImageDataService, ImageLocationsService, ImagesService } from '../../../modules/images/index.js';
import { ImportsService } from '../../../modules/jobs/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { parseJsonBody } from '../../shared/requests/json-body.js';
import { PublicAddress } from '../../shared/public-address.js';
import { PatchTypeUnsupportedError } from '../glance.errors.js';
import { GLANCE_MOUNT } from '../glance.face.js';
import { TokenGuard } from '../../shared/callers/auth-guard.js';
import { GLANCE_JOBS } from '../imports/import-request.js';
import { NoBodyGuard } from '../no-body.guard.js';
import { NEW_IMAGE } from '../schemas/schema-documents.js';
import { toCreateImage } from './create-image.js';
import { parseParameters } from '../query.js';
import { LIST_PARAMETERS, presentImagePage, toImageQuery } from './image-list-request.js';
import { parsePatch, PATCH_TYPES, patchDialect, toLocationChanges, toUpdateImage } from './image-patch.js';
import { presentImage, type ShownPlaces } from './images.presenter.js';
import { Asks, object, Takes, text } from '../../shared/documents/documented.js';

/** In the older of the two languages the operation is itself the name of a member. */
const PATCH = {
  type: 'array',
  items: object({ op: { enum: ['add', 'replace', 'remove'] }, path: text, value: {} }),
};

/** @see Image API v2, "Images" */
@Controller(`${GLANCE_MOUNT}/v2/images`)
@UseGuards(TokenGuard)
export class GlanceImagesController {
  constructor(
    private readonly images: ImagesService,
    private readonly data: ImageDataService,
    private readonly imports: ImportsService,
    private readonly locations: ImageLocationsService,
    private readonly address: PublicAddress,
    private readonly config: Config,
  ) {}

  @Get()
  @Asks(...LIST_PARAMETERS)
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const parameters = parseParameters(request.url);
    const query = toImageQuery(parameters);
    const page = await this.images.list(actor, query);
    const places = await this.placesOf(actor, page.images);
    return presentImagePage(page, parameters, query.limit, (image) => presentImage(image, places.get(image.id)));
  }

  @Post()
  @Takes(NEW_IMAGE)
  @HttpCode(201)
  async create(
    @CurrentActor() actor: Actor,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const image = await this.images.create(
      actor,
      toCreateImage(parseJsonBody(request.body), this.config.images.formats),
    );
    const stores = this.data.stores().map(({ id }) => id);
    reply.header('location', `${this.address.of(request)}${GLANCE_MOUNT}/v2/images/${image.id}`);
    reply.header('openstack-image-store-ids', stores.join(','));
    const methods = this.imports.methods();
    if (methods.length > 0) reply.header('openstack-image-import-methods', methods.join(','));
    return this.present(actor, image);
  }

  @Get(':imageId')
  @UseGuards(NoBodyGuard)
  async show(@CurrentActor() actor: Actor, @Param('imageId') imageId: string) {
    return this.present(actor, await this.images.get(actor, imageId));
  }

  @Patch(':imageId')
  @Takes(PATCH, ...PATCH_TYPES)
  async update(@CurrentActor() actor: Actor, @Param('imageId') imageId: string, @Req() request: FastifyRequest) {
    const dialect = patchDialect(request.headers['content-type']);
    if (!dialect) throw new PatchTypeUnsupportedError(request.headers['content-type'], PATCH_TYPES);
    const patch = parsePatch(parseJsonBody(request.body), dialect, this.config.images.formats, {
      locations: this.locations.shown,
    });
    const update = () => this.images.update(actor, imageId, (image) => toUpdateImage(patch, image, dialect));
    const changes = toLocationChanges(patch);
    if (changes.length === 0) return this.present(actor, await update());
    await this.imports.changeLocations(actor, imageId, { face: GLANCE_JOBS, changes }, update);
    return this.present(actor, await this.images.get(actor, imageId));
  }

  @Delete(':imageId')
  @UseGuards(NoBodyGuard)
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('imageId') imageId: string): Promise<void> {
    await this.images.delete(actor, imageId);
  }

  private async present(actor: Actor, image: Image) {
    return presentImage(image, (await this.placesOf(actor, [image])).get(image.id));
  }

  private async placesOf(actor: Actor, images: readonly Image[]): Promise<ReadonlyMap<string, ShownPlaces>> {
    const { shown, directUrlShown } = this.locations;
    const places = await this.locations.of(actor, images);
    return new Map(
      images.map((image) => {
        const locations = places.get(image.id);
        const stores = this.locations.storesOf(actor, image);
        const shownPlaces = {
          ...(shown && locations ? { locations } : {}),
          ...(directUrlShown && locations?.[0] ? { direct_url: locations[0].url } : {}),
          ...(stores.length > 0 ? { stores: [...stores].sort().join(',') } : {}),
        };
        return [image.id, shownPlaces];
      }),
    );
  }
}
