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

  /** Takes from a project's usage what was reserved before; never refused. */
  async release(projectId: string | null, quantity: Quantity, amount: number): Promise<void> {
    if (projectId === null || amount === 0) return;
    await this.database.run(
      `UPDATE project_usage SET used = used - $3::bigint WHERE project_id = $1 AND quantity = $2`,
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

  /** Opens a project's ledger if needed and sets its limits; absent quantities become unlimited. Returns whether anything changed. */
  async setLimits(projectId: string, limits: Limits): Promise<boolean> {
    const changed = await this.database.run(
      `INSERT INTO project_usage (project_id, quantity, maximum)
       SELECT $1, quantity, maximum FROM unnest($2::text[], $3::bigint[]) AS wanted (quantity, maximum)
       ON CONFLICT (project_id, quantity) DO UPDATE SET maximum = excluded.maximum
       WHERE project_usage.maximum IS DISTINCT FROM excluded.maximum`,
      [projectId, QUANTITIES, QUANTITIES.map((quantity) => limits[quantity] ?? null)],
    );
    return changed > 0;
  }
}
