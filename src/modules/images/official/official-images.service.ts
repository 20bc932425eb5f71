import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { Actor } from '../../tenancy/index.js';
import type { Image } from '../image.entity.js';
import { OFFICIAL_OS_PROPERTY } from '../image-properties.js';
import { ImagesPolicy } from '../images.policy.js';
import { IMAGE_COLUMNS, toImage } from '../images.repository.js';

/** The image that stands for an operating system on an architecture. */
export interface OfficialImage {
  readonly os: string;
  readonly arch: 'x86_64' | 'aarch64';
  readonly image: Image;
}

/** Public images that administrators have flagged as those of an operating system. */
@Injectable()
export class OfficialImagesService {
  constructor(
    private readonly database: Database,
    private readonly policy: ImagesPolicy,
  ) {}

  /**
   * One image an operating system and architecture, the newest, by both. Hidden images are superseded ones.
   * @throws ImageActionForbiddenError the actor may not list
   */
  async list(actor: Actor, systems: readonly string[]): Promise<OfficialImage[]> {
    this.policy.checkList(actor);
    const rows = await this.database.query<Image & { arch: OfficialImage['arch'] }>(
      `SELECT DISTINCT ON (i.properties ->> '${OFFICIAL_OS_PROPERTY}', arch) ${IMAGE_COLUMNS}, arch
       FROM images i
       CROSS JOIN LATERAL (SELECT CASE coalesce(i.architecture, '') WHEN '' THEN 'x86_64' WHEN 'amd64' THEN 'x86_64'
         WHEN 'arm64' THEN 'aarch64' ELSE i.architecture END AS arch) known
       WHERE i.deleted_at IS NULL AND i.status = 'active' AND i.visibility = 'public' AND NOT i.hidden
         AND i.properties ? '${OFFICIAL_OS_PROPERTY}' AND i.properties ->> '${OFFICIAL_OS_PROPERTY}' = ANY ($1)
         AND arch IN ('x86_64', 'aarch64')
       ORDER BY i.properties ->> '${OFFICIAL_OS_PROPERTY}', arch, i.created_at DESC, i.id DESC`,
      [systems],
    );
    return rows
      .map(({ arch, ...image }) => ({
        os: image.properties[OFFICIAL_OS_PROPERTY]!,
        arch,
        image: toImage(image),
      }))
      .filter(({ image }) => this.policy.isListedVisible(actor, image));
  }
}
