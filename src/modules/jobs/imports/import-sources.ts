import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import { EgressClient } from '../../../platform/egress/egress-client.js';
import { ArtifactsService, type CompleteFile } from '../../artifacts/index.js';
import { ImageDataService, type ImageProperties, ImagesService } from '../../images/index.js';
import type { Actor } from '../../tenancy/index.js';
import { ImportSourceError } from './imports.errors.js';
import { type RemoteImage, RemoteImages, takenProperties } from './remote-images.js';

/** Bytes on their way. */
export interface Incoming {
  /** The caller consumes or destroys it. */
  readonly body: Readable;
  /** Null: nobody knows how many will come. */
  readonly sizeBytes: number | null;
}

/** Where the data of an image comes from. */
export interface ImportSource {
  /** What the image gets with its data. */
  readonly properties: ImageProperties;
  readonly diskFormat?: string;
  readonly containerFormat?: string;
  /** What the data must come to, where that is known, in lower-case hex. */
  readonly sha512?: string | null;
  /** Opens the data, each time from its start. */
  open(signal: AbortSignal): Promise<Incoming>;
}

/** Finds the sources that orders name. */
@Injectable()
export class ImportSources {
  constructor(
    private readonly egress: EgressClient,
    private readonly artifacts: ArtifactsService,
    private readonly images: ImagesService,
    private readonly data: ImageDataService,
    private readonly remote: RemoteImages,
    private readonly config: Config,
  ) {}

  /** A file that is stored or staged here. */
  file(file: CompleteFile): ImportSource {
    return {
      properties: {},
      sha512: file.sha512,
      open: async () => ({ body: await this.artifacts.open(file), sizeBytes: file.sizeBytes }),
    };
  }

  /** An address that a user gave; each redirect is checked as the address was. */
  web(uri: string): ImportSource {
    return {
      properties: {},
      open: (signal) => this.egress.get(uri, { signal, maxBytes: this.config.images.sizeMaxBytes }),
    };
  }

  /**
   * An image of another region, or of this one.
   * @throws ImportSourceError no such region or interface, no such image there, or one without data
   */
  async image(asker: Actor, where: RemoteImage, signal: AbortSignal): Promise<ImportSource> {
    return where.region === this.config.region
      ? this.localImage(asker, where.imageId)
      : this.remote.find(where, signal);
  }

  private async localImage(asker: Actor, imageId: string): Promise<ImportSource> {
    const image = await this.images.get(asker, imageId);
    const { data } = await this.data.download(asker, imageId);
    if (!data) throw new ImportSourceError(`Image ${imageId} has no data`);
    return {
      properties: takenProperties(image.properties),
      diskFormat: image.diskFormat ?? undefined,
      containerFormat: image.containerFormat ?? undefined,
      sha512: image.hashAlgorithm === 'sha512' ? image.hashValue : null,
      open: async () => ({ body: await data.open(), sizeBytes: data.sizeBytes }),
    };
  }
}
