import { Injectable } from '@nestjs/common';
import { newId } from '../../common/ids.js';
import { Database } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database.errors.js';
import type { CompleteFile } from '../artifacts/index.js';
import { Image } from './image.entity.js';
import { ImageIdTakenError } from './images.errors.js';
import type { Sighting } from './images.policy.js';
import type { ImageOrigin, MemberStatus } from './images.types.js';
import type { ImageStatus } from './image-status.js';

/** The select list of an image, from a table called `i`. */
export const IMAGE_COLUMNS = `i.id, i.ami_id AS "amiId", i.project_id AS "projectId", i.name, i.status, i.visibility, i.protected, i.hidden,
  i.tags, i.properties, i.architecture, i.disk_format AS "diskFormat", i.container_format AS "containerFormat",
  i.min_disk_gib AS "minDiskGib", i.min_ram_mib AS "minRamMib", i.size_bytes AS "sizeBytes",
  i.virtual_size_bytes AS "virtualSizeBytes", i.md5, i.hash_algorithm AS "hashAlgorithm", i.hash_value AS "hashValue",
  i.store_ids AS "storeIds", i.primary_file_id AS "primaryFileId", i.upload_file_id AS "uploadFileId",
  i.link_path AS "linkPath", i.link_etag AS "linkEtag", i.origin, i.recipe_id AS "recipeId", i.job_id AS "jobId",
  i.parent_image_id AS "parentImageId", i.version, i.created_at AS "createdAt", i.updated_at AS "updatedAt",
  i.deleted_at AS "deletedAt"`;

/** What the viewer's project is to a shared image; nothing is looked up for other ones. */
const MEMBER_STATUS = `CASE WHEN i.visibility = 'shared' AND i.project_id IS DISTINCT FROM $2 THEN
  (SELECT m.status FROM image_members m WHERE m.image_id = i.id AND m.member = $2) END AS "memberStatus"`;

/** A new row of `images`. */
export type NewImage = Pick<
  Image,
  | 'id'
  | 'projectId'
  | 'name'
  | 'visibility'
  | 'protected'
  | 'hidden'
  | 'tags'
  | 'properties'
  | 'diskFormat'
  | 'containerFormat'
  | 'minDiskGib'
  | 'minRamMib'
> & {
  readonly origin: ImageOrigin;
  readonly recipeId?: string | null;
  readonly jobId?: string | null;
  readonly parentImageId?: string | null;
};

/** The columns that a change of attributes may write. */
export type ImageChange = Partial<
  Pick<
    Image,
    | 'projectId'
    | 'name'
    | 'visibility'
    | 'protected'
    | 'hidden'
    | 'tags'
    | 'properties'
    | 'diskFormat'
    | 'containerFormat'
    | 'minDiskGib'
    | 'minRamMib'
    | 'linkPath'
    | 'linkEtag'
  >
>;

const CHANGE_COLUMNS: Readonly<Record<keyof ImageChange, string>> = {
  projectId: 'project_id',
  name: 'name',
  visibility: 'visibility',
  protected: 'protected',
  hidden: 'hidden',
  tags: 'tags',
  properties: 'properties',
  diskFormat: 'disk_format',
  containerFormat: 'container_format',
  minDiskGib: 'min_disk_gib',
  minRamMib: 'min_ram_mib',
  linkPath: 'link_path',
  linkEtag: 'link_etag',
};

type SightingRow = Image & { memberStatus: MemberStatus | null };

/** Every statement on `images` but its lists. */
@Injectable()
export class ImagesRepository {
  constructor(private readonly database: Database) {}

  /** A live image and what the viewer's project is to it; whether the viewer may see it is the policy's to say. */
  async find(id: string, viewerProjectId: string | null): Promise<Sighting | null> {
    const row = await this.database.one<SightingRow>(
      `SELECT ${IMAGE_COLUMNS}, ${MEMBER_STATUS} FROM images i WHERE i.id = $1 AND i.deleted_at IS NULL`,
      [id, viewerProjectId],
      'images-find',
    );
    return row && toSighting(row);
  }

  /** As `find`, by AMI id. */
  async findByAmiId(amiId: string, viewerProjectId: string | null): Promise<Sighting | null> {
    const row = await this.database.one<SightingRow>(
      `SELECT ${IMAGE_COLUMNS}, ${MEMBER_STATUS} FROM images i WHERE i.ami_id = $1 AND i.deleted_at IS NULL`,
      [amiId, viewerProjectId],
      'images-find-by-ami-id',
    );
    return row && toSighting(row);
  }

