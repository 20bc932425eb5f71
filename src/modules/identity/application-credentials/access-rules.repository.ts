import { Injectable } from '@nestjs/common';
import { newHexId } from '../../../common/ids.js';
import { Database } from '../../../platform/database/database.js';
import type { AccessRule } from './access-rules.js';
import { AccessRuleNotFoundError } from '../identity.errors.js';

/** A rule of a new credential: one that the user has already, or its content. */
export type WantedAccessRule = { readonly id: string } | Omit<AccessRule, 'id'>;

const COLUMNS = 'id, service, method, path';

/** As a column of a query over `application_credentials c`: null for a credential without rules. */
export const ACCESS_RULES_OF_CREDENTIAL = `(
  SELECT json_agg(json_build_object('id', r.id, 'service', r.service, 'method', r.method, 'path', r.path)
    ORDER BY r.service, r.path, r.method)
  FROM application_credential_access_rules l JOIN access_rules r ON r.id = l.access_rule_id
  WHERE l.application_credential_id = c.id)`;

@Injectable()
export class AccessRulesRepository {
  constructor(private readonly database: Database) {}

  find(userId: string, id: string): Promise<AccessRule | null> {
    return this.database.one<AccessRule>(`SELECT ${COLUMNS} FROM access_rules WHERE user_id = $1 AND id = $2`, [
      userId,
      id,
    ]);
  }

  /** By service, path and method, at most `limit`. */
  list(userId: string, filter: Partial<AccessRule>, limit: number): Promise<AccessRule[]> {
    return this.database.query<AccessRule>(
      `SELECT ${COLUMNS} FROM access_rules
       WHERE user_id = $1 AND ($2::text IS NULL OR service = $2) AND ($3::text IS NULL OR method = $3)
         AND ($4::text IS NULL OR path = $4)
       ORDER BY service, path, method LIMIT $5`,
      [userId, filter.service ?? null, filter.method ?? null, filter.path ?? null, limit],
    );
  }

  /**
   * Gives a new credential its rules, in the open transaction; a user has each rule once.
   * @throws AccessRuleNotFoundError a rule by id that is not there
   */
  async attach(userId: string, credentialId: string, wanted: readonly WantedAccessRule[]): Promise<AccessRule[]> {
    const rules = new Map<string, AccessRule>();
    for (const one of wanted) {
      const rule = 'id' in one ? await this.hold(userId, one.id) : await this.have(userId, one);
      rules.set(rule.id, rule);
    }
    await this.database.run(
      `INSERT INTO application_credential_access_rules (application_credential_id, access_rule_id)
       SELECT $1, unnest($2::text[])`,
      [credentialId, [...rules.keys()]],
    );
    return [...rules.values()];
  }

  /** In the open transaction. False when a credential has the rule, null when there is no such rule. */
  async remove(userId: string, id: string): Promise<boolean | null> {
    // Locked first: a credential that is being made with it is waited for, and then seen.
    const found = await this.database.one('SELECT 1 FROM access_rules WHERE user_id = $1 AND id = $2 FOR UPDATE', [
      userId,
      id,
    ]);
    if (!found) return null;
    const removed = await this.database.run(
      `DELETE FROM access_rules WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM application_credential_access_rules WHERE access_rule_id = $1)`,
      [id],
    );
    return removed > 0;
  }

  private async hold(userId: string, id: string): Promise<AccessRule> {
    const rule = await this.database.one<AccessRule>(
      `SELECT ${COLUMNS} FROM access_rules WHERE user_id = $1 AND id = $2 FOR SHARE`,
      [userId, id],
    );
    if (!rule) throw new AccessRuleNotFoundError(id);
    return rule;
  }

  private async have(userId: string, rule: Omit<AccessRule, 'id'>): Promise<AccessRule> {
    const found = await this.database.one<AccessRule>(
      `INSERT INTO access_rules (id, user_id, service, method, path) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT ON CONSTRAINT access_rules_unique DO UPDATE SET service = excluded.service
       RETURNING ${COLUMNS}`,
      [newHexId(), userId, rule.service, rule.method, rule.path],
    );
    return found!;
  }
}
