import { Injectable } from '@nestjs/common';
import { ImagePinsRepository } from './image-pins.repository.js';

/**
 * Who relies on an image. What a record of the image's own project points at is not deleted, unless whoever deletes it
 * insists; another project's pin holds nothing, so nobody can keep an image from its owner.
 */
@Injectable()
export class ImagePinsService {
  constructor(private readonly pins: ImagePinsRepository) {}

  /**
   * Pins an image in the open transaction; nobody deletes it meanwhile. Pinned twice by one holder is pinned once.
   *
   * @param projectId whose record it is
   * @param holder the record: its noun, a slash and its id
   * @returns false: there is no active image with that id
   */
  pin(imageId: string, projectId: string, holder: string): Promise<boolean> {
    return this.pins.insert(imageId, projectId, holder);
  }

  /** In the open transaction; nothing happens if it was not pinned. */
  unpin(imageId: string, holder: string): Promise<void> {
    return this.pins.remove(imageId, holder);
  }

  /** Whether a record of the image's own project points at it. Asks nobody for permission: for callers that see the image. */
  isPinned(imageId: string): Promise<boolean> {
    return this.pins.isPinned(imageId);
  }
}
