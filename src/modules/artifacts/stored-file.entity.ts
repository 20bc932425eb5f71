import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Quantity } from '../tenancy/index.js';

export type StoredFileState = 'writing' | 'stored' | 'deleting';

/** What the bytes of a file count as in its project's usage. */
export type FileQuantity = Extract<Quantity, 'storage_bytes' | 'staging_bytes'>;

/** Bytes in one store; they never change once `stored`. */
@Entity('stored_files')
export class StoredFile {
  @PrimaryColumn('uuid')
  id: string;

  /** Whose usage the bytes count against; null: nobody's. */
  @Column('text', { name: 'project_id', nullable: true })
  projectId: string | null;

  @Column('text', { name: 'store_id' })
  storeId: string;

  @Column('text', { name: 'object_key' })
  objectKey: string;

  @Column('text')
  state: StoredFileState;

  /** While writing: the announced length, null when none was. */
  @Column('bigint', { name: 'size_bytes', nullable: true })
  sizeBytes: number | null;

  /** Lower-case hexadecimal, like the other digests. */
  @Column('text', { nullable: true })
  md5: string | null;

  @Column('text', { nullable: true })
  sha512: string | null;

  @Column('text', { nullable: true })
  sha256: string | null;

  @Column('integer', { name: 'reference_count' })
  referenceCount: number;

  /** References of living things; those of soft-deleted ones keep the bytes but cost nothing. */
  @Column('integer', { name: 'charge_count' })
  chargeCount: number;

  @Column('text')
  quantity: FileQuantity;

  /** What the ledger holds for this file at this moment. */
  @Column('bigint', { name: 'charged_bytes' })
  chargedBytes: number;

  @Column('timestamptz', { name: 'lease_expires_at', nullable: true })
  leaseExpiresAt: Date | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'references_changed_at' })
  referencesChangedAt: Date;
}

/** A file whose bytes are complete. */
export type CompleteFile = StoredFile & {
  readonly state: 'stored';
  readonly sizeBytes: number;
  readonly md5: string;
  readonly sha512: string;
};
