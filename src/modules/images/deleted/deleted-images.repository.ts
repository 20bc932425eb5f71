import { Injectable } from '@nestjs/common';
import { formatAddress } from '../../artifacts/index.js';
import { Database } from '../../../platform/database/database.js';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import { type Conditions, KeysetReader, timeConditions } from '../../../platform/database/keyset-reader.js';
import type { Image } from '../image.entity.js';
import { architectureCondition, knownArchitecture, knownArchitectureOf, OF_PROJECT } from '../image-list.repository.js';
import { IMAGE_COLUMNS, toImage } from '../images.repository.js';
import { deletedManifestAddress } from './deleted-manifest-address.js';
import { ImageRestoreConflictError } from './deleted-images.errors.js';
import type { DeletedImageQuery, DeletedImageSortKey } from './deleted-images.types.js';

/** One artifact of an image, with its address. */
export interface PlacedArtifact {
  readonly artifactId: string;
  readonly role: string;
  readonly mediaType: string;
  /** As the manifest says. */
  readonly md5: string | null;
  readonly etag: string;
  readonly path: string;
}

/** Statements on soft-deleted images, and those of their coming and going. */
@Injectable()
export class DeletedImagesRepository {
  private readonly reader: KeysetReader<Image, DeletedImageSortKey>;

  constructor(private readonly database: Database) {
    this.reader = new KeysetReader(database, {
      table: 'images i',
      columns: IMAGE_COLUMNS,
      sort: {
        created: { sql: 'i.created_at', value: (image) => image.createdAt },
        id: { sql: 'i.id', value: (image) => image.id },
        deleted: { sql: 'i.deleted_at', value: (image) => image.deletedAt },
        name: { sql: `coalesce(i.name, '')`, value: (image) => image.name ?? '' },
        arch: { sql: knownArchitecture('i.architecture'), value: knownArchitectureOf },
      },
    });
  }

  async find(id: string): Promise<Image | null> {
    const row = await this.database.one<Image>(
      `SELECT ${IMAGE_COLUMNS} FROM images i WHERE i.id = $1 AND i.deleted_at IS NOT NULL`,
      [id],
      'images-find-deleted',
    );
    return row && toImage(row);
  }

  /** Wherever it is in its life: the marker of a page may have been restored meanwhile. */
  async findEvenLive(id: string): Promise<Image | null> {
    const row = await this.database.one<Image>(`SELECT ${IMAGE_COLUMNS} FROM images i WHERE i.id = $1`, [id]);
    return row && toImage(row);
  }

  async *stream(query: DeletedImageQuery, after: Image | null, wanted?: number): AsyncGenerator<Image> {
    for await (const image of this.reader.stream(conditions(query), query.sort, after, wanted)) yield toImage(image);
  }

  /** Everything that an image refers to by an address, as its manifest orders it. */
  async artifactsOf(imageId: string): Promise<PlacedArtifact[]> {
    const rows = await this.database.query<Omit<PlacedArtifact, 'path'> & { bucket: string; key: string }>(
      `SELECT a.id AS "artifactId", ia.role, ia.media_type AS "mediaType", ia.md5, a.etag, a.bucket, a.key
       FROM image_artifacts ia JOIN artifacts a ON a.id = ia.artifact_id
       WHERE ia.image_id = $1 ORDER BY ia.position, a.id`,
      [imageId],
    );
    return rows.map(({ bucket, key, ...artifact }) => ({ ...artifact, path: formatAddress({ bucket, key }) }));
  }

  /**
   * Notes which artifact is the manifest that an image links to, and makes the link that of its deleted manifest. Before
   * anything moves; a manifest may have named itself among the artifacts, and so have come by another role.
   */
  async noteManifest({ id, projectId, linkPath }: Image): Promise<void> {
    if (linkPath === null || projectId === null) return;
    await this.database.run(
      `UPDATE image_artifacts ia SET role = 'manifest' FROM artifacts a
       WHERE ia.image_id = $1 AND ia.role <> 'manifest' AND a.id = ia.artifact_id
         AND 's3://' || a.bucket || '/' || a.key = $2`,
      [id, linkPath],
    );
    await this.setLink(id, formatAddress(deletedManifestAddress(id)), '');
  }

  async setLink(id: string, path: string, etag: string): Promise<void> {
    await this.database.run('UPDATE images SET link_path = $2, link_etag = $3 WHERE id = $1', [id, path, etag]);
  }

  async addDeletedManifest(imageId: string, artifactId: string, mediaType: string): Promise<void> {
    await this.database.run(
      `INSERT INTO image_artifacts (image_id, artifact_id, role, media_type) VALUES ($1, $2, 'deleted_manifest', $3)`,
      [imageId, artifactId, mediaType],
    );
  }

  /** Before the image goes without its artifacts. */
  async forgetArtifacts(imageId: string): Promise<void> {
    await this.database.run('DELETE FROM image_artifacts WHERE image_id = $1', [imageId]);
  }

  async removeArtifact(imageId: string, artifactId: string): Promise<void> {
    await this.database.run('DELETE FROM image_artifacts WHERE image_id = $1 AND artifact_id = $2', [
      imageId,
      artifactId,
    ]);
  }

  /** Lets an artifact take the place of another one in an image. */
  async replaceArtifact(imageId: string, artifactId: string, by: string): Promise<void> {
    await this.database.run(
      `INSERT INTO image_artifacts (image_id, artifact_id, role, media_type, md5, position)
       SELECT image_id, $3, role, media_type, md5, position FROM image_artifacts WHERE image_id = $1 AND artifact_id = $2
       ON CONFLICT (image_id, artifact_id) DO NOTHING`,
      [imageId, artifactId, by],
    );
    await this.removeArtifact(imageId, artifactId);
  }

  /** Takes a locked image out of the deleted ones. @throws ImageRestoreConflictError */
  async restore({ id, linkPath, linkEtag }: Image): Promise<Image> {
    try {
      const row = await this.database.one<Image>(
        `UPDATE images i SET deleted_at = NULL, link_path = $2, link_etag = $3, version = version + 1
         WHERE id = $1 RETURNING ${IMAGE_COLUMNS}`,
        [id, linkPath, linkEtag],
      );
      return toImage(row!);
    } catch (error) {
      if (isUniqueViolation(error, 'images_link_unique')) throw new ImageRestoreConflictError(id, linkPath ?? '');
      throw error;
    }
  }
}

/** In the order in which artifacts are locked. */
export function inOrder<Placed extends Pick<PlacedArtifact, 'artifactId'>>(artifacts: readonly Placed[]): Placed[] {
  return [...artifacts].sort((a, b) => (a.artifactId < b.artifactId ? -1 : 1));
}

function conditions({ projectId, filter }: DeletedImageQuery): Conditions {
  return (bindings) => {
    const { architectures, knownArchitectures, names, visibility, properties } = filter;
    return [
      'i.deleted_at IS NOT NULL',
      ...(projectId === null ? [] : [`i.project_id = ${bindings.add(projectId)}`]),
      OF_PROJECT,
      ...[architectures, knownArchitectures].flatMap((each) => (each ? [architectureCondition(each, bindings)] : [])),
      ...(names ? [`i.name = ANY (${bindings.add(names)}::text[])`] : []),
      ...(visibility ? [`i.visibility = ${bindings.add(visibility)}`] : []),
      ...(properties ? [`i.properties @> ${bindings.add(JSON.stringify(properties))}::jsonb`] : []),
      ...timeConditions('i.created_at', filter.created ?? [], bindings),
      ...timeConditions('i.deleted_at', filter.deleted ?? [], bindings),
    ];
  };
}
