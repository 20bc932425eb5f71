import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import type { ArtifactRole } from './manifest.js';
import { ImageLinkTakenError } from './registration.errors.js';

/** An artifact with its role in an image. */
export interface ImageArtifact {
  readonly artifactId: string;
  readonly role: ArtifactRole | 'manifest';
  readonly mediaType: string;
  /** As the manifest says. */
  readonly md5: string | null;
}

/** Statements on images that only registration needs. */
@Injectable()
export class ImageRegistrationRepository {
  constructor(private readonly database: Database) {}

  async linkIsTaken(projectId: string | null, path: string): Promise<boolean> {
    const rows = await this.database.query(
      'SELECT 1 FROM images WHERE project_id = $1 AND link_path = $2 AND deleted_at IS NULL',
      [projectId, path],
      'images-find-link',
    );
    return rows.length > 0;
  }

  /**
   * Sets the link of a locked image; to users this is no change of the image.
   * @throws ImageLinkTakenError
   */
  async setLink(imageId: string, path: string, etag: string): Promise<void> {
    try {
      await this.database.run(
        'UPDATE images SET link_path = $2, link_etag = $3 WHERE id = $1',
        [imageId, path, etag],
        'images-set-link',
      );
    } catch (error) {
      if (isUniqueViolation(error, 'images_link_unique')) throw new ImageLinkTakenError(path);
      throw error;
    }
  }

  async markRegistered(imageId: string): Promise<void> {
    await this.database.run(`UPDATE images SET origin = 'registered' WHERE id = $1`, [imageId]);
  }

  /** In the order given. Of two roles of one artifact the first one counts. */
  async addArtifacts(imageId: string, artifacts: readonly ImageArtifact[]): Promise<void> {
    await this.database.run(
      `INSERT INTO image_artifacts (image_id, artifact_id, role, media_type, md5, position)
       SELECT $1, artifact_id, role, media_type, md5, position - 1
       FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[])
         WITH ORDINALITY AS wanted (artifact_id, role, media_type, md5, position)
       ON CONFLICT (image_id, artifact_id) DO NOTHING`,
      [
        imageId,
        artifacts.map((artifact) => artifact.artifactId),
        artifacts.map((artifact) => artifact.role),
        artifacts.map((artifact) => artifact.mediaType),
        artifacts.map((artifact) => artifact.md5),
      ],
    );
  }

  /** Whether the file of an image is a root file system, as its manifest says. */
  async hasRootfs(imageId: string): Promise<boolean> {
    const rows = await this.database.query(
      `SELECT 1 FROM image_artifacts WHERE image_id = $1 AND role = 'rootfs'`,
      [imageId],
      'images-has-rootfs',
    );
    return rows.length > 0;
  }

  /** Live and deleted ones. */
  findByArtifact(artifactId: string): Promise<{ id: string; deletedAt: Date | null }[]> {
    return this.database.query(
      `SELECT i.id, i.deleted_at AS "deletedAt" FROM image_artifacts a JOIN images i ON i.id = a.image_id
       WHERE a.artifact_id = $1`,
      [artifactId],
      'images-find-by-artifact',
    );
  }

  /** The image that a job made, wherever it is in its life; null when it has made none, or that is gone for good. */
  async findBuilt(imageId: string, jobId: string): Promise<{ id: string } | null> {
    return this.database.one('SELECT id FROM images WHERE id = $1 AND job_id = $2', [imageId, jobId]);
  }
}
