import type pg from 'pg';

/**
 * Ends the leases of all jobs, as if as much time had passed since their workers were killed. So leases can be long, and
 * none is lost because the machine is busy.
 */
export async function endLeases(database: pg.Client): Promise<void> {
  await database.query(`UPDATE jobs SET lease_expires_at = now() WHERE status = 'running'`);
}
