import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { ImageCopy, ImageLocation, LocationMetadata, WebLocation } from './image-location.js';

interface Row {
  readonly imageId: string;
  readonly id: string;
  readonly storeId: string | null;
  readonly url: string | null;
  readonly metadata: LocationMetadata;
}

/** Every statement on places of images: `image_locations`, and `image_copies` beyond what an upload writes. */
@Injectable()
export class ImageLocationsRepository {
  constructor(private readonly database: Database) {}

  /** The places of some images, each image's in their order: the copies first, oldest first, then those on the web. */
  async of(imageIds: readonly string[]): Promise<Map<string, ImageLocation[]>> {
    const rows = await this.database.query<Row>(
      `SELECT * FROM (
         SELECT image_id AS "imageId", stored_file_id AS id, store_id AS "storeId", NULL AS url, metadata,
           -1 AS position, created_at AS "createdAt"
         FROM image_copies WHERE image_id = ANY($1::uuid[])
         UNION ALL
         SELECT image_id, id, NULL, url, metadata, position, created_at FROM image_locations WHERE image_id = ANY($1::uuid[])
       ) places ORDER BY position, "createdAt", "storeId", id`,
      [imageIds],
    );
    const places = new Map<string, ImageLocation[]>(imageIds.map((id) => [id, []]));
    for (const row of rows) places.get(row.imageId)?.push(toLocation(row));
    return places;
  }

  /** Takes a copy out of an image. The reference to its file is the caller's to give back. */
  async removeCopy(imageId: string, storeId: string): Promise<void> {
    await this.database.run('DELETE FROM image_copies WHERE image_id = $1 AND store_id = $2', [imageId, storeId]);
  }

  async setCopyMetadata(imageId: string, { storeId, metadata }: ImageCopy): Promise<void> {
    await this.database.run('UPDATE image_copies SET metadata = $3 WHERE image_id = $1 AND store_id = $2', [
      imageId,
      storeId,
      JSON.stringify(metadata),
    ]);
  }

  /** Puts these places on the web, in this order, in the stead of those that an image had. */
  async replaceWeb(imageId: string, places: readonly WebLocation[]): Promise<void> {
    await this.database.run('DELETE FROM image_locations WHERE image_id = $1', [imageId]);
    await this.database.run(
      `INSERT INTO image_locations (id, image_id, url, metadata, position)
       SELECT id, $1, url, metadata, position
       FROM unnest($2::uuid[], $3::text[], $4::jsonb[]) WITH ORDINALITY AS given (id, url, metadata, position)`,
      [
        imageId,
        places.map(({ id }) => id),
        places.map(({ url }) => url),
        places.map(({ metadata }) => JSON.stringify(metadata)),
      ],
    );
  }

  /** The artifacts of an image whose bytes are this file. */
  async artifactsOn(imageId: string, fileId: string): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT a.id FROM artifacts a JOIN image_artifacts i ON i.artifact_id = a.id
       WHERE i.image_id = $1 AND a.stored_file_id = $2 ORDER BY a.id`,
      [imageId, fileId],
    );
    return rows.map((row) => row.id);
  }
}

function toLocation({ id, storeId, url, metadata }: Row): ImageLocation {
  return url === null ? { kind: 'copy', storeId: storeId!, fileId: id, metadata } : { kind: 'web', id, url, metadata };
}
