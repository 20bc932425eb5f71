import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import type { CompleteFile, FileQuantity, StoredFile } from './stored-file.entity.js';

/** Of `stored_files f`. */
export const FILE_COLUMNS = `f.id, f.project_id AS "projectId", f.store_id AS "storeId", f.object_key AS "objectKey", f.state,
  f.size_bytes AS "sizeBytes", f.md5, f.sha512, f.sha256, f.reference_count AS "referenceCount",
  f.charge_count AS "chargeCount", f.quantity, f.charged_bytes AS "chargedBytes", f.lease_expires_at AS "leaseExpiresAt",
  f.created_at AS "createdAt", f.references_changed_at AS "referencesChangedAt"`;

/** What a crashed writer is given before its file counts as abandoned. */
const LEASE = `interval '20 seconds'`;

/** As an index has it. */
const UNPAID = 'charge_count = 0 AND reference_count > 0';

/** A file that is on its way out, and what its project is still charged for it. */
export type DoomedFile = Pick<StoredFile, 'id' | 'projectId' | 'storeId' | 'objectKey' | 'quantity' | 'chargedBytes'>;

export interface WrittenFile {
  readonly sizeBytes: number;
  readonly md5: string;
  readonly sha512: string;
  readonly sha256: string | null;
}

/** Every statement on `stored_files`. */
@Injectable()
export class StoredFilesRepository {
  constructor(private readonly database: Database) {}

  async insertWriting(file: {
    id: string;
    projectId: string | null;
    storeId: string;
    objectKey: string;
    announcedBytes: number | null;
    quantity: FileQuantity;
    chargedBytes: number;
  }): Promise<void> {
    await this.database.run(
      `INSERT INTO stored_files (id, project_id, store_id, object_key, state, size_bytes, quantity, charged_bytes,
         lease_expires_at)
       VALUES ($1, $2, $3, $4, 'writing', $5, $6, $7, now() + ${LEASE})`,
      [file.id, file.projectId, file.storeId, file.objectKey, file.announcedBytes, file.quantity, file.chargedBytes],
      'files-insert',
    );
  }