  /** As `find`, and nobody else changes the image until the transaction ends. */
  async findForUpdate(id: string, viewerProjectId: string | null): Promise<Sighting | null> {
    const row = await this.database.one<SightingRow>(
      `SELECT ${IMAGE_COLUMNS}, ${MEMBER_STATUS} FROM images i
       WHERE i.id = $1 AND i.deleted_at IS NULL FOR UPDATE OF i`,
      [id, viewerProjectId],
      'images-find-for-update',
    );
    return row && toSighting(row);
  }

  /** As `find`; with `deleted`, also a soft-deleted one: what was the last image of a page need not be there any more. */
  async findAny(id: string, viewerProjectId: string | null, deleted: boolean): Promise<Sighting | null> {
    if (!deleted) return this.find(id, viewerProjectId);
    const row = await this.database.one<SightingRow>(
      `SELECT ${IMAGE_COLUMNS}, ${MEMBER_STATUS} FROM images i WHERE i.id = $1`,
      [id, viewerProjectId],
      'images-find-any',
    );
    return row && toSighting(row);
  }

  /** A soft-deleted image, locked until the transaction ends. */
  async findDeletedForUpdate(id: string): Promise<Image | null> {
    const row = await this.database.one<Image>(
      `SELECT ${IMAGE_COLUMNS} FROM images i WHERE i.id = $1 AND i.deleted_at IS NOT NULL FOR UPDATE`,
      [id],
    );
    return row && toImage(row);
  }

  /**
   * Adds an image, `queued` and without data.
   * @param chosenId whether somebody chose the id, so that it may have been used before
   * @throws ImageIdTakenError
   */
  async insert(image: NewImage, chosenId: boolean): Promise<Image> {
    const row = await this.insertRow(image);
    // Looked up behind the insert: a purge of that id may have been in the way of the insert until just now.
    if (chosenId && (await this.isPurged(image.id))) throw new ImageIdTakenError(image.id);
    return toImage(row);
  }

  /** Writes attributes of a locked image, and returns it as it is then. */
  async update(id: string, change: ImageChange): Promise<Image> {
    const values: unknown[] = [id];
    const assignments = (Object.entries(change) as [keyof ImageChange, unknown][]).map(([key, value]) => {
      values.push(key === 'properties' ? JSON.stringify(value) : value);
      return `${CHANGE_COLUMNS[key]} = $${values.length}`;
    });
    return this.write(assignments, values);
  }

  /** Marks a locked `queued` image as receiving the bytes of a file. */
  beginUpload(id: string, fileId: string): Promise<Image> {
    return this.write([`status = 'saving'`, 'upload_file_id = $2'], [id, fileId]);
  }

  /**
   * Makes an image `active` with a complete file, if it still waits for this very file; null if not. The reference to
   * the file is the caller's to count.
   */
  async finishUpload(id: string, file: CompleteFile, virtualSizeBytes: number | null): Promise<Image | null> {
    return this.activateWhere(
      id,
      file,
      virtualSizeBytes,
      `status = 'saving' AND upload_file_id = $2 AND deleted_at IS NULL`,
    );
  }

  /** Makes a locked image `active` with a complete file of a raw disk. The reference to it is the caller's to count. */
  async activate(id: string, file: CompleteFile): Promise<Image> {
    return (await this.activateWhere(id, file, file.sizeBytes, 'true'))!;
  }

  /** Takes an image back to `queued` if it still waits for this very file. */
  async requeue(id: string, fileId: string): Promise<Image | null> {
    const row = await this.database.one<Image>(
      `UPDATE images i SET status = 'queued', size_bytes = NULL, virtual_size_bytes = NULL, upload_file_id = NULL,
         version = version + 1, updated_at = now()
       WHERE id = $1 AND status IN ('saving', 'uploading') AND upload_file_id = $2 AND deleted_at IS NULL
       RETURNING ${IMAGE_COLUMNS}`,
      [id, fileId],
      'images-requeue',
    );
    return row && toImage(row);
  }

  /** Sets the status of a locked image. */
  setStatus(id: string, status: ImageStatus): Promise<Image> {
    return this.write(['status = $2'], [id, status]);
  }

