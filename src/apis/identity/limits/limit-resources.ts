import { stableId } from '../../../modules/identity/index.js';
import { QUANTITIES, type Quantity } from '../../../modules/tenancy/index.js';

const MIB = 2 ** 20;

/** What unified limits call a quantity, and in which unit they count it. */
interface Resource {
  readonly name: string;
  readonly unit: number;
}

// The first four are those of the Image API, sizes in mebibytes; the others are Kiln's own.
const RESOURCES: Readonly<Record<Quantity, Resource>> = {
  images: { name: 'image_count_total', unit: 1 },
  storage_bytes: { name: 'image_size_total', unit: MIB },
  staging_bytes: { name: 'image_stage_total', unit: MIB },
  uploads: { name: 'image_count_uploading', unit: 1 },
  running_jobs: { name: 'running_jobs', unit: 1 },
  queued_jobs: { name: 'queued_jobs', unit: 1 },
  recipes: { name: 'recipes', unit: 1 },
  keys: { name: 'keys', unit: 1 },
};

export function resourceName(quantity: Quantity): string {
  return RESOURCES[quantity].name;
}

/** Undefined when there is no such resource. */
export function quantityOf(resource: string): Quantity | undefined {
  return QUANTITIES.find((quantity) => RESOURCES[quantity].name === resource);
}

/** The largest limit that can be asked for. */
export function largestLimit(quantity: Quantity): number {
  return Math.floor(Number.MAX_SAFE_INTEGER / RESOURCES[quantity].unit);
}

/** A limit as clients write it, −1 for none, in the ledger's unit. */
export function toMaximum(quantity: Quantity, limit: number): number | null {
  return limit === -1 ? null : limit * RESOURCES[quantity].unit;
}

/** A limit of the ledger as clients read it; one that is no whole mebibyte is rounded down. */
export function presentMaximum(quantity: Quantity, maximum: number | null | undefined): number {
  return maximum == null ? -1 : Math.floor(maximum / RESOURCES[quantity].unit);
}

export function defaultLimitId(quantity: Quantity): string {
  return stableId('registered-limit', quantity);
}

/** Undefined when there is none of that id. */
export function quantityOfDefault(id: string): Quantity | undefined {
  return QUANTITIES.find((quantity) => defaultLimitId(quantity) === id);
}

/** A project has each limit once, so both together name it. */
export function limitId(projectId: string, quantity: Quantity): string {
  return `${projectId}-${quantity}`;
}

/** Undefined when it cannot be one. */
export function parseLimitId(id: string): { projectId: string; quantity: Quantity } | undefined {
  const at = id.lastIndexOf('-');
  const quantity = QUANTITIES.find((one) => one === id.slice(at + 1));
  return at > 0 && quantity ? { projectId: id.slice(0, at), quantity } : undefined;
}
