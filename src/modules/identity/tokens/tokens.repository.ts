import { Injectable } from '@nestjs/common';
import { Database } from '../../../platform/database/database.js';
import { isMissingReference } from '../../../platform/database/database.errors.js';
import type { Role } from '../../tenancy/index.js';
import type { AccessRule } from '../application-credentials/access-rules.js';
import { ACCESS_RULES_OF_CREDENTIAL } from '../application-credentials/access-rules.repository.js';
import { InvalidCredentialsError } from '../identity.errors.js';
import type { ScopeKind } from './session.js';

/** A token to keep; of the token itself only the hash. */
export interface NewToken {
  readonly hash: Buffer;
  readonly userId: string;
  readonly scope: ScopeKind;
  readonly projectId: string | null;
  readonly methods: readonly string[];
  readonly auditIds: readonly string[];
  readonly applicationCredentialId: string | null;
  readonly issuedAt: Date;
  readonly expiresAt: Date;
}

/** A kept token with the present state of everything that it depends on. */
export interface TokenRow {
  readonly scope: ScopeKind;
  readonly methods: string[];
  readonly auditIds: string[];
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly userId: string;
  readonly userName: string;
  readonly userDomainId: string;
  readonly userEnabled: boolean;
  readonly userDefaultProjectId: string | null;
  readonly projectId: string | null;
  readonly projectName: string | null;
  readonly projectDomainId: string | null;
  readonly projectDescription: string | null;
  readonly projectEnabled: boolean | null;
  /** The user's own roles in the project; for the system and domain scope, `admin` if the user has it anywhere. */
  readonly roles: Role[];
  readonly credentialId: string | null;
  readonly credentialName: string | null;
  readonly credentialUnrestricted: boolean | null;
  readonly credentialRoles: Role[] | null;
  readonly accessRules: AccessRule[] | null;
}

const SWEEP_BATCH = 1_000;

@Injectable()
export class TokensRepository {
  constructor(private readonly database: Database) {}

  /** @throws InvalidCredentialsError user, project or application credential went away meanwhile */
  async insert(token: NewToken): Promise<void> {
    try {
      await this.database.run(
        `INSERT INTO tokens (hash, user_id, scope, project_id, methods, audit_ids, application_credential_id, issued_at,
           expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
        [
          token.hash,
          token.userId,
          token.scope,
          token.projectId,
          token.methods,
          token.auditIds,
          token.applicationCredentialId,
          token.issuedAt,
          token.expiresAt,
        ],
        'tokens-insert',
      );
    } catch (error) {
      if (isMissingReference(error)) throw new InvalidCredentialsError();
      throw error;
    }
  }

  /** Keeps a token from being revoked until the open transaction ends; false when it was revoked before, or never made. */
  async holdUnrevoked(hash: Buffer): Promise<boolean> {
    const held = await this.database.one('SELECT 1 FROM tokens WHERE hash = $1 AND revoked_at IS NULL FOR SHARE', [
      hash,
    ]);
    return held !== null;
  }

  /** Not revoked; expired ones too. */
  find(hash: Buffer): Promise<TokenRow | null> {
    return this.database.one<TokenRow>(
      `SELECT t.scope, t.methods, t.audit_ids AS "auditIds", t.issued_at AS "issuedAt", t.expires_at AS "expiresAt",
         u.id AS "userId", u.name AS "userName", u.domain_id AS "userDomainId", u.enabled AS "userEnabled",
         u.default_project_id AS "userDefaultProjectId",
         p.id AS "projectId", p.name AS "projectName", p.domain_id AS "projectDomainId",
         p.description AS "projectDescription", p.enabled AS "projectEnabled",
         CASE WHEN t.scope = 'project' THEN ARRAY(
                SELECT a.role FROM role_assignments a WHERE a.user_id = t.user_id AND a.project_id = t.project_id)
              WHEN t.scope IN ('domain', 'system') THEN ARRAY(
                SELECT DISTINCT a.role FROM role_assignments a WHERE a.user_id = t.user_id AND a.role = 'admin')
              ELSE '{}' END AS roles,
         c.id AS "credentialId", c.name AS "credentialName", c.unrestricted AS "credentialUnrestricted",
         c.roles AS "credentialRoles", ${ACCESS_RULES_OF_CREDENTIAL} AS "accessRules"
       FROM tokens t
       JOIN users u ON u.id = t.user_id
       LEFT JOIN projects p ON p.id = t.project_id
       LEFT JOIN application_credentials c ON c.id = t.application_credential_id
       WHERE t.hash = $1 AND t.revoked_at IS NULL`,
      [hash],
      'tokens-find',
    );
  }

  /** False when there is no such token, or it was revoked before. */
  async revoke(hash: Buffer, at: Date): Promise<boolean> {
    const changed = await this.database.run(
      'UPDATE tokens SET revoked_at = $2 WHERE hash = $1 AND revoked_at IS NULL',
      [hash, at],
    );
    return changed > 0;
  }

  async revokeAllOf(userId: string, at: Date): Promise<void> {
    await this.database.run('UPDATE tokens SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL', [
      userId,
      at,
    ]);
  }

  /** Removes tokens that expired before `before`, some at a time; returns how many. */
  async removeExpired(before: Date): Promise<number> {
    for (let removed = 0; ;) {
      const batch = await this.database.run(
        `DELETE FROM tokens WHERE hash IN (
           SELECT hash FROM tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT ${SWEEP_BATCH} FOR UPDATE SKIP LOCKED)`,
        [before],
      );
      removed += batch;
      if (batch < SWEEP_BATCH) return removed;
    }
  }
}
