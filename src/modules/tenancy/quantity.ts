/** What the ledger counts, per project; the same names stand in the bootstrap file. */
export const QUANTITIES = [
  'images',
  'storage_bytes',
  'staging_bytes',
  'uploads',
  'running_jobs',
  'queued_jobs',
  'recipes',
  'keys',
] as const;
export type Quantity = (typeof QUANTITIES)[number];

/** Limits of a project; a quantity that is absent is unlimited. */
export type Limits = Partial<Record<Quantity, number>>;
