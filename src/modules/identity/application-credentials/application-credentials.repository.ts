import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { isUniqueViolation } from '../../../platform/database/database.errors.js';
import type { Role } from '../../tenancy/index.js';
import type { AccessRule } from './access-rules.js';
import { ACCESS_RULES_OF_CREDENTIAL } from './access-rules.repository.js';
import { ApplicationCredentialNameTakenError } from '../identity.errors.js';

/** A secret with which a program signs in to one project on a user's behalf, with some of the user's roles. */
export interface ApplicationCredential {
  readonly id: string;
  readonly userId: string;
  readonly projectId: string;
  readonly name: string;
  readonly description: string | null;
  readonly roles: readonly Role[];
  /** May make and remove application credentials. */
  readonly unrestricted: boolean;
  /** Null: never. */
  readonly expiresAt: Date | null;
  /** The calls that it is good for; null: all. */
  readonly accessRules: readonly AccessRule[] | null;
}

export interface ApplicationCredentialWithSecret extends ApplicationCredential {
  readonly secretHash: string;
}

const COLUMNS = `id, user_id AS "userId", project_id AS "projectId", name, description, roles, unrestricted,
  expires_at AS "expiresAt", ${ACCESS_RULES_OF_CREDENTIAL} AS "accessRules"`;

@Injectable()
export class ApplicationCredentialsRepository {
  constructor(private readonly database: Database) {}

  /** Without its access rules. @throws ApplicationCredentialNameTakenError */
  async insert(credential: ApplicationCredentialWithSecret): Promise<void> {
    try {
      await this.database.run(
        `INSERT INTO application_credentials (id, user_id, project_id, name, description, secret_hash, roles,
           unrestricted, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [
          credential.id,
          credential.userId,
          credential.projectId,
          credential.name,
          credential.description,
          credential.secretHash,
          credential.roles,
          credential.unrestricted,
          credential.expiresAt,
        ],
      );
    } catch (error) {
      if (isUniqueViolation(error)) throw new ApplicationCredentialNameTakenError(credential.name);
      throw error;
    }
  }

  find(id: string): Promise<ApplicationCredentialWithSecret | null> {
    return this.database.one<ApplicationCredentialWithSecret>(
      `SELECT ${COLUMNS}, secret_hash AS "secretHash" FROM application_credentials c WHERE id = $1`,
      [id],
    );
  }

  findByName(userId: string, name: string): Promise<ApplicationCredentialWithSecret | null> {
    return this.database.one<ApplicationCredentialWithSecret>(
      `SELECT ${COLUMNS}, secret_hash AS "secretHash" FROM application_credentials c WHERE user_id = $1 AND name = $2`,
      [userId, name],
    );
  }

  /** Of one user by name, at most `limit`. */
  list(userId: string, name: string | undefined, limit: number): Promise<ApplicationCredential[]> {
    return this.database.query<ApplicationCredential>(
      `SELECT ${COLUMNS} FROM application_credentials c WHERE user_id = $1 AND ($2::text IS NULL OR name = $2)
       ORDER BY name LIMIT $3`,
      [userId, name ?? null, limit],
    );
  }

  /** Its tokens go with it. False when there is none. */
  async remove(userId: string, id: string): Promise<boolean> {
    const removed = await this.database.run('DELETE FROM application_credentials WHERE user_id = $1 AND id = $2', [
      userId,
      id,
    ]);
    return removed > 0;
  }
}