  /** Puts off the end of the leases; returns the ids whose lease is still held. */
  async renewLeases(ids: readonly string[]): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `UPDATE stored_files SET lease_expires_at = now() + ${LEASE} WHERE id = ANY ($1) AND state = 'writing' RETURNING id`,
      [ids],
    );
    return rows.map((row) => row.id);
  }

  /** Whether the file was still being written. */
  async addReservation(id: string, bytes: number): Promise<boolean> {
    const changed = await this.database.run(
      `UPDATE stored_files SET charged_bytes = charged_bytes + $2::bigint WHERE id = $1 AND state = 'writing'`,
      [id, bytes],
      'files-reserve',
    );
    return changed > 0;
  }

  /**
   * A project's storage, or what it has staged, as one instant has it: what is used, the limit (null: none), and whether another file holds room
   * of which a part may become free, since its length is unknown. Asked one after the other, an upload that ends between
   * the questions would have neither left room nor hold any.
   */
  async storageOf(
    projectId: string,
    quantity: FileQuantity,
    exceptId: string,
  ): Promise<{ used: number; maximum: number | null; surplus: boolean }> {
    const row = await this.database.one<{ used: number; maximum: number | null; surplus: boolean }>(
      `SELECT u.used, u.maximum, EXISTS (
         SELECT 1 FROM stored_files f
         WHERE f.state = 'writing' AND f.project_id = $1 AND f.id <> $2 AND f.quantity = $3 AND f.size_bytes IS NULL
           AND f.charged_bytes > 0) AS surplus
       FROM project_usage u WHERE u.project_id = $1 AND u.quantity = $3`,
      [projectId, exceptId, quantity],
      'files-storage',
    );
    return row ?? { used: 0, maximum: null, surplus: false };
  }

  /** `reservedBytes` is what was charged before; null when the lease was lost. */
  settle(id: string, written: WrittenFile): Promise<(CompleteFile & { reservedBytes: number }) | null> {
    return this.database.one(
      `UPDATE stored_files f SET state = 'stored', size_bytes = $2, md5 = $3, sha512 = $4, sha256 = $5,
         lease_expires_at = NULL, references_changed_at = now(),
         charged_bytes = CASE WHEN f.project_id IS NULL THEN 0 ELSE $2::bigint END
       FROM (SELECT id, charged_bytes FROM stored_files WHERE id = $1 AND state = 'writing' FOR UPDATE) before
       WHERE f.id = before.id
       RETURNING ${FILE_COLUMNS}, before.charged_bytes AS "reservedBytes"`,
      [id, written.sizeBytes, written.md5, written.sha512, written.sha256],
      'files-settle',
    );
  }

  findStored(id: string): Promise<CompleteFile | null> {
    return this.database.one(
      `SELECT ${FILE_COLUMNS} FROM stored_files f WHERE f.id = $1 AND f.state = 'stored'`,
      [id],
      'files-find',
    );
  }

  lockStored(id: string): Promise<CompleteFile | null> {
    return this.database.one(
      `SELECT ${FILE_COLUMNS} FROM stored_files f WHERE f.id = $1 AND f.state = 'stored' FOR UPDATE`,
      [id],
      'files-lock',
    );
  }

  async update(
    id: string,
    counts: Pick<StoredFile, 'projectId' | 'referenceCount' | 'chargeCount' | 'quantity' | 'chargedBytes'>,
  ): Promise<void> {
    await this.database.run(
      `UPDATE stored_files SET project_id = $2, reference_count = $3, charge_count = $4, charged_bytes = $5,
         quantity = $6, references_changed_at = now()
       WHERE id = $1`,
      [id, counts.projectId, counts.referenceCount, counts.chargeCount, counts.chargedBytes, counts.quantity],
      'files-update',
    );
  }

  /** Dooms a file that nothing refers to; null if something does, or it is doomed already. Its charge is the caller's to release. */
  async doom(id: string): Promise<DoomedFile | null> {
    return (await this.doomWhere(`id = $1 AND state <> 'deleting' AND reference_count = 0`, 1, [id]))[0] ?? null;
  }

  /** Dooms some of the files whose writers are gone. */
  doomAbandoned(limit: number): Promise<DoomedFile[]> {
    return this.doomWhere(`state = 'writing' AND lease_expires_at < now()`, limit);
  }

  /** Dooms some of the complete files that nothing has referred to for an hour. */
  doomUnreferenced(limit: number): Promise<DoomedFile[]> {
    return this.doomWhere(
      `state = 'stored' AND reference_count = 0 AND references_changed_at < now() - interval '1 hour'`,
      limit,
    );
  }

  /** Bytes of a project that are kept for deleted things only, so that nobody pays for them. */
  async unpaidBytes(projectId: string): Promise<number> {
    const row = await this.database.one<{ bytes: number }>(
      `SELECT coalesce(sum(size_bytes), 0)::bigint AS bytes FROM stored_files WHERE project_id = $1 AND ${UNPAID}`,
      [projectId],
      'files-unpaid',
    );
    return row!.bytes;
  }

  /** Projects that have such bytes, and a limit on their storage. */
  async projectsWithUnpaid(): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT u.project_id AS id FROM project_usage u
       WHERE u.quantity = 'storage_bytes' AND u.maximum IS NOT NULL
         AND EXISTS (SELECT 1 FROM stored_files WHERE project_id = u.project_id AND ${UNPAID})`,
    );
    return rows.map(({ id }) => id);
  }

  /** How long ago the oldest write that may still be under way in a store began, in milliseconds; 0 when there is none. */
  async oldestWriteAgeMs(storeId: string): Promise<number> {
    const row = await this.database.one<{ ageMs: number }>(
      `SELECT extract(epoch FROM now() - coalesce(min(created_at), now()))::float8 * 1000 AS "ageMs"
       FROM stored_files WHERE state = 'writing' AND store_id = $1`,
      [storeId],
    );
    return row!.ageMs;
  }

  /** Some doomed files that nobody has tried to remove lately, oldest first; the next call finds others. */
  claimDoomed(limit: number): Promise<DoomedFile[]> {
    return this.database.query(
      `UPDATE stored_files f SET references_changed_at = now()
       WHERE f.id IN (
         SELECT id FROM stored_files WHERE state = 'deleting' AND references_changed_at < now() - interval '30 seconds'
         ORDER BY references_changed_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING ${FILE_COLUMNS}`,
      [limit],
    );
  }

  async deleteDoomed(id: string): Promise<void> {
    await this.database.run(`DELETE FROM stored_files WHERE id = $1 AND state = 'deleting'`, [id], 'files-delete');
  }

  private doomWhere(condition: string, limit: number, values: unknown[] = []): Promise<DoomedFile[]> {
    return this.database.query(
      `UPDATE stored_files f SET state = 'deleting', charged_bytes = 0, charge_count = 0, lease_expires_at = NULL,
         references_changed_at = now()
       FROM (SELECT id, charged_bytes FROM stored_files WHERE ${condition} LIMIT ${limit}
             FOR UPDATE ${values.length > 0 ? '' : 'SKIP LOCKED'}) before
       WHERE f.id = before.id
       RETURNING f.id, f.project_id AS "projectId", f.store_id AS "storeId", f.object_key AS "objectKey", f.quantity,
         before.charged_bytes AS "chargedBytes"`,
      values,
    );
  }
}
