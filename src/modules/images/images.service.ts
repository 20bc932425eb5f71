import { Injectable } from '@nestjs/common';
import { isUuid, newId } from '../../common/ids.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import { ArtifactsService } from '../artifacts/index.js';
import { type Actor, Ledger } from '../tenancy/index.js';
import type { Image } from './image.entity.js';
import { ImageListRepository } from './image-list.repository.js';
import {
  applyToProperties,
  checkPropertyRoom,
  checkWritable,
  distinctTags,
  IMAGE_TAGS_MAX,
} from './image-properties.js';
import { ImageRemovalService } from './image-removal.service.js';
import {
  ImageActionForbiddenError,
  ImageBusyError,
  ImageFormatFixedError,
  ImageMarkerNotFoundError,
  ImageNotFoundError,
  ImageQuotaExceededError,
  TagNotFoundError,
} from './images.errors.js';
import { PropertyProtections } from './protection/property-protections.js';
import { ImagesPolicy, type Sighting } from './images.policy.js';
import { type ImageChange, ImagesRepository } from './images.repository.js';
import {
  type CreateImage,
  type ImagePage,
  type ImageQuery,
  type ImageStreamQuery,
  RECEIVING,
  type UpdateImage,
} from './images.types.js';
import { importTaskOf } from './imports/import-marks.js';

/** Most rows read at once. */
const CHUNK = 100;
/** Behind so many characters of properties a page ends, whatever was asked for. */
const PAGE_CHARACTERS = 4 * 1024 * 1024;

