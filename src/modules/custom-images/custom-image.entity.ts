import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CustomImageState } from './custom-image-state.js';

/** A label that a user gave. */
export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** A name of a project in a region which stands for a build, and then for the image that it made. */
@Entity('custom_images')
export class CustomImage {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text', { name: 'project_id' })
  projectId: string;

  @Column('text')
  region: string;

  /** What the user calls it; unique in the project and region. */
  @Column('text')
  name: string;

  @Column('text')
  state: CustomImageState;

  /** One sentence, where something failed. */
  @Column('text', { name: 'state_reason', nullable: true })
  stateReason: string | null;

  /** The name that the configuration gives to the image, without the date. */
  @Column('text', { name: 'image_name', nullable: true })
  imageName: string | null;

  @Column('jsonb', { name: 'image_tags' })
  imageTags: readonly Tag[];

  @Column('jsonb', { name: 'build_tags' })
  buildTags: readonly Tag[];

  /** Of the image, in GiB. */
  @Column('integer', { name: 'min_disk_gib' })
  minDiskGib: number;

  @Column('boolean', { name: 'rollback_on_failure' })
  rollbackOnFailure: boolean;

  /** Of the builder that made it. */
  @Column('text')
  version: string;

  @Column('text', { name: 'user_id', nullable: true })
  userId: string | null;

  @Column('uuid', { name: 'job_id' })
  jobId: string;

  /** What the build made; it may be deleted. Null while there is nothing, and once that is purged. */
  @Column('uuid', { name: 'image_id', nullable: true })
  imageId: string | null;

  /** Whether whoever deletes it insists on that, although others use or see the image. */
  @Column('boolean')
  forced: boolean;

  /** The configuration, as it was sent. */
  @Column('uuid', { name: 'config_artifact_id', nullable: true })
  configArtifactId: string | null;

  @Column({ type: 'timestamptz', name: 'created_at', precision: 3 })
  createdAt: Date;

  @Column({ type: 'timestamptz', name: 'updated_at', precision: 3 })
  updatedAt: Date;

  @Column({ type: 'timestamptz', name: 'deleted_at', precision: 3, nullable: true })
  deletedAt: Date | null;
}
