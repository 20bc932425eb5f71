import { createHash } from 'node:crypto';
import { ROLES, withImplied, type Role } from '../tenancy/index.js';

/** A role as clients see it: they name roles by id, Kiln by name. */
export interface RoleRecord {
  readonly id: string;
  readonly name: Role;
}

/**
 * An id of 32 hex digits that follows from a name: the same in every process and every deployment, so it need not be
 * stored.
 */
export function stableId(kind: string, name: string): string {
  return createHash('sha256').update(`kiln:${kind}:${name}`).digest('hex').slice(0, 32);
}

/** Every role there is. */
export const ROLE_RECORDS: readonly RoleRecord[] = ROLES.map((name) => ({ id: stableId('role', name), name }));

const BY_NAME = new Map(ROLE_RECORDS.map((record) => [record.name, record]));
const BY_ID = new Map(ROLE_RECORDS.map((record) => [record.id, record]));

export function roleRecord(name: Role): RoleRecord {
  return BY_NAME.get(name)!;
}

/** Null when there is none. */
export function findRoleById(id: string): RoleRecord | null {
  return BY_ID.get(id) ?? null;
}

/** Null when there is none; names are compared exactly. */
export function findRoleByName(name: string): RoleRecord | null {
  return ROLE_RECORDS.find((record) => record.name === name) ?? null;
}

/** Roles and all that they imply, strongest first. */
export function expandRoles(roles: Iterable<Role>): Role[] {
  const implied = withImplied(roles);
  return ROLES.filter((role) => implied.has(role));
}
