import {
  ACCESS_RULE_METHODS,
  type CreateApplicationCredential,
  findRoleById,
  findRoleByName,
  InvalidApplicationCredentialError,
  PASSWORD_MAXIMUM_LENGTH,
  type WantedAccessRule,
} from '../../../modules/identity/index.js';
import type { Role } from '../../../modules/tenancy/index.js';
import { BodyObject, InvalidMemberError } from '../body.js';

const RULE_PATH_LENGTH = 225;
const TIME = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?$/;

/**
 * Reads the body of POST …/application_credentials.
 * @throws InvalidError the shape is wrong, or a role does not exist
 */
export function toCreateApplicationCredential(body: unknown): CreateApplicationCredential {
  const wanted = BodyObject.parse(body).object('application_credential');
  const name = wanted.text('name');
  if (name.trim() === '') throw new InvalidMemberError('name', 'text that is not empty');
  return {
    name,
    description: wanted.optionalText('description', 65_535) ?? null,
    secret: wanted.optionalText('secret', PASSWORD_MAXIMUM_LENGTH),
    roles: wanted.has('roles') ? wanted.objects('roles').map(toRole) : undefined,
    unrestricted: wanted.flag('unrestricted'),
    expiresAt: toTime(wanted.optionalText('expires_at')),
    accessRules: wanted.has('access_rules') ? wanted.objects('access_rules').map(toAccessRule) : [],
  };
}

/** A rule's content, or only the id of one that the user has. */
function toAccessRule(rule: BodyObject): WantedAccessRule {
  if (rule.has('id')) return { id: rule.text('id') };
  const method = rule.text('method');
  if (!(ACCESS_RULE_METHODS as readonly string[]).includes(method)) {
    throw new InvalidMemberError('method', `one of ${ACCESS_RULE_METHODS.join(', ')}`);
  }
  const path = rule.text('path', RULE_PATH_LENGTH);
  if (!path.startsWith('/')) throw new InvalidMemberError('path', 'a path that begins with /');
  return { service: rule.text('service'), method, path };
}

function toRole(reference: BodyObject): Role {
  const id = reference.optionalText('id');
  const record = id === undefined ? findRoleByName(reference.text('name')) : findRoleById(id);
  if (record) return record.name;
  throw new InvalidApplicationCredentialError(
    `Could not find role assignment with role: ${id ?? reference.text('name')}`,
  );
}

/** Without an offset it is UTC, as Keystone reads it. */
function toTime(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/.test(text.slice(10)) || text.length === 10 ? text : `${text}Z`;
  const time = new Date(zoned.replace(' ', 'T'));
  if (!TIME.test(text) || Number.isNaN(time.getTime())) {
    throw new InvalidMemberError('expires_at', 'a time such as 2030-12-31T23:59:59');
  }
  return time;
}