  /** Notes where the bytes of a locked image are, and which file is read first. */
  setPlaces(id: string, storeIds: readonly string[], primaryFileId: string | null): Promise<Image> {
    return this.write(
      [
        'store_ids = $2',
        `primary_file_id = CASE WHEN EXISTS (
           SELECT 1 FROM image_copies c WHERE c.image_id = i.id AND c.stored_file_id = i.primary_file_id)
           THEN primary_file_id ELSE $3 END`,
      ],
      [id, storeIds, primaryFileId],
    );
  }

  /** Makes a locked image `active` whose bytes are at places that were noted before. */
  setPlaced(
    id: string,
    placed: {
      readonly stores: readonly string[];
      readonly sizeBytes: number | null;
      readonly digests: { readonly md5: string | null; readonly hashValue: string } | null;
    },
  ): Promise<Image> {
    return this.write(
      [
        `status = 'active'`,
        'store_ids = $2',
        'size_bytes = $3',
        'md5 = coalesce(md5, $4)',
        'hash_value = coalesce(hash_value, $5)',
        `hash_algorithm = CASE WHEN coalesce(hash_value, $5) IS NULL THEN NULL ELSE 'sha512' END`,
      ],
      [id, placed.stores, placed.sizeBytes, placed.digests?.md5 ?? null, placed.digests?.hashValue ?? null],
    );
  }

  /** Images that wait for bytes which nobody sends any more, longest waiting first. */
  findAbandonedUploads(limit: number): Promise<{ id: string; uploadFileId: string }[]> {
    return this.database.query(
      `SELECT i.id, i.upload_file_id AS "uploadFileId" FROM images i
       WHERE (i.status = 'saving' OR i.status = 'uploading' AND i.size_bytes IS NULL) AND i.deleted_at IS NULL AND NOT EXISTS (
         SELECT 1 FROM stored_files f WHERE f.id = i.upload_file_id
           AND (f.state = 'writing' AND f.lease_expires_at > now()
             -- Complete, and about to be taken over by the process that wrote it.
             OR f.state = 'stored' AND f.references_changed_at > now() - interval '1 minute'))
       ORDER BY i.updated_at LIMIT $1`,
      [limit],
    );
  }

  /**
   * Marks a locked image as deleted; the rest of it stays for a restore, the time of its last change too. What was arriving
   * is given up, so that it would come back `queued`.
   */
  async markDeleted(id: string): Promise<Image> {
    const row = await this.database.one<Image>(
      `UPDATE images i SET deleted_at = now(), upload_file_id = NULL, version = version + 1,
         status = CASE WHEN status IN ('saving', 'uploading', 'importing') THEN 'queued' ELSE status END,
         size_bytes = CASE WHEN status IN ('saving', 'uploading', 'importing') THEN NULL ELSE size_bytes END
       WHERE id = $1 RETURNING ${IMAGE_COLUMNS}`,
      [id],
    );
    return toImage(row!);
  }

