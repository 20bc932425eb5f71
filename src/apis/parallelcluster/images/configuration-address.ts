import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type CustomImage, CustomImagesService } from '../../../modules/custom-images/index.js';
import { formatQuery } from '../../shared/requests/query-string.js';
import { PublicAddress } from '../../shared/public-address.js';

/** Where the face lies that serves what Kiln itself signed. */
const ARTIFACTS_MOUNT = '/artifacts';

/** Where a client can read the configuration of an image. */
@Injectable()
export class ConfigurationAddress {
  constructor(
    private readonly customImages: CustomImagesService,
    private readonly address: PublicAddress,
  ) {}

  /** Null: nowhere just now. */
  async of(image: CustomImage, request: FastifyRequest): Promise<string | null> {
    const link = await this.customImages.configurationLink(image);
    if (link === null || link.kind === 'store') return link?.url ?? null;
    const path = [link.address.bucket, ...link.address.key.split('/')].map(encodeURIComponent).join('/');
    const query = formatQuery([
      ['expires', String(link.expires)],
      ['signature', link.signature],
    ]);
    return `${this.address.of(request)}${ARTIFACTS_MOUNT}/${path}?${query}`;
  }
}
