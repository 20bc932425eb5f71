import { Injectable } from '@nestjs/common';
import { newHexId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { PROJECT_LIST_MAXIMUM, type Project, ProjectsService, type Role } from '../../tenancy/index.js';
import { DEFAULT_DOMAIN } from '../domains.js';
import { InvalidCredentialsError, InvalidPasswordError, UserNotFoundError } from '../identity.errors.js';
import { IdentityPolicy } from '../identity.policy.js';
import { PasswordHasher } from '../sign-in/password-hasher.js';
import type { Session } from '../tokens/session.js';
import { TokensService } from '../tokens/tokens.service.js';
import {
  type RoleAssignment,
  type RoleAssignmentFilter,
  type User,
  type UserFilter,
  UsersRepository,
  type UserWithPassword,
} from './users.repository.js';

/** Longer than any list of users or projects that makes sense to answer whole. */
export const LIST_MAXIMUM = PROJECT_LIST_MAXIMUM;
/** As Keystone: far more than a person types, little enough to hash. */
export const PASSWORD_MAXIMUM_LENGTH = 4_096;

/** A list that is cut where it is too long. */
export interface BoundedList<T> {
  readonly items: readonly T[];
  readonly truncated: boolean;
}

/** A user as it should be. What is absent stays as it is; a new user gets the default. */
export interface DeclareUser {
  /** Chosen when absent. */
  readonly id?: string;
  readonly name: string;
  readonly email?: string;
  readonly description?: string;
  readonly enabled?: boolean;
  readonly defaultProjectId?: string;
  readonly password?: PreparedPassword;
  /** Exactly these, when given. */
  readonly roles?: readonly { readonly projectId: string; readonly role: Role }[];
}

/** The slow half of setting a password, done before any transaction is open. */
export interface PreparedPassword {
  readonly password: string;
  /** The stored hash that the password was compared with. */
  readonly comparedWith: string | null;
  /** Null: the password is the stored one. */
  readonly newHash: string | null;
}

/** Users, what they may where, and their passwords. */
@Injectable()
export class UsersService {
  constructor(
    private readonly users: UsersRepository,
    private readonly projects: ProjectsService,
    private readonly tokens: TokensService,
    private readonly hasher: PasswordHasher,
    private readonly policy: IdentityPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /**
   * @throws NotPermittedError somebody else's, known or not, and the caller is no administrator
   * @throws UserNotFoundError
   */
  async get(caller: Session, id: string): Promise<User> {
    this.policy.self(caller, id, 'identity:get_user');
    return this.mustFind(id);
  }

  /**
   * By name, at most `LIST_MAXIMUM`.
   * @throws NotPermittedError the caller is no administrator
   */
  async list(caller: Session, filter: UserFilter): Promise<BoundedList<User>> {
    this.policy.administer(caller, 'identity:list_users');
    return bounded(await this.users.list(filter, LIST_MAXIMUM + 1));
  }

  /** The enabled projects in which the caller has a role, by name. */
  ownProjects(caller: Session): Promise<BoundedList<Project>> {
    return this.projectsWithRole(caller.user.id, { enabled: true });
  }

  /**
   * The projects in which a user has a role, by name.
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   * @throws UserNotFoundError
   */
  async projectsOf(caller: Session, userId: string): Promise<BoundedList<Project>> {
    this.policy.self(caller, userId, 'identity:list_user_projects');
    await this.mustFind(userId);
    return this.projectsWithRole(userId, {});
  }

  /** Whether the user has any role in the project. */
  async isIn(userId: string, projectId: string): Promise<boolean> {
    return (await this.users.roles(userId, projectId)).length > 0;
  }

  /** Whether the user is administrator of the deployment, which is who may ask for the system and domain scopes. */
  isAdmin(userId: string): Promise<boolean> {
    return this.users.isAdminAnywhere(userId);
  }

  /**
   * Stored roles (implied ones are not), at most `LIST_MAXIMUM`.
   * @throws NotPermittedError the caller is no administrator
   */
  async assignments(caller: Session, filter: RoleAssignmentFilter): Promise<BoundedList<RoleAssignment>> {
    this.policy.administer(caller, 'identity:list_role_assignments');
    return bounded(await this.users.assignments(filter, LIST_MAXIMUM + 1));
  }

  /**
   * Changes the caller's own password, and ends every token that was had with the old one.
   *
   * @throws NotPermittedError somebody else's
   * @throws InvalidPasswordError the new one cannot be one
   * @throws InvalidCredentialsError the original one is wrong
   */
  async changePassword(caller: Session, userId: string, original: string, password: string): Promise<void> {
    this.policy.onlySelf(caller, userId, 'identity:change_password');
    checkPassword(password);
    const { passwordHash } = await this.mustFind(userId);
    const right = original.length <= PASSWORD_MAXIMUM_LENGTH && (await this.hasher.verify(original, passwordHash));
    if (!right) throw new InvalidCredentialsError();
    const newHash = await this.hasher.hash(password);
    await this.uow.run(async () => {
      const user = await this.users.findForUpdate(userId);
      // Changed by somebody else meanwhile: the original password is no longer the right one.
      if (user?.passwordHash !== passwordHash) throw new InvalidCredentialsError();
      await this.replacePassword(user, newHash, caller.user.id);
    });
  }

  /** Null when there is none. For callers that act on nobody's behalf. */
  findByName(name: string): Promise<User | null> {
    return this.users.findByName(name, DEFAULT_DOMAIN.id);
  }

  /** Null when there is none. For callers that act on nobody's behalf. */
  find(id: string): Promise<User | null> {
    return this.users.find(id);
  }

  /** Whether there is any user at all. */
  any(): Promise<boolean> {
    return this.users.any();
  }

  /** Does the hashing for a `declare` to come. @throws InvalidPasswordError it cannot be one */
  async preparePassword(user: { id?: string; name: string }, password: string): Promise<PreparedPassword> {
    checkPassword(password);
    const found = await this.findDeclared(user);
    return this.comparePassword(found?.passwordHash ?? null, password);
  }

  /** Whether this is the password of that user. */
  async hasPassword(name: string, password: string): Promise<boolean> {
    const found = await this.users.findByName(name, DEFAULT_DOMAIN.id);
    return this.hasher.verify(password, found?.passwordHash ?? null);
  }

  /**
   * Makes a user exist as declared, however often it is called: found by id, else by name. A password is written only
   * if it differs from the stored one, and then ends the user's tokens.
   *
   * @throws UserTakenError the name belongs to a user with another id
   */
  declare(wanted: DeclareUser): Promise<User> {
    return this.uow.run(async () => {
      const found = await this.findDeclared(wanted);
      const user: User = {
        id: found?.id ?? wanted.id ?? newHexId(),
        name: wanted.name,
        domainId: DEFAULT_DOMAIN.id,
        enabled: wanted.enabled ?? found?.enabled ?? true,
        defaultProjectId: wanted.defaultProjectId ?? found?.defaultProjectId ?? null,
        email: wanted.email ?? found?.email ?? null,
        description: wanted.description ?? found?.description ?? null,
      };
      const changed = !found || differ(user, found);
      if (changed) await this.users.upsert(user);
      if (wanted.password) await this.settlePassword(user, wanted.password);
      const rolesChanged = wanted.roles ? await this.users.setRoles(user.id, wanted.roles) : false;
      if (changed) await this.record(found ? 'user.updated' : 'user.created', user.id, null, { name: user.name });
      if (rolesChanged) await this.record('user.roles_changed', user.id, null, { roles: wanted.roles });
      if (changed || rolesChanged) await this.tokens.forgetAll();
      return user;
    });
  }

  private findDeclared(user: { id?: string; name: string }): Promise<UserWithPassword | null> {
    return user.id ? this.users.find(user.id) : this.users.findByName(user.name, DEFAULT_DOMAIN.id);
  }

  private async comparePassword(hash: string | null, password: string): Promise<PreparedPassword> {
    const same = hash !== null && (await this.hasher.verify(password, hash));
    return { password, comparedWith: hash, newHash: same ? null : await this.hasher.hash(password) };
  }

  private async settlePassword(user: User, prepared: PreparedPassword): Promise<void> {
    const stored = (await this.users.findForUpdate(user.id))?.passwordHash ?? null;
    // Another process may have declared the same user since the hashing.
    const { newHash } =
      stored === prepared.comparedWith ? prepared : await this.comparePassword(stored, prepared.password);
    if (newHash !== null) await this.replacePassword(user, newHash, null);
  }

  private async replacePassword(user: User, hash: string, actorId: string | null): Promise<void> {
    await this.users.setPasswordHash(user.id, hash);
    await this.tokens.revokeAllOf(user.id);
    await this.record('user.password_changed', user.id, actorId);
  }

  private async projectsWithRole(userId: string, filter: { enabled?: boolean }): Promise<BoundedList<Project>> {
    const ids = await this.users.projectIds(userId, LIST_MAXIMUM + 1);
    return bounded(await this.projects.list({ ids, ...filter }));
  }

  private async mustFind(id: string): Promise<UserWithPassword> {
    const user = await this.users.find(id);
    if (!user) throw new UserNotFoundError(id);
    return user;
  }

  private record(kind: string, userId: string, actorId: string | null, data?: Record<string, unknown>): Promise<void> {
    return this.outbox.record({ kind, noun: 'user', nounId: userId, projectId: null, actorId, data });
  }
}

/** @throws InvalidPasswordError it cannot be one */
export function checkPassword(password: string): void {
  if (password === '') throw new InvalidPasswordError('A password may not be empty.');
  if (password.length > PASSWORD_MAXIMUM_LENGTH) {
    throw new InvalidPasswordError(`A password may have at most ${PASSWORD_MAXIMUM_LENGTH} characters.`);
  }
}

function differ(wanted: User, found: User): boolean {
  return (['name', 'enabled', 'defaultProjectId', 'email', 'description'] as const).some(
    (field) => wanted[field] !== found[field],
  );
}

/** Cuts a list that was asked for with one more than the maximum. */
export function bounded<T>(found: readonly T[]): BoundedList<T> {
  return { items: found.slice(0, LIST_MAXIMUM), truncated: found.length > LIST_MAXIMUM };
}
