import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import type { Image } from '../image.entity.js';
import { MemberExistsError } from '../images.errors.js';
import { IMAGE_MEMBERS_MAX } from '../image-properties.js';
import type { MemberStatus } from '../images.types.js';
import type { ImageMember } from './image-member.entity.js';

const COLUMNS = `image_id AS "imageId", member, status, created_at AS "createdAt", updated_at AS "updatedAt",
  image_created_at AS "imageCreatedAt"`;

/** Every statement on `image_members` but the lists of images. */
@Injectable()
export class ImageMembersRepository {
  constructor(private readonly database: Database) {}

  /** The members of an image by id, or the one of them that is asked for. */
  list(imageId: string, member?: string): Promise<ImageMember[]> {
    return this.database.query<ImageMember>(
      `SELECT ${COLUMNS} FROM image_members WHERE image_id = $1 AND ($2::text IS NULL OR member = $2)
       ORDER BY created_at, member LIMIT ${IMAGE_MEMBERS_MAX}`,
      [imageId, member ?? null],
    );
  }

  find(imageId: string, member: string): Promise<ImageMember | null> {
    return this.database.one<ImageMember>(`SELECT ${COLUMNS} FROM image_members WHERE image_id = $1 AND member = $2`, [
      imageId,
      member,
    ]);
  }

  async count(imageId: string): Promise<number> {
    const row = await this.database.one<{ count: number }>(
      'SELECT count(*) AS count FROM image_members WHERE image_id = $1',
      [imageId],
    );
    return row!.count;
  }

  /** @throws MemberExistsError */
  async insert(image: Image, member: string): Promise<ImageMember> {
    try {
      const row = await this.database.one<ImageMember>(
        `INSERT INTO image_members (image_id, member, image_created_at) VALUES ($1, $2, $3) RETURNING ${COLUMNS}`,
        [image.id, member, image.createdAt],
      );
      return row!;
    } catch (error) {
      if (isUniqueViolation(error)) throw new MemberExistsError(image.id, member);
      throw error;
    }
  }

  setStatus(imageId: string, member: string, status: MemberStatus): Promise<ImageMember | null> {
    return this.database.one<ImageMember>(
      `UPDATE image_members SET status = $3, updated_at = now() WHERE image_id = $1 AND member = $2 RETURNING ${COLUMNS}`,
      [imageId, member, status],
    );
  }

  /** Whether there was such a member. */
  async delete(imageId: string, member: string): Promise<boolean> {
    return (
      (await this.database.run('DELETE FROM image_members WHERE image_id = $1 AND member = $2', [imageId, member])) > 0
    );
  }
}
