import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { type Actor, Ledger } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { ImageNotFoundError } from '../images.errors.js';
import { ImagesPolicy, type Sighting } from '../images.policy.js';
import { ImagesRepository } from '../images.repository.js';
import { ImageImportsRepository } from '../imports/image-imports.repository.js';
import { markImporting } from '../imports/import-marks.js';
import { ImageCopiesService } from './image-copies.service.js';
import { type ImageLocation, type LocationMetadata, storeOf, urlOf } from './image-location.js';
import { ImageLocationsRepository } from './image-locations.repository.js';
import { type LocationChange, type LocationPlan, planChanges } from './location-changes.js';
import { LocationMismatchError, LocationsHiddenError } from './locations.errors.js';
import { WebReader } from './web-reader.js';

/** A place as users see it. */
export interface ShownLocation {
  readonly url: string;
  readonly metadata: LocationMetadata;
}

/** Lets somebody look at the bytes of an image, of which nobody has said what they come to. */
export interface Examination {
  readonly taskId: string;
  /** Called within the transaction that makes the image `active`; nobody reads its bytes before the task is done. */
  begin(image: Image, url: string): Promise<unknown>;
}

const NOWHERE: ReadonlyMap<string, readonly ImageLocation[]> = new Map();

/** Where the bytes of images are, as far as users are told and may say so themselves. */
@Injectable()
export class ImageLocationsService {
  constructor(
    private readonly images: ImagesRepository,
    private readonly locations: ImageLocationsRepository,
    private readonly copies: ImageCopiesService,
    private readonly web: WebReader,
    private readonly policy: ImagesPolicy,
    private readonly imports: ImageImportsRepository,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
  ) {}

  /** Whether locations are shown and taken here. */
  get shown(): boolean {
    return this.config.images.locationsShown;
  }

  /** Whether images show the address of their first place. */
  get directUrlShown(): boolean {
    return this.config.images.directUrlShown;
  }

  /** The places of images that the actor sees, by their ids; of images whose places it may not know there is no entry. */
  async of(actor: Actor, images: readonly Image[]): Promise<ReadonlyMap<string, readonly ShownLocation[]>> {
    if (!this.shown && !this.directUrlShown) return new Map();
    const known = images.filter((image) => this.policy.seesLocations(actor, image));
    const open = known.filter((image) => !this.policy.hidesPlaces(actor, image));
    const places = open.length > 0 ? await this.locations.of(open.map(({ id }) => id)) : NOWHERE;
    return new Map(known.map(({ id }) => [id, (places.get(id) ?? []).map(present)]));
  }

  /** The stores that have the bytes of an image which the actor sees, as far as it is told. */
  storesOf(actor: Actor, image: Image): readonly string[] {
    return this.policy.hidesPlaces(actor, image) ? [] : image.storeIds;
  }

  /**
   * The places of one image, for services that read them by themselves.
   * @throws ImageNotFoundError, ImageForbiddenError
   */
  async fetch(actor: Actor, imageId: string): Promise<readonly ShownLocation[]> {
    const sighting = isUuid(imageId, true) ? await this.images.find(imageId, actor.projectId) : null;
    if (!sighting) throw new ImageNotFoundError(imageId);
    this.policy.checkFetchLocations(actor, sighting);
    const { id } = sighting.image;
    if (this.policy.hidesPlaces(actor, sighting.image)) return [];
    return (await this.locations.of([id])).get(id)!.map(present);
  }

