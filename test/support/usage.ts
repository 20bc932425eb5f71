import type pg from 'pg';

/** What the ledger says that a project uses, by quantity: of these, or of all. */
export async function usageOf(
  database: pg.Client,
  projectId: string,
  ...quantities: readonly string[]
): Promise<Record<string, number>> {
  const { rows } = await database.query<{ quantity: string; used: string }>(
    'SELECT quantity, used FROM project_usage WHERE project_id = $1',
    [projectId],
  );
  const wanted = rows.filter(({ quantity }) => quantities.length === 0 || quantities.includes(quantity));
  return Object.fromEntries(wanted.map(({ quantity, used }) => [quantity, Number(used)]));
}
