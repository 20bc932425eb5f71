import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/database.errors.js';
import type { Address } from './address.js';
import { formatAddress } from './address.js';
import type { Artifact, ArtifactWithFile } from './artifact.entity.js';
import { AddressTakenError } from './artifacts.errors.js';
import type { CompleteFile } from './stored-file.entity.js';
import { FILE_COLUMNS } from './stored-files.repository.js';

const COLUMNS = `id, project_id AS "projectId", bucket, key, moved_from_key AS "movedFromKey",
  stored_file_id AS "storedFileId", etag, content_type AS "contentType", metadata, created_at AS "createdAt"`;

/** A file, and beside it what its artifact has under other names. */
type FoundRow = CompleteFile &
  Omit<Artifact, 'id' | 'projectId' | 'storedFileId' | 'createdAt'> & {
    readonly artifactId: string;
    readonly addressedBy: string;
    readonly placedAt: Date;
  };

export type NewArtifact = Omit<Artifact, 'movedFromKey' | 'createdAt'>;

/** Every statement on `artifacts`. */
@Injectable()
export class ArtifactsRepository {
  constructor(private readonly database: Database) {}

  find(projectId: string, address: Address): Promise<Artifact | null> {
    return this.database.one(
      `SELECT ${COLUMNS} FROM artifacts WHERE project_id = $1 AND bucket = $2 AND key = $3`,
      [projectId, address.bucket, address.key],
      'artifacts-find',
    );
  }

  /** Asked one after the other, a file may be gone before it is found: its address was given to another one. */
  findWithFile(projectId: string, address: Address): Promise<ArtifactWithFile | null> {
    return this.findFoundWhere(
      'a.project_id = $1 AND a.bucket = $2 AND a.key = $3',
      [projectId, address.bucket, address.key],
      'artifacts-find-with-file',
    );
  }

  findByIdWithFile(id: string): Promise<ArtifactWithFile | null> {
    return this.findFoundWhere('a.id = $1', [id], 'artifacts-find-by-id-with-file');
  }

  findById(id: string): Promise<Artifact | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM artifacts WHERE id = $1`, [id], 'artifacts-find-by-id');
  }

  /**
   * For whoever is about to refer to it: nobody replaces or removes it before the open transaction ends. What a delete
   * moved is not found.
   */
  lockShared(projectId: string, address: Address): Promise<Artifact | null> {
    return this.database.one(
      `SELECT ${COLUMNS} FROM artifacts
       WHERE project_id = $1 AND bucket = $2 AND key = $3 AND moved_from_key IS NULL FOR SHARE`,
      [projectId, address.bucket, address.key],
      'artifacts-lock-shared',
    );
  }

  /** As `lockShared`, for many at once; in the order of their ids, so that two of these never wait for each other. */
  lockAllShared(projectId: string, addresses: readonly Address[]): Promise<Artifact[]> {
    return this.database.query(
      `SELECT ${COLUMNS} FROM artifacts
       WHERE project_id = $1 AND (bucket, key) IN (SELECT * FROM unnest($2::text[], $3::text[]))
         AND moved_from_key IS NULL
       ORDER BY id FOR SHARE`,
      [projectId, addresses.map((address) => address.bucket), addresses.map((address) => address.key)],
    );
  }

  lock(projectId: string, address: Address): Promise<Artifact | null> {
    return this.database.one(
      `SELECT ${COLUMNS} FROM artifacts WHERE project_id = $1 AND bucket = $2 AND key = $3 FOR UPDATE`,
      [projectId, address.bucket, address.key],
      'artifacts-lock',
    );
  }

  lockById(id: string): Promise<Artifact | null> {
    return this.database.one(`SELECT ${COLUMNS} FROM artifacts WHERE id = $1 FOR UPDATE`, [id], 'artifacts-lock-by-id');
  }

  /** Null when the address is taken. */
  insert(artifact: NewArtifact): Promise<Artifact | null> {
    return this.database.one(
      `INSERT INTO artifacts (id, project_id, bucket, key, stored_file_id, etag, content_type, metadata)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (project_id, bucket, key) DO NOTHING
       RETURNING ${COLUMNS}`,
      [
        artifact.id,
        artifact.projectId,
        artifact.bucket,
        artifact.key,
        artifact.storedFileId,
        artifact.etag,
        artifact.contentType,
        JSON.stringify(artifact.metadata),
      ],
      'artifacts-insert',
    );
  }

  async replace(id: string, content: Omit<NewArtifact, 'id' | 'projectId' | 'bucket' | 'key'>): Promise<Artifact> {
    const replaced = await this.database.one<Artifact>(
      `UPDATE artifacts SET stored_file_id = $2, etag = $3, content_type = $4, metadata = $5, created_at = now(),
         moved_from_key = NULL
       WHERE id = $1 RETURNING ${COLUMNS}`,
      [id, content.storedFileId, content.etag, content.contentType, JSON.stringify(content.metadata)],
      'artifacts-replace',
    );
    return replaced!;
  }

  /** @throws AddressTakenError something came to the new address at this very moment */
  async move(artifact: Artifact, key: string, movedFromKey: string | null): Promise<Artifact> {
    try {
      const moved = await this.database.one<Artifact>(
        `UPDATE artifacts SET key = $2, moved_from_key = $3 WHERE id = $1 RETURNING ${COLUMNS}`,
        [artifact.id, key, movedFromKey],
        'artifacts-move',
      );
      return moved!;
    } catch (error) {
      if (isUniqueViolation(error)) throw new AddressTakenError(formatAddress({ bucket: artifact.bucket, key }));
      throw error;
    }
  }

  /** @throws AddressTakenError the other project has something at the address */
  async moveToProject(artifact: Artifact, projectId: string): Promise<void> {
    try {
      await this.database.run('UPDATE artifacts SET project_id = $2 WHERE id = $1', [artifact.id, projectId]);
    } catch (error) {
      if (isUniqueViolation(error)) throw new AddressTakenError(formatAddress(artifact));
      throw error;
    }
  }

  /** Changes where the bytes of an address are, not what they are. */
  async setFile(id: string, fileId: string): Promise<void> {
    await this.database.run('UPDATE artifacts SET stored_file_id = $2 WHERE id = $1', [id, fileId]);
  }

  async delete(id: string): Promise<void> {
    await this.database.run('DELETE FROM artifacts WHERE id = $1', [id], 'artifacts-delete');
  }

  private async findFoundWhere(
    condition: string,
    values: readonly unknown[],
    name: string,
  ): Promise<ArtifactWithFile | null> {
    const row = await this.database.one<FoundRow>(
      `SELECT ${FILE_COLUMNS}, a.id AS "artifactId", a.project_id AS "addressedBy", a.bucket, a.key,
         a.moved_from_key AS "movedFromKey", a.etag, a.content_type AS "contentType", a.metadata,
         a.created_at AS "placedAt"
       FROM artifacts a JOIN stored_files f ON f.id = a.stored_file_id WHERE ${condition}`,
      values,
      name,
    );
    if (!row) return null;
    const { artifactId, addressedBy, placedAt, bucket, key, movedFromKey, etag, contentType, metadata, ...file } = row;
    const described = { bucket, key, movedFromKey, etag, contentType, metadata };
    const own = { id: artifactId, projectId: addressedBy, storedFileId: file.id, createdAt: placedAt };
    return { artifact: { ...own, ...described }, file };
  }
}