/** Images: their records. Their bytes are `ImageDataService`'s, their members `ImageMembersService`'s. */
@Injectable()
export class ImagesService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly lists: ImageListRepository,
    private readonly policy: ImagesPolicy,
    private readonly protections: PropertyProtections,
    private readonly removal: ImageRemovalService,
    private readonly artifacts: ArtifactsService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Makes an image, `queued` and without data.
   *
   * @throws ImageActionForbiddenError no member; owned by somebody else, or public, and no administrator
   * @throws ImageIdTakenError the chosen id is or was in use
   * @throws LimitExceededError the owner has as many images as it may have
   * @throws ImageQuotaExceededError too many tags or properties
   * @throws PropertyReservedError, PropertyInvalidError, PropertyProtectedError
   */
  async create(actor: Actor, command: CreateImage): Promise<Image> {
    const projectId = command.projectId === undefined ? actor.projectId : command.projectId;
    const visibility = command.visibility ?? 'shared';
    const properties = command.properties ?? {};
    this.policy.checkCreate(actor, { projectId, visibility });
    checkWritable(properties, this.policy.isAdmin(actor));
    this.protections.checkCreate(actor, properties);
    checkPropertyRoom(properties);
    const image = {
      id: command.id ?? newId(),
      projectId,
      name: command.name ?? null,
      visibility,
      protected: command.protected ?? false,
      hidden: command.hidden ?? false,
      tags: distinctTags(command.tags ?? []),
      properties,
      diskFormat: command.diskFormat ?? null,
      containerFormat: command.containerFormat ?? null,
      minDiskGib: command.minDiskGib ?? 0,
      minRamMib: command.minRamMib ?? 0,
      origin: 'upload' as const,
    };
    return this.uow.run(async () => {
      const created = await this.images.insert(image, command.id !== undefined);
      await this.record('image.created', actor, created);
      // Last, so that what every create of a project waits for is held only until the commit that follows.
      await this.ledger.reserve(projectId, 'images', 1);
      return this.protections.shownTo(actor, created);
    });
  }

  /** @throws ImageNotFoundError no such image, or none that the actor may see */
  async get(actor: Actor, imageId: string): Promise<Image> {
    const sighting = isUuid(imageId, true) ? await this.images.find(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkVisible(actor, sighting);
    return this.protections.shownTo(actor, sighting.image);
  }

  /** As `get`, by AMI id. @throws ImageNotFoundError */
  async getByAmiId(actor: Actor, amiId: string): Promise<Image> {
    const sighting = await this.images.findByAmiId(amiId, actor.projectId);
    if (!sighting || !this.policy.isVisible(actor, sighting)) throw new ImageNotFoundError(amiId);
    return this.protections.shownTo(actor, sighting.image);
  }

  /**
   * One page of a list, in order. It has fewer images than asked for where the list ends, and where they are large.
   * @throws ImageActionForbiddenError the actor may not list
   * @throws ImageMarkerNotFoundError the marker is no image that the actor may see
   */
  async list(actor: Actor, query: ImageQuery): Promise<ImagePage> {
    const images: Image[] = [];
    let characters = 0;
    for await (const image of this.stream(actor, query, query.limit)) {
      if (query.limit === 0) break;
      if (characters >= PAGE_CHARACTERS) return { images, isCut: true };
      images.push(image);
      for (const [name, value] of Object.entries(image.properties)) characters += name.length + value.length;
      // Asking for one more would be another query.
      if (images.length === query.limit) break;
    }
    return { images, isCut: false };
  }

  /**
   * A whole list, in order, read in chunks as it is consumed. What comes or goes meanwhile is shown or not; what stays
   * is shown once.
   * @param wanted how many will probably be consumed
   * @throws ImageActionForbiddenError the actor may not list
   * @throws ImageMarkerNotFoundError the marker is no image of the list
   */
  async *stream(actor: Actor, query: ImageStreamQuery, wanted = CHUNK): AsyncGenerator<Image, void, undefined> {
    this.checkScope(actor, query);
    const { scope, filter, sort } = query;
    if (!this.protections.mayFilter(actor, filter)) return;
    const viewer = this.policy.viewer(actor);
    // Of what is hidden none counts.
    const size = this.policy.hidesListed ? CHUNK : Math.min(wanted, CHUNK);
    let after = query.marker === undefined ? undefined : await this.findMarker(actor, query);
    do {
      const chunk = await this.lists.list({ viewer, scope, filter, sort, limit: size, after });
      const shown = this.policy.hidesListed
        ? chunk.filter((image) => this.policy.isListedVisible(actor, image))
        : chunk;
      yield* shown.map((image) => this.protections.shownTo(actor, image));
      after = chunk.length === size ? chunk.at(-1) : undefined;
    } while (after);
  }

  /**
   * Changes an image, as a whole or not at all.
   *
   * @param change what to change; as a function it is told the image as it is, and nobody changes it meanwhile. It may
   *   be called again, so it has no other effect.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageActionForbiddenError another owner, or public, and no administrator
   * @throws ImageFormatFixedError a format of an image that is not `queued`
   * @throws ImageBusyError another owner while data arrives
   * @throws ImageQuotaExceededError too many tags or properties
   * @throws PropertyReservedError, PropertyInvalidError, PropertyProtectedError
   * @throws LimitExceededError the new owner has no room
   */
  update(actor: Actor, imageId: string, change: UpdateImage | ((image: Image) => UpdateImage)): Promise<Image> {
    return this.uow.run(async () => {
      const { image } = await this.lock(actor, imageId, 'change');
      const shown = this.protections.shownTo(actor, image);
      const wanted = typeof change === 'function' ? change(shown) : change;
      const command = this.protections.checkChange(actor, image.properties, wanted);
      const columns = this.toColumns(actor, image, command);
      if (Object.keys(columns).length === 0) return shown;
      if (columns.projectId !== undefined) await this.giveTo(image, columns.projectId);
      const changed = await this.images.update(image.id, columns);
      await this.record('image.updated', actor, changed, { changed: Object.keys(columns) });
      return this.protections.shownTo(actor, changed);
    });
  }

  /**
   * Adds a tag; nothing happens if it is there already.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageQuotaExceededError
   */
  async addTag(actor: Actor, imageId: string, tag: string): Promise<void> {
    await this.update(actor, imageId, (image) => {
      if (image.tags.includes(tag)) return {};
      if (image.tags.length >= IMAGE_TAGS_MAX) {
        throw new ImageQuotaExceededError('tags', IMAGE_TAGS_MAX, image.tags.length + 1);
      }
      return { tags: [...image.tags, tag] };
    });
  }

  /**
   * Removes a tag.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws TagNotFoundError
   */
  async removeTag(actor: Actor, imageId: string, tag: string): Promise<void> {
    await this.update(actor, imageId, (image) => {
      if (!image.tags.includes(tag)) throw new TagNotFoundError(imageId, tag);
      return { tags: image.tags.filter((other) => other !== tag) };
    });
  }

  /**
   * Deletes an image: gone for every face at once, kept as a whole until its retention ends.
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws ImageProtectedError, ImageInUseError
   */
  delete(actor: Actor, imageId: string): Promise<void> {
    return this.removal.delete(actor, imageId);
  }

  private async lock(actor: Actor, imageId: string, action: string): Promise<Sighting> {
    const sighting = isUuid(imageId, true) ? await this.images.findForUpdate(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkModify(actor, sighting, action);
    return sighting;
  }

  private toColumns(actor: Actor, image: Image, command: UpdateImage): ImageChange {
    const { setProperties, removeProperties, ...attributes } = command;
    if (attributes.visibility !== undefined) this.policy.checkPublish(actor, image, attributes.visibility);
    if (attributes.projectId !== undefined) this.policy.checkGiveAway(actor);
    for (const attribute of ['diskFormat', 'containerFormat'] as const) {
      if (attributes[attribute] !== undefined && image.status !== 'queued') {
        throw new ImageFormatFixedError(image.id, attribute === 'diskFormat' ? 'disk_format' : 'container_format');
      }
    }
    const columns: ImageChange = { ...attributes };
    if (attributes.tags !== undefined) columns.tags = distinctTags(attributes.tags);
    if (setProperties || removeProperties) {
      columns.properties = applyToProperties(image.properties, command, this.policy.isAdmin(actor));
    }
    return columns;
  }

  /** Moves what an image counts from one owner's usage to another's. */
  private async giveTo(image: Image, projectId: string | null): Promise<void> {
    if (projectId === image.projectId) return;
    if (RECEIVING.includes(image.status) || importTaskOf(image) !== null) throw new ImageBusyError(image.id);
    for (const fileId of await this.images.filesOf(image.id)) await this.artifacts.moveCharge(fileId, projectId);
    // The link must name the same objects for the new owner. Nobody can have addresses without being somebody.
    for (const artifactId of projectId === null ? [] : await this.images.ownArtifacts(image.id)) {
      await this.artifacts.moveToProject(artifactId, projectId!);
    }
    await this.ledger.release(image.projectId, 'images', 1);
    await this.ledger.reserve(projectId, 'images', 1);
  }

  /** A page where a rule hides images that visibility shows: what it hides is read over, so that a page is full or the last. */
  private checkScope(actor: Actor, { scope }: Pick<ImageQuery, 'scope'>): void {
    this.policy.checkList(actor);
    if (scope.kind === 'visible' || this.policy.isAdmin(actor)) return;
    if (scope.projectId !== actor.projectId) throw new ImageActionForbiddenError(`list images of other projects`);
  }

  private async findMarker(actor: Actor, query: ImageStreamQuery): Promise<Image> {
    const marker = query.marker!;
    const sighting = isUuid(marker, true)
      ? await this.images.findAny(marker, actor.projectId, query.markerMayBeDeleted ?? false)
      : null;
    if (!sighting || !this.policy.isVisible(actor, sighting)) throw new ImageMarkerNotFoundError(marker);
    const { scope } = query;
    const ofProject = scope.kind === 'owned' ? scope.projectId : null;
    if (ofProject !== null && sighting.image.projectId !== ofProject) throw new ImageMarkerNotFoundError(marker);
    return sighting.image;
  }

  private record(kind: string, actor: Actor, image: Image, data: Record<string, unknown> = {}): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'image',
      nounId: image.id,
      projectId: image.projectId,
      actorId: actor.id,
      data,
    });
  }
}