  /**
   * Changes where an image's bytes are, together with whatever else `andAlso` does, or not at all. New places are asked
   * for their size before; a queued image becomes active, and is given to `examination` unless its digest was said.
   *
   * @throws LocationsHiddenError
   * @throws ImageNotFoundError, ImageForbiddenError
   * @throws LocationMismatchError the bytes there are not the image's, or nobody could tell
   * @throws LimitExceededError the project's uploads would be too many
   * @throws anything that `planChanges` and `WebReader.measure` throw
   */
  async update(
    actor: Actor,
    imageId: string,
    changes: readonly LocationChange[],
    andAlso: () => Promise<unknown>,
    examination: Examination,
  ): Promise<void> {
    if (!this.shown) throw new LocationsHiddenError();
    const seen = isUuid(imageId, true) ? await this.images.find(imageId, actor.projectId) : null;
    if (!seen) throw new ImageNotFoundError(imageId);
    const { newUrls } = await this.plan(actor, seen, changes);
    const urls = [...new Set(newUrls)];
    const sizes = new Set(await Promise.all(urls.map((url) => this.web.measure(url))));
    await this.uow.run(async () => {
      await andAlso();
      const sighting = await this.images.findForUpdate(imageId, actor.projectId);
      if (!sighting) throw new ImageNotFoundError(imageId);
      const plan = await this.plan(actor, sighting, changes);
      const { image } = sighting;
      const changed = await this.carryOut(actor, image, plan, sizes);
      if (image.status === 'queued' && changed.hashValue === null) await this.examine(changed, plan, examination);
    });
  }

  private async plan(actor: Actor, sighting: Sighting, changes: readonly LocationChange[]): Promise<LocationPlan> {
    const { image } = sighting;
    if (changes.some(({ kind }) => kind === 'remove')) this.policy.checkDeleteLocation(actor, sighting);
    if (changes.some(({ kind }) => kind !== 'remove')) this.policy.checkSetLocation(actor, sighting);
    const present = (await this.locations.of([image.id])).get(image.id)!;
    const plan = planChanges(image, present, changes, (url) => this.web.check(url));
    // Of bytes without a digest nobody can tell whether those elsewhere are the same.
    const isUnknown = image.status !== 'queued' && image.hashValue === null;
    const known = new Set(present.map((place) => withoutFragment(urlOf(place))));
    if (isUnknown && plan.newUrls.some((url) => !known.has(withoutFragment(url)))) {
      throw new LocationMismatchError(
        'The digests of the image are not known, so another place cannot be compared with it',
      );
    }
    return plan;
  }

  private async carryOut(
    actor: Actor,
    image: Image,
    { places, digests }: LocationPlan,
    sizes: ReadonlySet<number>,
  ): Promise<Image> {
    const all = new Set(image.sizeBytes === null ? sizes : [...sizes, image.sizeBytes]);
    if (all.size > 1) throw new LocationMismatchError('The location has another size than the image');
    const present = (await this.locations.of([image.id])).get(image.id)!;
    const copies = places.filter((place) => place.kind === 'copy');
    const keptIds = new Set(copies.map(({ fileId }) => fileId));
    await this.locations.replaceWeb(
      image.id,
      places.filter((place) => place.kind === 'web'),
    );
    for (const copy of copies) await this.locations.setCopyMetadata(image.id, copy);
    const kept = new Set(present.filter((place) => place.kind === 'web' || keptIds.has(place.fileId)));
    await this.copies.keep(image, [...kept, ...present.filter((place) => !kept.has(place))], kept);
    const [sizeBytes = null] = all;
    const stores = [...new Set(places.map(storeOf))];
    const changed = await this.images.setPlaced(image.id, { stores, sizeBytes, digests });
    const activated = image.status === 'queued';
    const { id, projectId } = changed;
    await this.outbox.record(
      {
        kind: activated ? 'image.activated' : 'image.updated',
        noun: 'image',
        nounId: id,
        projectId,
        actorId: actor.id,
        data: activated ? { sizeBytes } : { changed: ['locations'] },
      },
      { dispatch: activated },
    );
    return changed;
  }

  /** Nobody reads the bytes until somebody has; changes of the places are allowed meanwhile, as far as they are the same. */
  private async examine(image: Image, { places }: LocationPlan, { taskId, begin }: Examination): Promise<void> {
    await this.ledger.reserve(image.projectId, 'uploads', 1);
    const properties = markImporting(image.properties, taskId, [], []);
    await begin(await this.imports.setProperties(image.id, properties), urlOf(places[0]!));
  }
}

function present(place: ImageLocation): ShownLocation {
  return { url: urlOf(place), metadata: { ...place.metadata, store: storeOf(place) } };
}

function withoutFragment(url: string): string {
  return url.split('#', 1)[0]!;
}
