import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TimeCondition } from '../../../common/time-condition.js';
import {
  DeletedManifestsService,
  type Image,
  ImageInUseError,
  ImageNotFoundError,
  ImageProtectedError,
  ImageRegistrationService,
  ImagesService,
  type ImageStreamQuery,
  type TimeRange,
  type UpdateImage,
  VISIBILITIES,
} from '../../../modules/images/index.js';
import { type Actor, NotPermittedError } from '../../../modules/tenancy/index.js';
import { CurrentActor } from '../../shared/callers/current-actor.js';
import { checkFields, readObject } from '../ims-body.js';
import type { LinkRequest } from '../ims-link.js';
import { ListQuery } from '../ims-list-query.js';
import { sendList, sendPage } from '../ims-lists.js';
import { ImsGuard } from '../ims.guard.js';
import { architecturesOf, IMS_ARCHS } from './ims-image-arch.js';
import {
  METADATA_CHANGE,
  type MetadataChange,
  NEW_METADATA,
  metadataOf,
  readMetadataChange,
  readNewMetadata,
} from './ims-image-metadata.js';
import { presentImage } from './ims-images.presenter.js';
import { ImsShownImages } from './ims-shown-images.js';
import { CreateImageRequest, UpdateImageRequest } from './ims-images.requests.js';
import { object, Takes } from '../../shared/documents/documented.js';

const SORT_KEYS = { id: 'id', name: 'name', created: 'createdAt', arch: 'architecture' } as const;

@UseGuards(ImsGuard)
@Controller('apis/ims/v3/images')
export class ImsImagesController {
  constructor(
    protected readonly images: ImagesService,
    private readonly shown: ImsShownImages,
    private readonly registration: ImageRegistrationService,
    private readonly deletedManifests: DeletedManifestsService,
  ) {}

  @Get()
  async list(@CurrentActor() actor: Actor, @Req() request: FastifyRequest, @Res() reply: FastifyReply) {
    const parameters = new ListQuery(request);
    const { limit, marker, sort } = parameters.window(SORT_KEYS);
    const archs = parameters.anyOf('arch', IMS_ARCHS);
    const query: ImageStreamQuery = {
      scope: {
        kind: 'owned',
        projectId: parameters.owner(actor),
        visibility: parameters.oneOf('visibility', VISIBILITIES),
      },
      filter: {
        architectures: archs && architecturesOf(archs),
        knownArchitectures: architecturesOf(IMS_ARCHS),
        names: parameters.any('name'),
        properties: parameters.map('metadata'),
        createdAt: parameters.times('created').map(toRange),
      },
      sort,
      marker,
      markerMayBeDeleted: true,
    };
    if (limit === undefined) return sendList(reply, this.images.stream(actor, query), presentImage);
    const read = (wanted: number) => this.images.stream(actor, query, wanted);
    return sendPage(reply, parameters, read, limit, presentImage);
  }

  @Post()
  @Takes(object({ metadata: NEW_METADATA }))
  async create(@CurrentActor() actor: Actor, @Req() request: FastifyRequest) {
    const { metadata, ...fields } = readObject(request);
    const read = readNewMetadata(metadata);
    const body = checkFields(fields, CreateImageRequest, () => read.faults ?? {});
    const image = await this.registration.register(actor, {
      name: body.name,
      properties: { ...metadataOf(read), ...(body.arch ? { architecture: body.arch } : {}) },
      link: body.link ? toLink(body.link) : null,
    });
    return presentImage(image);
  }

  @Delete()
  @HttpCode(204)
  async deleteAll(@CurrentActor() actor: Actor): Promise<void> {
    await this.removeEach(actor, (id) => this.remove(actor, id));
  }

  /** All of the project but protected ones. */
  protected async removeEach(actor: Actor, remove: (id: string) => Promise<void>): Promise<void> {
    const query: ImageStreamQuery = {
      scope: { kind: 'owned', projectId: actor.projectId },
      filter: { knownArchitectures: architecturesOf(IMS_ARCHS) },
      sort: [{ key: 'createdAt', direction: 'asc' }],
    };
    for await (const image of this.images.stream(actor, query)) {
      await remove(image.id).catch(ignoreKept);
    }
  }

  @Get(':id')
  async show(@CurrentActor() actor: Actor, @Param('id') id: string) {
    return presentImage(await this.find(actor, id));
  }

  @Patch(':id')
  @Takes(object({ metadata: METADATA_CHANGE }))
  async update(@CurrentActor() actor: Actor, @Param('id') id: string, @Req() request: FastifyRequest) {
    const found = await this.find(actor, id);
    if (!actor.mayChange(found.projectId)) throw new NotPermittedError('change images');
    const { metadata, ...fields } = readObject(request);
    const read = readMetadataChange(metadata);
    const body = checkFields(fields, UpdateImageRequest, () => read.faults ?? {});
    const change = toUpdate(body, metadataOf(read));
    return presentImage(await this.registration.update(actor, id, change, body.link && toLink(body.link)));
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@CurrentActor() actor: Actor, @Param('id') id: string): Promise<void> {
    await this.find(actor, id);
    await this.remove(actor, id);
  }

  /** Clients of this API read where the artifacts went to as soon as they are told. */
  private async remove(actor: Actor, id: string): Promise<void> {
    await this.images.delete(actor, id);
    await this.deletedManifests.ensureSoon(id);
  }

  /** This API shows a project's own images only, and those only that it has a word for. */
  protected async find(actor: Actor, id: string): Promise<Image> {
    // Ids are compared as text against the lower-case form.
    return this.shown.check(actor, id, id === id.toLowerCase() ? await this.images.get(actor, id) : null);
  }
}

function toLink({ path, etag }: LinkRequest) {
  return { path, etag: etag ?? '' };
}

function toUpdate({ arch }: UpdateImageRequest, metadata: MetadataChange | null): UpdateImage {
  const set = metadata?.operation === 'set' ? { [metadata.key]: metadata.value } : {};
  const setProperties = { ...set, ...(arch ? { architecture: arch } : {}) };
  return {
    ...(Object.keys(setProperties).length > 0 ? { setProperties } : {}),
    ...(metadata?.operation === 'remove' ? { removeProperties: [metadata.key] } : {}),
  };
}

/** Times are kept to the millisecond. */
function toRange({ operator, time }: TimeCondition): TimeRange {
  const next = new Date(time.getTime() + 1);
  switch (operator) {
    case 'eq':
      return { from: time, before: next };
    case 'neq':
      return { from: time, before: next, outside: true };
    case 'gt':
      return { from: next };
    case 'gte':
      return { from: time };
    case 'lt':
      return { before: time };
    case 'lte':
      return { before: next };
  }
}

/** Protected images stay, as does what is in use, and somebody else may have deleted one first. */
function ignoreKept(error: unknown): void {
  const kept = [ImageProtectedError, ImageInUseError, ImageNotFoundError].some((kind) => error instanceof kind);
  if (!kept) throw error;
}
