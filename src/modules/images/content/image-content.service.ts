import { Injectable } from '@nestjs/common';
import type { ByteProbe } from '../../artifacts/index.js';
import type { Image } from '../image.entity.js';

/** What an image says of its data. */
export type ContentClaim = Pick<Image, 'id' | 'diskFormat' | 'containerFormat' | 'properties'>;

/** What was found out about data that is as its image says. */
export interface ContentVerdict {
  /** Size of the disk inside; null: the format does not tell it, or is not looked into. */
  readonly virtualSizeBytes: number | null;
}

/** Judges the data of one image while it passes. Give it to `StoreFile.probe`, and ask for the verdict before the image becomes `active`. */
export interface ContentProbe extends ByteProbe {
  /**
   * To be called once, after the last byte.
   * @throws what `write` throws
   */
  finish(): Promise<ContentVerdict>;
}

/** Looks into data before it becomes the data of an image. */
@Injectable()
export class ImageContentService {
  /** A probe for data that is about to become this image's. */
  async probe(claim: ContentClaim): Promise<ContentProbe> {
    let sizeBytes = 0;
    return {
      write: (chunk) => void (sizeBytes += chunk.length),
      // A raw disk is as large as its file.
      finish: async () => ({
        virtualSizeBytes: claim.diskFormat === 'raw' && claim.containerFormat === 'bare' ? sizeBytes : null,
      }),
    };
  }

  /** Whether a probe that was made for one would judge as one made for the other. */
  judgesAlike(one: ContentClaim, other: ContentClaim): boolean {
    return one.diskFormat === other.diskFormat && one.containerFormat === other.containerFormat;
  }
}
