import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database.errors.js';
import { Bindings, keysetAfter, keysetOrder } from '../../platform/database/keyset.js';
import type { CustomImage } from './custom-image.entity.js';
import type { CustomImageState } from './custom-image-state.js';
import { CustomImageExistsError } from './custom-images.errors.js';
import type { CustomImageFilter, ListedCustomImage, NameLength } from './custom-images.types.js';
import type { PagePlace } from './page-tokens.js';

const COLUMNS = `c.id, c.project_id AS "projectId", c.region, c.name, c.state, c.state_reason AS "stateReason",
  c.image_name AS "imageName", c.image_tags AS "imageTags", c.build_tags AS "buildTags", c.min_disk_gib AS "minDiskGib",
  c.rollback_on_failure AS "rollbackOnFailure", c.version, c.user_id AS "userId", c.job_id AS "jobId",
  c.image_id AS "imageId", c.forced, c.config_artifact_id AS "configArtifactId", c.created_at AS "createdAt",
  c.updated_at AS "updatedAt", c.deleted_at AS "deletedAt"`;

/** The image is there, and still the project's. */
const HAS_IMAGE = `EXISTS (SELECT 1 FROM images i
  WHERE i.id = c.image_id AND i.deleted_at IS NULL AND i.project_id = c.project_id)`;

/** A name that stands for something. Whose image is gone through another face stands for nothing. */
const STANDS = `c.deleted_at IS NULL AND (c.state <> 'complete' OR ${HAS_IMAGE})`;

const STATES_OF: Readonly<Record<CustomImageFilter, readonly CustomImageState[]>> = {
  available: ['complete'],
  pending: ['building'],
  failed: ['failed', 'rolling_back', 'rolled_back', 'rollback_failed', 'delete_failed'],
};
const ROLLED_BACK: ReadonlySet<CustomImageState> = new Set(['rolling_back', 'rolled_back', 'rollback_failed']);

/** Newest first. */
const ORDER = [
  { sql: 'c.created_at', direction: 'desc' },
  { sql: 'c.name', direction: 'asc' },
] as const;

/** Which custom images a list is of. */
export interface ListedPart {
  readonly projectId: string;
  readonly region: string;
  readonly filter: CustomImageFilter;
  readonly withoutRolledBack: boolean;
  /** Null: of any. */
  readonly nameLength: NameLength | null;
}

export type NewCustomImage = Omit<
  CustomImage,
  'state' | 'stateReason' | 'imageId' | 'forced' | 'createdAt' | 'updatedAt' | 'deletedAt'
>;

/** Every statement on `custom_images`. */
@Injectable()
export class CustomImagesRepository {
  constructor(private readonly database: Database) {}

  /** What a name stands for; null: nothing. */
  find(projectId: string, region: string, name: string): Promise<CustomImage | null> {
    return this.database.one<CustomImage>(
      `SELECT ${COLUMNS} FROM custom_images c WHERE c.project_id = $1 AND c.region = $2 AND c.name = $3 AND ${STANDS}`,
      [projectId, region, name],
      'custom-images-find',
    );
  }

  /** As `find`; nobody else changes it until the transaction ends. */
  async findForUpdate(projectId: string, region: string, name: string): Promise<CustomImage | null> {
    const named = await this.lockNamed(projectId, region, name);
    return named && (await this.stands(named.id)) ? named : null;
  }

  /** What has a name without standing for anything; locked until the transaction ends. */
  async lockHollow(projectId: string, region: string, name: string): Promise<CustomImage | null> {
    const named = await this.lockNamed(projectId, region, name);
    return named && !(await this.stands(named.id)) ? named : null;
  }

  /** By its own id; locked until the transaction ends. */
  lock(id: string): Promise<CustomImage | null> {
    return this.database.one<CustomImage>(
      `SELECT ${COLUMNS} FROM custom_images c WHERE c.id = $1 AND c.deleted_at IS NULL FOR UPDATE`,
      [id],
    );
  }

  /** That of a job; locked until the transaction ends. */
  lockOfJob(jobId: string): Promise<CustomImage | null> {
    return this.database.one<CustomImage>(
      `SELECT ${COLUMNS} FROM custom_images c WHERE c.job_id = $1 AND c.deleted_at IS NULL FOR UPDATE`,
      [jobId],
    );
  }

  /** At most `limit` behind a place, newest first. */
  list(part: ListedPart, limit: number, after: PagePlace | null): Promise<ListedCustomImage[]> {
    const bindings = new Bindings();
    const states = STATES_OF[part.filter].filter((state) => !(part.withoutRolledBack && ROLLED_BACK.has(state)));
    const conditions = [
      `c.project_id = ${bindings.add(part.projectId)}`,
      `c.region = ${bindings.add(part.region)}`,
      'c.deleted_at IS NULL',
      // Literally, so that the index on them is found.
      `c.state IN (${states.map((state) => `'${state}'`).join(', ')})`,
    ];
    if (part.nameLength) {
      const { minimum, maximum } = part.nameLength;
      conditions.push(`length(c.name) BETWEEN ${bindings.add(minimum)} AND ${bindings.add(maximum)}`);
    }
    if (after) conditions.push(keysetAfter(ORDER, [bindings.add(after.createdAt), bindings.add(after.name)]));
    const image =
      part.filter === 'available'
        ? 'JOIN images i ON i.id = c.image_id AND i.deleted_at IS NULL AND i.project_id = c.project_id'
        : 'CROSS JOIN LATERAL (SELECT NULL::text AS ami_id) i';
    return this.listed(
      `SELECT ${COLUMNS}, i.ami_id AS "amiId" FROM custom_images c ${image}
       WHERE ${conditions.join(' AND ')} ORDER BY ${keysetOrder(ORDER)} LIMIT ${bindings.add(limit)}`,
      bindings.values,
    );
  }

