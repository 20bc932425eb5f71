import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { MemberStatus } from '../images.types.js';

/** A project with which an image is shared. */
@Entity('image_members')
export class ImageMember {
  @PrimaryColumn('uuid', { name: 'image_id' })
  imageId: string;

  /** Id of the project; not checked for existence. */
  @PrimaryColumn('text')
  member: string;

  @Column('text')
  status: MemberStatus;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt: Date;

  /** A copy, so that a member's list finds its page without a join. */
  @Column('timestamptz', { name: 'image_created_at' })
  imageCreatedAt: Date;
}
