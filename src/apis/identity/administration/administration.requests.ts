import {
  type CreateUser,
  DEFAULT_DOMAIN,
  DomainNotFoundError,
  findRoleById,
  RoleNotFoundError,
  type UpdateUser,
} from '../../../modules/identity/index.js';
import type { CreateProject, Role, UpdateProject } from '../../../modules/tenancy/index.js';
import { BodyObject, InvalidMemberError } from '../body.js';

const PROJECT_NAME_LENGTH = 64;
const USER_NAME_LENGTH = 255;
const DESCRIPTION_LENGTH = 65_535;
/** Passwords that are too long are refused by the domain; this only bounds what is read. */
const PASSWORD_READ_LENGTH = 65_536;

/** Reads the body of POST /v3/projects. @throws InvalidError, DomainNotFoundError */
export function toCreateProject(body: unknown): CreateProject {
  const wanted = BodyObject.parse(body).object('project');
  refuseWhatProjectsLack(wanted);
  return {
    name: nameOf(wanted, PROJECT_NAME_LENGTH),
    description: wanted.optionalText('description', DESCRIPTION_LENGTH) ?? '',
    enabled: wanted.optionalFlag('enabled') ?? true,
  };
}

/** Reads the body of PATCH /v3/projects/{id}. @throws InvalidError, DomainNotFoundError */
export function toUpdateProject(body: unknown): UpdateProject {
  const wanted = BodyObject.parse(body).object('project');
  refuseWhatProjectsLack(wanted);
  return {
    name: wanted.has('name') ? nameOf(wanted, PROJECT_NAME_LENGTH) : undefined,
    // Null takes it away.
    description: orEmpty(wanted.nullableText('description', DESCRIPTION_LENGTH)),
    enabled: wanted.optionalFlag('enabled'),
  };
}

/** Reads the body of POST /v3/users. @throws InvalidError, DomainNotFoundError */
export function toCreateUser(body: unknown): CreateUser {
  const wanted = BodyObject.parse(body).object('user');
  refuseOtherDomains(wanted);
  refuseOptions(wanted);
  return {
    name: nameOf(wanted, USER_NAME_LENGTH),
    password: wanted.optionalText('password', PASSWORD_READ_LENGTH),
    email: wanted.optionalText('email') ?? null,
    description: wanted.optionalText('description', DESCRIPTION_LENGTH) ?? null,
    defaultProjectId: wanted.optionalText('default_project_id') ?? null,
    enabled: wanted.optionalFlag('enabled') ?? true,
  };
}

/** Reads the body of PATCH /v3/users/{id}. @throws InvalidError, DomainNotFoundError */
export function toUpdateUser(body: unknown): UpdateUser {
  const wanted = BodyObject.parse(body).object('user');
  refuseOtherDomains(wanted);
  refuseOptions(wanted);
  return withoutUndefined({
    name: wanted.has('name') ? nameOf(wanted, USER_NAME_LENGTH) : undefined,
    password: wanted.optionalText('password', PASSWORD_READ_LENGTH),
    email: wanted.nullableText('email'),
    description: wanted.nullableText('description', DESCRIPTION_LENGTH),
    defaultProjectId: wanted.nullableText('default_project_id'),
    enabled: wanted.optionalFlag('enabled'),
  });
}

/** A role by the id in a path. @throws RoleNotFoundError */
export function toRole(id: string): Role {
  const role = findRoleById(id);
  if (!role) throw new RoleNotFoundError(id);
  return role.name;
}

function nameOf(wanted: BodyObject, maximumLength: number): string {
  const name = wanted.text('name', maximumLength);
  if (name.trim() === '') throw new InvalidMemberError('name', 'text that is not empty');
  return name;
}

function orEmpty(text: string | null | undefined): string | undefined {
  return text === null ? '' : text;
}

/** What would be lost is not taken. */
function refuseWhatProjectsLack(wanted: BodyObject): void {
  refuseOtherDomains(wanted);
  refuseOptions(wanted);
  if (wanted.flag('is_domain')) throw new InvalidMemberError('is_domain', 'false, since there is one domain');
  const parent = wanted.optionalText('parent_id');
  if (parent !== undefined && parent !== DEFAULT_DOMAIN.id) {
    throw new InvalidMemberError('parent_id', `${DEFAULT_DOMAIN.id}, since projects do not nest`);
  }
  if (wanted.has('tags') && wanted.texts('tags').length > 0) {
    throw new InvalidMemberError('tags', 'empty, since projects have no tags');
  }
}

function refuseOtherDomains(wanted: BodyObject): void {
  const domain = wanted.optionalText('domain_id');
  if (domain !== undefined && domain !== DEFAULT_DOMAIN.id) throw new DomainNotFoundError(domain);
}

function refuseOptions(wanted: BodyObject): void {
  if (!wanted.has('options')) return;
  if (!wanted.object('options').isEmpty) throw new InvalidMemberError('options', 'empty, since there are none');
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}
