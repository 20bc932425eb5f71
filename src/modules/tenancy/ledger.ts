import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { QUANTITIES, type Limits, type Quantity } from './quantity.js';
import { LimitExceededError } from './tenancy.errors.js';

/** What one quantity of a project stands at. */
export interface Usage {
  readonly quantity: Quantity;
  readonly used: number;
  /** Null: unlimited. */
  readonly maximum: number | null;
}

/** An arbitrary number, the same in every Kiln: whoever holds this advisory lock changes default limits. */
const DEFAULTS_LOCK = 5_497_855;

/** A limit that was set for one project. */
export interface OwnLimit {
  readonly projectId: string;
  readonly quantity: Quantity;
  /** Null: unlimited. */
  readonly maximum: number | null;
}

export interface OwnLimitFilter {
  readonly projectId?: string;
  readonly quantity?: Quantity;
}

/**
 * The usage ledger. Each call joins the open transaction, so that what it counts and the count commit together.
 *
 * The reservation is a conditional UPDATE of one row: while two transactions want the last place, the second waits for
 * the first and then sees what it left. No number of processes gets a project over its limit.
 *
 * Owners that are no project have no ledger: nothing is counted and nothing refused.
 */
@Injectable()
export class Ledger {
  constructor(private readonly database: Database) {}

  /**
   * Adds to a project's usage.
   * @throws LimitExceededError the limit would be exceeded; nothing was added
   */
  async reserve(projectId: string | null, quantity: Quantity, amount: number): Promise<void> {
    if (projectId === null || amount === 0) return;
    const changed = await this.database.run(
      `UPDATE project_usage SET used = used + $3::bigint
       WHERE project_id = $1 AND quantity = $2 AND (maximum IS NULL OR used + $3::bigint <= maximum)`,
      [projectId, quantity, amount],
      'ledger-reserve',
    );
    if (changed > 0) return;
    const usage = await this.find(projectId, quantity);
    if (usage?.maximum != null) throw new LimitExceededError(quantity, usage.maximum, usage.used, amount);
  }

  /**
   * Refuses what would not fit just now, and reserves nothing: for work that is known to be too much before it begins.
   * @throws LimitExceededError
   */
  async check(projectId: string | null, quantity: Quantity, amount: number): Promise<void> {
    const usage = projectId === null ? null : await this.find(projectId, quantity);
    if (usage?.maximum != null && usage.used + amount > usage.maximum) {
      throw new LimitExceededError(quantity, usage.maximum, usage.used, amount);
    }
  }

  /**
   * Takes from a project's usage what was reserved before; never refused. An owner that became a project has things that
   * were never counted: what is at nothing stays there.
   */
  async release(projectId: string | null, quantity: Quantity, amount: number): Promise<void> {
    if (projectId === null || amount === 0) return;
    await this.database.run(
      `UPDATE project_usage SET used = greatest(used - $3::bigint, 0) WHERE project_id = $1 AND quantity = $2`,
      [projectId, quantity, amount],
      'ledger-release',
    );
  }

  /** Adds what was counted there before, even over the limit: work that goes back to where it was is not refused. */
  async putBack(projectId: string | null, quantity: Quantity, amount: number): Promise<void> {
    await this.release(projectId, quantity, -amount);
  }

  /** Every quantity of a project, limited or not, in the order of `QUANTITIES`. */
  async usage(projectId: string): Promise<Usage[]> {
    const rows = await this.database.query<Usage>(
      'SELECT quantity, used, maximum FROM project_usage WHERE project_id = $1',
      [projectId],
    );
    return QUANTITIES.flatMap((quantity) => rows.find((row) => row.quantity === quantity) ?? []);
  }

  /** One quantity; null where there is no ledger. */
  find(projectId: string, quantity: Quantity): Promise<Usage | null> {
    return this.database.one<Usage>(
      'SELECT quantity, used, maximum FROM project_usage WHERE project_id = $1 AND quantity = $2',
      [projectId, quantity],
      'ledger-find',
    );
  }

