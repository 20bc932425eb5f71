import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import type { Role } from '../../tenancy/index.js';
import { AccessKeyTakenError } from '../identity.errors.js';

/** An access key as it is stored: the secret sealed. */
export interface StoredAccessKey {
  readonly access: string;
  /** SHA-256 of `access` in hexadecimal. */
  readonly id: string;
  readonly userId: string;
  readonly projectId: string;
  readonly sealedSecret: Buffer;
}

/** A stored key with what its user may do in its project now. */
export interface AccessKeyInForce extends StoredAccessKey {
  readonly userName: string;
  readonly projectName: string;
  readonly roles: Role[];
}

const COLUMNS = `k.access, k.id, k.user_id AS "userId", k.project_id AS "projectId", k.sealed_secret AS "sealedSecret"`;

@Injectable()
export class AccessKeysRepository {
  constructor(private readonly database: Database) {}

  /** @throws AccessKeyTakenError */
  async insert(key: StoredAccessKey): Promise<void> {
    try {
      await this.database.run(
        'INSERT INTO access_keys (access, id, user_id, project_id, sealed_secret) VALUES ($1, $2, $3, $4, $5)',
        [key.access, key.id, key.userId, key.projectId, key.sealedSecret],
      );
    } catch (error) {
      if (isUniqueViolation(error)) throw new AccessKeyTakenError(key.access);
      throw error;
    }
  }

  async update(access: string, projectId: string, sealedSecret: Buffer): Promise<void> {
    await this.database.run('UPDATE access_keys SET project_id = $2, sealed_secret = $3 WHERE access = $1', [
      access,
      projectId,
      sealedSecret,
    ]);
  }

  find(access: string): Promise<StoredAccessKey | null> {
    return this.database.one<StoredAccessKey>(`SELECT ${COLUMNS} FROM access_keys k WHERE access = $1`, [access]);
  }

  findById(id: string): Promise<StoredAccessKey | null> {
    return this.database.one<StoredAccessKey>(`SELECT ${COLUMNS} FROM access_keys k WHERE id = $1`, [id]);
  }

  /** Of one user, or of everybody (null), by user and access key; at most `limit`. */
  list(userId: string | null, limit: number): Promise<StoredAccessKey[]> {
    return this.database.query<StoredAccessKey>(
      `SELECT ${COLUMNS} FROM access_keys k WHERE $1::text IS NULL OR user_id = $1 ORDER BY user_id, access LIMIT $2`,
      [userId, limit],
    );
  }

  async remove(access: string): Promise<boolean> {
    return (await this.database.run('DELETE FROM access_keys WHERE access = $1', [access])) > 0;
  }

  /** Null when there is no such key, or its user or project is disabled. */
  inForce(access: string): Promise<AccessKeyInForce | null> {
    return this.database.one<AccessKeyInForce>(
      `SELECT ${COLUMNS}, u.name AS "userName", p.name AS "projectName",
         ARRAY(SELECT a.role FROM role_assignments a WHERE a.user_id = k.user_id AND a.project_id = k.project_id) AS roles
       FROM access_keys k JOIN users u ON u.id = k.user_id JOIN projects p ON p.id = k.project_id
       WHERE k.access = $1 AND u.enabled AND p.enabled`,
      [access],
      'access-keys-in-force',
    );
  }
}
