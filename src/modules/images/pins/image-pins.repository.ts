import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';

/** Every statement on `image_pins`. */
@Injectable()
export class ImagePinsRepository {
  constructor(private readonly database: Database) {}

  /**
   * Locks the image against a delete until the transaction ends, and waits for one that is under way. False when there is
   * no active image (any more).
   */
  async insert(imageId: string, projectId: string, holder: string): Promise<boolean> {
    const locked = await this.database.one(
      `SELECT 1 FROM images WHERE id = $1 AND deleted_at IS NULL AND status = 'active' FOR SHARE`,
      [imageId],
    );
    if (!locked) return false;
    await this.database.run(
      'INSERT INTO image_pins (image_id, holder, project_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      [imageId, holder, projectId],
    );
    return true;
  }

  async remove(imageId: string, holder: string): Promise<void> {
    await this.database.run('DELETE FROM image_pins WHERE image_id = $1 AND holder = $2', [imageId, holder]);
  }

  async isPinned(imageId: string): Promise<boolean> {
    const row = await this.database.one(
      `SELECT 1 FROM image_pins p JOIN images i ON i.id = p.image_id
       WHERE p.image_id = $1 AND p.project_id = i.project_id LIMIT 1`,
      [imageId],
      'image-pins-is-pinned',
    );
    return row !== null;
  }
}
