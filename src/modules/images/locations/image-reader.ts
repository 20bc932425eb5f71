import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { RangeUnsatisfiableError } from '../../../common/errors.js';
import { Log } from '../../../platform/logging/log.js';
import type { ByteRange } from '../../../platform/object-store/object-store.js';
import { ObjectStores } from '../../../platform/object-store/object-stores.js';
import { ArtifactsService } from '../../artifacts/index.js';
import type { Image } from '../image.entity.js';
import { isUnexamined } from '../imports/import-marks.js';
import { type ImageLocation, storeOf } from './image-location.js';
import { ImageLocationsRepository } from './image-locations.repository.js';
import { LocationUnavailableError } from './locations.errors.js';
import { WebReader } from './web-reader.js';

/** Reads the bytes of images from the first place that has them. */
@Injectable()
export class ImageReader {
  constructor(
    private readonly locations: ImageLocationsRepository,
    private readonly artifacts: ArtifactsService,
    private readonly web: WebReader,
    private readonly objects: ObjectStores,
    private readonly log: Log,
  ) {}

  /**
   * Opens an active image. Places in preferred stores are tried first, in that order, then the heavier stores, the primary file, the
   * other copies and the web; one that does not answer gives way to the next.
   *
   * @throws UnavailableError, StoredFileNotFoundError no place could be read: the failure of the last one
   */
  async open(image: Image, prefer: readonly string[], range?: ByteRange): Promise<Readable> {
    const places = (await this.locations.of([image.id])).get(image.id)!;
    let failure: unknown = new LocationUnavailableError('there is none');
    for (const place of this.inOrder(image, places, prefer)) {
      try {
        return await this.openPlace(image, place, range);
      } catch (error) {
        if (error instanceof RangeUnsatisfiableError) throw error;
        failure = error;
        this.log.warn('a copy of an image could not be read', { error, image_id: image.id, store: storeOf(place) });
      }
    }
    throw failure;
  }

  private openPlace(image: Image, place: ImageLocation, range?: ByteRange): Promise<Readable> {
    if (place.kind === 'copy') return this.artifacts.open(place.fileId, range);
    if (isUnexamined(image)) throw new LocationUnavailableError('its bytes are still looked at');
    const { md5, hashValue } = image;
    return this.web.open(place.url, { sizeBytes: image.sizeBytes!, md5, hashValue }, range);
  }

  private inOrder(image: Image, places: readonly ImageLocation[], prefer: readonly string[]): ImageLocation[] {
    const ranks = new Map(
      places.map((place) => {
        const preferred = prefer.indexOf(storeOf(place));
        const weight = this.objects.find(storeOf(place))?.description.weight ?? 0;
        const isPrimary = place.kind === 'copy' && place.fileId === image.primaryFileId;
        return [
          place,
          [preferred < 0 ? prefer.length : preferred, -weight, place.kind === 'copy' ? 0 : 1, isPrimary ? 0 : 1],
        ];
      }),
    );
    const compare = (one: ImageLocation, other: ImageLocation): number => {
      const [mine, theirs] = [ranks.get(one)!, ranks.get(other)!];
      const differing = mine.findIndex((rank, index) => rank !== theirs[index]);
      return differing < 0 ? 0 : mine[differing]! - theirs[differing]!;
    };
    return [...places].sort(compare);
  }
}