  /** The stored files that an image refers to, each as often as it does. */
  async filesOf(id: string): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      'SELECT stored_file_id AS id FROM image_copies WHERE image_id = $1 ORDER BY stored_file_id',
      [id],
    );
    return rows.map((row) => row.id);
  }

  /** The artifacts of an image that no other image and no recipe refers to. */
  async ownArtifacts(id: string): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT a.artifact_id AS id FROM image_artifacts a
       WHERE a.image_id = $1
         AND NOT EXISTS (
           SELECT 1 FROM image_artifacts other WHERE other.artifact_id = a.artifact_id AND other.image_id <> $1)
         AND NOT EXISTS (SELECT 1 FROM recipes r WHERE r.artifact_id = a.artifact_id)
       ORDER BY a.artifact_id`,
      [id],
    );
    return rows.map((row) => row.id);
  }

  /** Removes a deleted image for good; its id stays taken. */
  async purge(image: Image): Promise<void> {
    await this.database.run(`INSERT INTO tombstones (id, noun, project_id) VALUES ($1, 'image', $2)`, [
      image.id,
      image.projectId,
    ]);
    await this.database.run('DELETE FROM images WHERE id = $1', [image.id]);
  }

  /** Deleted images whose time is up, oldest first. */
  async findExpired(retentionMs: number, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM images WHERE deleted_at IS NOT NULL AND deleted_at <= now() - $1 * interval '1 millisecond'
       ORDER BY deleted_at LIMIT $2`,
      [retentionMs, limit],
    );
    return rows.map((row) => row.id);
  }

  /** Of the deleted images of a project that keep files nobody pays for, the one that was deleted first. */
  findOldestUnpaid(projectId: string): Promise<{ id: string; deletedAt: Date } | null> {
    return this.database.one(
      `SELECT i.id, i.deleted_at AS "deletedAt" FROM images i
       WHERE i.project_id = $1 AND i.deleted_at IS NOT NULL AND EXISTS (
         SELECT 1 FROM stored_files f
         WHERE f.project_id = $1 AND f.charge_count = 0 AND f.id IN (
           SELECT c.stored_file_id FROM image_copies c WHERE c.image_id = i.id
           UNION ALL SELECT a.stored_file_id FROM image_artifacts ia JOIN artifacts a ON a.id = ia.artifact_id
             WHERE ia.image_id = i.id))
       ORDER BY i.deleted_at, i.id LIMIT 1`,
      [projectId],
    );
  }

  private async isPurged(id: string): Promise<boolean> {
    return (await this.database.one('SELECT 1 FROM tombstones WHERE id = $1', [id], 'images-tombstone')) !== null;
  }

  private async insertRow(image: NewImage): Promise<Image> {
    // Whoever chooses ids can take the AMI id that would be another image's; that one gets another.
    for (let amiId = amiIdOf(image.id); ; amiId = amiIdOf(newId())) {
      const row = await this.tryInsert(image, amiId);
      if (row) return row;
    }
  }

  /** Null: another image has that AMI id. */
  private async tryInsert(image: NewImage, amiId: string): Promise<Image | null> {
    try {
      return await this.database.one<Image>(
        `INSERT INTO images AS i (id, project_id, name, status, visibility, protected, hidden, tags, properties, disk_format,
           container_format, min_disk_gib, min_ram_mib, origin, recipe_id, job_id, parent_image_id, ami_id)
         VALUES ($1, $2, $3, 'queued', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (ami_id) DO NOTHING
         RETURNING ${IMAGE_COLUMNS}`,
        [
          image.id,
          image.projectId,
          image.name,
          image.visibility,
          image.protected,
          image.hidden,
          image.tags,
          JSON.stringify(image.properties),
          image.diskFormat,
          image.containerFormat,
          image.minDiskGib,
          image.minRamMib,
          image.origin,
          image.recipeId ?? null,
          image.jobId ?? null,
          image.parentImageId ?? null,
          amiId,
        ],
        'images-insert',
      );
    } catch (error) {
      if (isUniqueViolation(error, 'images_pkey')) throw new ImageIdTakenError(image.id);
      throw error;
    }
  }

  private async activateWhere(
    id: string,
    file: CompleteFile,
    virtualSizeBytes: number | null,
    condition: string,
  ): Promise<Image | null> {
    const row = await this.database.one<Image>(
      `WITH activated AS (
         UPDATE images i SET status = 'active', size_bytes = $3, md5 = $4, hash_algorithm = 'sha512', hash_value = $5,
           virtual_size_bytes = $7, store_ids = ARRAY[$6], primary_file_id = $2, upload_file_id = NULL, version = version + 1, updated_at = now()
         WHERE id = $1 AND ${condition}
         RETURNING i.*),
       copied AS (
         INSERT INTO image_copies (image_id, store_id, stored_file_id) SELECT id, $6, $2 FROM activated)
       SELECT ${IMAGE_COLUMNS} FROM activated i`,
      [id, file.id, file.sizeBytes, file.md5, file.sha512, file.storeId, virtualSizeBytes],
    );
    return row && toImage(row);
  }

  /** Writes columns of a locked image; every write makes a new version. */
  private async write(assignments: readonly string[], values: readonly unknown[]): Promise<Image> {
    const row = await this.database.one<Image>(
      `UPDATE images i SET ${[...assignments, 'version = version + 1', 'updated_at = now()'].join(', ')}
       WHERE id = $1 RETURNING ${IMAGE_COLUMNS}`,
      values,
    );
    return toImage(row!);
  }
}

/** The AMI id that an image of that id has, unless another one has it. */
function amiIdOf(imageId: string): string {
  return `ami-${imageId.replaceAll('-', '').slice(0, 17)}`;
}

/** A row as the image it is. */
export function toImage(row: Image): Image {
  return Object.assign(new Image(), row);
}

function toSighting({ memberStatus, ...row }: SightingRow): Sighting {
  return { image: toImage(row), memberStatus };
}
