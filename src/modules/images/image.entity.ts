import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ImageStatus } from './image-status.js';
import type { ImageOrigin, ImageProperties, Visibility } from './images.types.js';

/** One record with one primary file, metadata, and a life. */
@Entity('images')
export class Image {
  @PrimaryColumn('uuid')
  id: string;

  /** The name of the image where images are called AMIs; unique, and mostly the beginning of the id. */
  @Column({ type: 'text', name: 'ami_id', insert: false, update: false })
  amiId: string;

  /** The owner: a project, or for an administrator's foreign owners any text or nothing. */
  @Column('text', { name: 'project_id', nullable: true })
  projectId: string | null;

  @Column('text', { nullable: true })
  name: string | null;

  @Column('text')
  status: ImageStatus;

  @Column('text')
  visibility: Visibility;

  @Column('boolean')
  protected: boolean;

  @Column('boolean')
  hidden: boolean;

  @Column('text', { array: true })
  tags: readonly string[];

  @Column('jsonb')
  properties: ImageProperties;

  /** Mirrors the property of that name; null until somebody says it. */
  @Column({ type: 'text', nullable: true, insert: false, update: false })
  architecture: string | null;

  @Column('text', { name: 'disk_format', nullable: true })
  diskFormat: string | null;

  @Column('text', { name: 'container_format', nullable: true })
  containerFormat: string | null;

  @Column('integer', { name: 'min_disk_gib' })
  minDiskGib: number;

  @Column('integer', { name: 'min_ram_mib' })
  minRamMib: number;

  @Column('bigint', { name: 'size_bytes', nullable: true })
  sizeBytes: number | null;

  @Column('bigint', { name: 'virtual_size_bytes', nullable: true })
  virtualSizeBytes: number | null;

  @Column('text', { nullable: true })
  md5: string | null;

  @Column('text', { name: 'hash_algorithm', nullable: true })
  hashAlgorithm: string | null;

  @Column('text', { name: 'hash_value', nullable: true })
  hashValue: string | null;

  /** Stores that hold a complete copy. */
  @Column('text', { name: 'store_ids', array: true })
  storeIds: readonly string[];

  /** The stored file that is read; null until the data is complete. */
  @Column('uuid', { name: 'primary_file_id', nullable: true })
  primaryFileId: string | null;

  /** The stored file that is being written. */
  @Column('uuid', { name: 'upload_file_id', nullable: true })
  uploadFileId: string | null;

  /** Address of the manifest, for images that were registered with one. */
  @Column('text', { name: 'link_path', nullable: true })
  linkPath: string | null;

  @Column('text', { name: 'link_etag', nullable: true })
  linkEtag: string | null;

  @Column('text')
  origin: ImageOrigin;

  @Column('uuid', { name: 'recipe_id', nullable: true })
  recipeId: string | null;

  @Column('uuid', { name: 'job_id', nullable: true })
  jobId: string | null;

  @Column('uuid', { name: 'parent_image_id', nullable: true })
  parentImageId: string | null;

  /** Grows with every change. */
  @Column('integer')
  version: number;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt: Date;

  @Column('timestamptz', { name: 'deleted_at', nullable: true })
  deletedAt: Date | null;
}
