import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CompleteFile } from './stored-file.entity.js';

/** An address `s3://bucket/key` of a project, and the stored file it names. */
@Entity('artifacts')
export class Artifact {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text', { name: 'project_id' })
  projectId: string;

  @Column('text')
  bucket: string;

  @Column('text')
  key: string;

  /** The key before a delete moved the address below `deleted/`; null for one that was not moved. */
  @Column('text', { name: 'moved_from_key', nullable: true })
  movedFromKey: string | null;

  @Column('uuid', { name: 'stored_file_id' })
  storedFileId: string;

  /** The md5 of the bytes, without quotes. */
  @Column('text')
  etag: string;

  @Column('text', { name: 'content_type', nullable: true })
  contentType: string | null;

  /** What the writer said of the bytes, as S3's user metadata. */
  @Column('jsonb')
  metadata: Record<string, string>;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;
}

/** An address and the bytes behind it, as one instant has them. */
export interface ArtifactWithFile {
  readonly artifact: Artifact;
  readonly file: CompleteFile;
}