  /** Adds one, `building`. @throws CustomImageExistsError */
  async insert(image: NewCustomImage): Promise<CustomImage> {
    try {
      const row = await this.database.one<CustomImage>(
        `INSERT INTO custom_images AS c (id, project_id, region, name, state, image_name, image_tags, build_tags,
           min_disk_gib, rollback_on_failure, version, user_id, job_id, config_artifact_id)
         VALUES ($1, $2, $3, $4, 'building', $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING ${COLUMNS}`,
        [
          image.id,
          image.projectId,
          image.region,
          image.name,
          image.imageName,
          JSON.stringify(image.imageTags),
          JSON.stringify(image.buildTags),
          image.minDiskGib,
          image.rollbackOnFailure,
          image.version,
          image.userId,
          image.jobId,
          image.configArtifactId,
        ],
      );
      return row!;
    } catch (error) {
      if (isUniqueViolation(error, 'custom_images_name_unique')) throw new CustomImageExistsError(image.name);
      throw error;
    }
  }

  /** Notes what the build of a locked one has made. */
  async complete(id: string, imageId: string): Promise<void> {
    await this.database.run(
      `UPDATE custom_images SET state = 'complete', image_id = $2, updated_at = now() WHERE id = $1`,
      [id, imageId],
    );
  }

  /** Writes the state of a locked one. */
  async setState(id: string, state: CustomImageState, reason: string | null): Promise<CustomImage> {
    const row = await this.database.one<CustomImage>(
      `UPDATE custom_images c SET state = $2, state_reason = $3, updated_at = now() WHERE c.id = $1 RETURNING ${COLUMNS}`,
      [id, state, reason],
    );
    return row!;
  }

  /** Notes that a locked one is to be deleted. @param forced whoever uses its image by then */
  async setDeleting(id: string, forced: boolean): Promise<CustomImage> {
    const row = await this.database.one<CustomImage>(
      `UPDATE custom_images c SET state = 'deleting', state_reason = NULL, forced = $2, updated_at = now()
       WHERE c.id = $1 RETURNING ${COLUMNS}`,
      [id, forced],
    );
    return row!;
  }

  /** Deletes a locked one; its row is kept until its retention ends. */
  async markDeleted(id: string): Promise<void> {
    await this.database.run(
      'UPDATE custom_images SET deleted_at = now(), updated_at = now(), config_artifact_id = NULL WHERE id = $1',
      [id],
    );
  }

  /** Those that have been on their way out for so long, or whose image was purged; longest first. */
  async findLeaving(forMs: number, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM custom_images
       WHERE deleted_at IS NULL AND (state IN ('deleting', 'rolling_back') OR state = 'complete' AND image_id IS NULL)
         AND updated_at <= now() - $1::double precision * interval '1 millisecond'
       ORDER BY updated_at LIMIT $2`,
      [forMs, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** Those whose configuration it is. */
  findByConfig(artifactId: string): Promise<Pick<CustomImage, 'jobId' | 'deletedAt'>[]> {
    return this.database.query(
      `SELECT c.job_id AS "jobId", c.deleted_at AS "deletedAt" FROM custom_images c WHERE c.config_artifact_id = $1`,
      [artifactId],
    );
  }

  /** Removes the rows of some that were deleted longer ago than this. Returns how many. */
  purge(retentionMs: number, limit: number): Promise<number> {
    return this.database.run(
      `DELETE FROM custom_images WHERE id IN (
         SELECT id FROM custom_images
         WHERE deleted_at IS NOT NULL AND deleted_at < now() - $1::double precision * interval '1 millisecond'
         ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [retentionMs, limit],
    );
  }

  private lockNamed(projectId: string, region: string, name: string): Promise<CustomImage | null> {
    return this.database.one<CustomImage>(
      `SELECT ${COLUMNS} FROM custom_images c
       WHERE c.project_id = $1 AND c.region = $2 AND c.name = $3 AND c.deleted_at IS NULL FOR UPDATE`,
      [projectId, region, name],
    );
  }

  /** Asked once the row is locked: a statement that had to wait for that still sees the images of before. */
  private async stands(id: string): Promise<boolean> {
    return (await this.database.one(`SELECT 1 FROM custom_images c WHERE c.id = $1 AND ${STANDS}`, [id])) !== null;
  }

  private async listed(statement: string, values: readonly unknown[]): Promise<ListedCustomImage[]> {
    const rows = await this.database.query<CustomImage & { amiId: string | null }>(statement, values);
    return rows.map(({ amiId, ...record }) => ({ record, amiId }));
  }
}
