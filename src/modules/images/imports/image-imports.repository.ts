import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import type { CompleteFile } from '../../artifacts/index.js';
import type { Image } from '../image.entity.js';
import { IMAGE_COLUMNS, toImage } from '../images.repository.js';
import type { ImageProperties } from '../images.types.js';
import { WEB_STORE } from '../locations/image-location.js';

/** What an import makes of an image. */
export interface ImportedImage {
  readonly properties: ImageProperties;
  readonly diskFormat: string | null;
  readonly containerFormat: string | null;
  readonly virtualSizeBytes: number | null;
}

/** What is found out about bytes that lie elsewhere. */
interface KnownImage {
  readonly sizeBytes: number;
  readonly md5: string;
  readonly sha512: string;
  readonly virtualSizeBytes: number | null;
}

/** Statements on images that are staged and imported. */
@Injectable()
export class ImageImportsRepository {
  constructor(private readonly database: Database) {}

  /** Marks a locked `queued` image as receiving the bytes of a file that is to be staged. */
  async beginStaging(id: string, fileId: string): Promise<Image> {
    return (await this.write(id, `status = 'uploading', upload_file_id = $2`, [fileId]))!;
  }

  /**
   * Notes that the bytes are complete, if the image still waits for this very file; null if not. Its size tells from now on
   * that the file is referred to, which is the caller's to count.
   */
  finishStaging(id: string, file: CompleteFile): Promise<Image | null> {
    return this.write(id, 'size_bytes = $3', [file.id, file.sizeBytes], `status = 'uploading' AND upload_file_id = $2`);
  }

  /** Marks a locked image as being imported, by what its properties say. */
  async begin(id: string, properties: ImageProperties, status: 'importing' | 'unchanged'): Promise<Image> {
    const set = status === 'importing' ? `properties = $2, status = 'importing', origin = 'import'` : 'properties = $2';
    return (await this.write(id, set, [JSON.stringify(properties)]))!;
  }

  /** Writes the properties of a locked image. */
  async setProperties(id: string, properties: ImageProperties): Promise<Image> {
    return (await this.write(id, 'properties = $2', [JSON.stringify(properties)]))!;
  }

  /** Takes a locked image whose import failed back to `queued`. */
  async requeue(id: string, properties: ImageProperties): Promise<Image> {
    return (await this.write(
      id,
      `properties = $2, status = 'queued', origin = 'upload', size_bytes = NULL, virtual_size_bytes = NULL, upload_file_id = NULL,
       store_ids = '{}'`,
      [JSON.stringify(properties)],
    ))!;
  }

  /** Marks a locked image as waiting for what is found at its place. */
  async beginExamining(id: string, properties: ImageProperties): Promise<Image> {
    return (await this.write(id, `properties = $2, status = 'importing'`, [JSON.stringify(properties)]))!;
  }

  /** Makes a locked image `active` of whose bytes only the size is known, and what it says itself. */
  async activateUnexamined(
    id: string,
    properties: ImageProperties,
    sizeBytes: number,
    storeId: string,
  ): Promise<Image> {
    const set = `properties = $2, status = 'active', size_bytes = $3, store_ids = ARRAY[$4]`;
    return (await this.write(id, set, [JSON.stringify(properties), sizeBytes, storeId]))!;
  }

  /** Notes what was found out about the bytes of a locked image; one that waited for it is `active`. */
  async setExamined(id: string, properties: ImageProperties, known: KnownImage, storeId: string): Promise<Image> {
    return (await this.write(
      id,
      `properties = $2, status = CASE status WHEN 'importing' THEN 'active' ELSE status END, size_bytes = $3, md5 = $4,
       hash_algorithm = 'sha512', hash_value = $5, virtual_size_bytes = $6, store_ids = ARRAY[$7]`,
      [JSON.stringify(properties), known.sizeBytes, known.md5, known.sha512, known.virtualSizeBytes, storeId],
    ))!;
  }

  /** Makes a locked image `active` with complete files, one a store. The references to them are the caller's to count. */
  async activate(id: string, files: readonly CompleteFile[], imported: ImportedImage): Promise<Image> {
    const [primary] = files;
    const image = await this.write(
      id,
      `status = 'active', size_bytes = $2, md5 = $3, hash_algorithm = 'sha512', hash_value = $4, virtual_size_bytes = $5,
       store_ids = $6, primary_file_id = $7, upload_file_id = NULL, properties = $8, disk_format = $9,
       container_format = $10`,
      [
        primary!.sizeBytes,
        primary!.md5,
        primary!.sha512,
        imported.virtualSizeBytes,
        files.map((file) => file.storeId),
        primary!.id,
        JSON.stringify(imported.properties),
        imported.diskFormat,
        imported.containerFormat,
      ],
    );
    await this.insertCopies(id, files);
    return image!;
  }

  /** Adds copies in further stores to a locked image that has data. The references are the caller's to count. */
  async addCopies(id: string, files: readonly CompleteFile[], properties: ImageProperties): Promise<Image> {
    await this.insertCopies(id, files);
    return (await this.write(
      id,
      `properties = $2, primary_file_id = coalesce(primary_file_id, $3),
       store_ids = ARRAY(SELECT store_id FROM image_copies WHERE image_id = $1 ORDER BY created_at, store_id)
         || CASE WHEN EXISTS (SELECT 1 FROM image_locations WHERE image_id = $1) THEN ARRAY[$4] ELSE '{}' END`,
      [JSON.stringify(properties), files[0]?.id ?? null, WEB_STORE],
    ))!;
  }

  private async insertCopies(id: string, files: readonly CompleteFile[]): Promise<void> {
    await this.database.run(
      `INSERT INTO image_copies (image_id, store_id, stored_file_id)
       SELECT $1, store_id, file_id FROM unnest($2::text[], $3::uuid[]) AS copy (store_id, file_id)`,
      [id, files.map((file) => file.storeId), files.map((file) => file.id)],
    );
  }

  private async write(
    id: string,
    assignments: string,
    values: readonly unknown[],
    condition = 'true',
  ): Promise<Image | null> {
    const row = await this.database.one<Image>(
      `UPDATE images i SET ${assignments}, version = version + 1, updated_at = now()
       WHERE id = $1 AND deleted_at IS NULL AND ${condition} RETURNING ${IMAGE_COLUMNS}`,
      [id, ...values],
    );
    return row && toImage(row);
  }
}