  /**
   * Opens a project's ledger if needed and sets its own limits; absent quantities follow the default. Returns whether
   * anything changed.
   */
  setLimits(projectId: string, limits: Limits): Promise<boolean> {
    return this.underDefaults(async () => {
      const changed = await this.database.run(
        `INSERT INTO project_usage (project_id, quantity, maximum, own_limit)
       SELECT $1, w.quantity, coalesce(w.maximum, d.maximum), w.maximum IS NOT NULL
       FROM unnest($2::text[], $3::bigint[]) AS w (quantity, maximum) LEFT JOIN default_limits d USING (quantity)
       ON CONFLICT (project_id, quantity) DO UPDATE SET maximum = excluded.maximum, own_limit = excluded.own_limit
       WHERE (project_usage.maximum, project_usage.own_limit)
         IS DISTINCT FROM (excluded.maximum, excluded.own_limit)`,
        [projectId, QUANTITIES, QUANTITIES.map((quantity) => limits[quantity] ?? null)],
      );
      return changed > 0;
    });
  }

  /**
   * Sets one limit of a project; null: unlimited, whatever the default is. What is in use may be over it: then nothing
   * more is let in.
   *
   * @param wasOwn whether the project must have had a limit of its own
   * @returns false when it had not, or there is no such ledger
   */
  setLimit(
    projectId: string,
    quantity: Quantity,
    maximum: number | null | 'default',
    wasOwn: boolean,
  ): Promise<boolean> {
    return this.underDefaults(async () => {
      const changed = await this.database.run(
        `UPDATE project_usage SET own_limit = NOT $5::boolean,
         maximum = CASE WHEN $5 THEN (SELECT d.maximum FROM default_limits d WHERE d.quantity = $2) ELSE $3::bigint END
       WHERE project_id = $1 AND quantity = $2 AND own_limit = $4`,
        [projectId, quantity, maximum === 'default' ? null : maximum, wasOwn, maximum === 'default'],
      );
      return changed > 0;
    });
  }

  /** Projects' own limits, by project and quantity; at most `limit`. */
  ownLimits(filter: OwnLimitFilter, limit: number): Promise<OwnLimit[]> {
    return this.database.query<OwnLimit>(
      `SELECT project_id AS "projectId", quantity, maximum FROM project_usage
       WHERE own_limit AND ($1::text IS NULL OR project_id = $1) AND ($2::text IS NULL OR quantity = $2)
       ORDER BY project_id, quantity LIMIT $3`,
      [filter.projectId ?? null, filter.quantity ?? null, limit],
    );
  }

  /** What holds for projects without a limit of their own; absent quantities are unlimited. */
  async defaultLimits(): Promise<Limits> {
    const rows = await this.database.query<{ quantity: Quantity; maximum: number }>(
      'SELECT quantity, maximum FROM default_limits',
    );
    return Object.fromEntries(rows.map(({ quantity, maximum }) => [quantity, maximum]));
  }

  /**
   * Sets one default, null for unlimited, and with it the limit of every project that has none of its own.
   * @returns false, and nothing is changed, when there is one and there must be none
   */
  setDefaultLimit(quantity: Quantity, maximum: number | null, mustBeNew = false): Promise<boolean> {
    return this.database.transaction(async () => {
      await this.database.query('SELECT pg_advisory_xact_lock($1)', [DEFAULTS_LOCK]);
      if (mustBeNew && (await this.defaultLimits())[quantity] !== undefined) return false;
      if (maximum === null) await this.database.run('DELETE FROM default_limits WHERE quantity = $1', [quantity]);
      else {
        await this.database.run(
          `INSERT INTO default_limits (quantity, maximum) VALUES ($1, $2)
           ON CONFLICT (quantity) DO UPDATE SET maximum = excluded.maximum`,
          [quantity, maximum],
        );
      }
      await this.database.run('UPDATE project_usage SET maximum = $2 WHERE quantity = $1 AND NOT own_limit', [
        quantity,
        maximum,
      ]);
      return true;
    });
  }

  /** What of a project is in use, from now on and until the open transaction ends: nothing can be reserved meanwhile. */
  async inUse(projectId: string): Promise<{ quantity: Quantity; used: number }[]> {
    // Every row, also of what is at nothing: a condition on it in the statement would be looked at before the lock.
    const held = await this.database.query<{ quantity: Quantity; used: number }>(
      'SELECT quantity, used FROM project_usage WHERE project_id = $1 ORDER BY quantity FOR UPDATE',
      [projectId],
    );
    return held.filter(({ used }) => used > 0);
  }

  /** While this runs no default changes: what was read of one is still true when it is written to a project. */
  private underDefaults<T>(work: () => Promise<T>): Promise<T> {
    return this.database.transaction(async () => {
      await this.database.query('SELECT pg_advisory_xact_lock_shared($1)', [DEFAULTS_LOCK]);
      return work();
    });
  }
}
