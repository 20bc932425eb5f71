import { Injectable } from '@nestjs/common';
import { newHexId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { ProjectNotFoundError, ProjectsService, type Role } from '../../tenancy/index.js';
import { Administrators } from '../administrators.js';
import { DEFAULT_DOMAIN } from '../domains.js';
import { RoleAssignmentNotFoundError, UserNotFoundError } from '../identity.errors.js';
import { IdentityPolicy } from '../identity.policy.js';
import { PasswordHasher } from '../sign-in/password-hasher.js';
import type { Session } from '../tokens/session.js';
import { TokensService } from '../tokens/tokens.service.js';
import { type User, UsersRepository } from './users.repository.js';
import { checkPassword } from './users.service.js';

/** A user to make. Without a password it cannot sign in. */
export interface CreateUser {
  readonly name: string;
  readonly password?: string;
  readonly email: string | null;
  readonly description: string | null;
  readonly defaultProjectId: string | null;
  readonly enabled: boolean;
}

/** What may change of a user; absent: stays as it is. */
export type UpdateUser = Partial<CreateUser>;

/** What administrators do with users and their roles. */
@Injectable()
export class UserAdministrationService {
  constructor(
    private readonly users: UsersRepository,
    private readonly projects: ProjectsService,
    private readonly tokens: TokensService,
    private readonly hasher: PasswordHasher,
    private readonly administrators: Administrators,
    private readonly policy: IdentityPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
  ) {}

  /**
   * @throws NotPermittedError the caller is no administrator
   * @throws InvalidPasswordError, ProjectNotFoundError the default one
   * @throws UserTakenError another user has the name
   */
  async create(caller: Session, wanted: CreateUser): Promise<User> {
    this.policy.administer(caller, 'identity:create_user');
    const { password, ...fields } = wanted;
    const user: User = { id: newHexId(), domainId: DEFAULT_DOMAIN.id, ...fields };
    const hash = await this.hash(password);
    await this.uow.run(async () => {
      await this.mustExist(user.defaultProjectId);
      await this.users.upsert(user);
      if (hash !== null) await this.users.setPasswordHash(user.id, hash);
      await this.record('user.created', user.id, caller, { name: user.name });
    });
    return user;
  }

  /**
   * Changes a user. A new password ends the user's tokens; while it is disabled they are worth nothing.
   *
   * @throws NotPermittedError the caller is no administrator
   * @throws UserNotFoundError, UserTakenError, InvalidPasswordError, ProjectNotFoundError, LastAdministratorError
   */
  async update(caller: Session, id: string, wanted: UpdateUser): Promise<User> {
    this.policy.administer(caller, 'identity:update_user');
    const { password, ...fields } = wanted;
    const hash = await this.hash(password);
    return this.administrators.keepOne(async () => {
      const { passwordHash: _, ...found } = await this.getForUpdate(id);
      const user: User = { ...found, ...fields };
      if (user.defaultProjectId !== found.defaultProjectId) await this.mustExist(user.defaultProjectId);
      await this.users.upsert(user);
      await this.record('user.updated', id, caller, { name: user.name, enabled: user.enabled });
      if (hash !== null) {
        await this.users.setPasswordHash(id, hash);
        await this.tokens.revokeAllOf(id);
        await this.record('user.password_changed', id, caller);
      }
      await this.tokens.forgetAll();
      return user;
    });
  }

  /**
   * Removes a user with its roles, tokens and credentials. What it made belongs to projects and stays.
   *
   * @throws NotPermittedError the caller is no administrator
   * @throws UserNotFoundError, LastAdministratorError
   */
  async remove(caller: Session, id: string): Promise<void> {
    this.policy.administer(caller, 'identity:delete_user');
    await this.administrators.keepOne(async () => {
      const user = await this.getForUpdate(id);
      await this.users.remove(id);
      await this.record('user.deleted', id, caller, { name: user.name });
      await this.tokens.forgetAll();
    });
  }

  /**
   * The user's own roles in a project.
   * @throws NotPermittedError the caller is no administrator
   * @throws UserNotFoundError, ProjectNotFoundError
   */
  async rolesIn(caller: Session, projectId: string, userId: string): Promise<Role[]> {
    this.policy.administer(caller, 'identity:list_grants');
    await this.mustBothExist(projectId, userId);
    return this.users.roles(userId, projectId);
  }

  /**
   * @throws NotPermittedError the caller is no administrator
   * @throws UserNotFoundError, ProjectNotFoundError, RoleAssignmentNotFoundError
   */
  async checkRole(caller: Session, projectId: string, userId: string, role: Role): Promise<void> {
    this.policy.administer(caller, 'identity:check_grant');
    await this.mustBothExist(projectId, userId);
    const roles = await this.users.roles(userId, projectId);
    if (!roles.includes(role)) throw new RoleAssignmentNotFoundError(projectId, userId, role);
  }

  /**
   * Gives a role; a no-op when the user has it.
   * @throws NotPermittedError the caller is no administrator
   * @throws UserNotFoundError, ProjectNotFoundError
   */
  async addRole(caller: Session, projectId: string, userId: string, role: Role): Promise<void> {
    this.policy.administer(caller, 'identity:create_grant');
    await this.uow.run(async () => {
      await this.mustBothExist(projectId, userId);
      if (!(await this.users.addRole(userId, projectId, role))) return;
      await this.recordRole('user.role_added', projectId, userId, role, caller);
    });
  }

  /**
   * Takes a role away.
   * @throws NotPermittedError the caller is no administrator
   * @throws UserNotFoundError, ProjectNotFoundError, RoleAssignmentNotFoundError, LastAdministratorError
   */
  async removeRole(caller: Session, projectId: string, userId: string, role: Role): Promise<void> {
    this.policy.administer(caller, 'identity:revoke_grant');
    await this.administrators.keepOne(async () => {
      await this.mustBothExist(projectId, userId);
      if (!(await this.users.removeRole(userId, projectId, role))) {
        throw new RoleAssignmentNotFoundError(projectId, userId, role);
      }
      await this.recordRole('user.role_removed', projectId, userId, role, caller);
    });
  }

  private async hash(password: string | undefined): Promise<string | null> {
    if (password === undefined) return null;
    checkPassword(password);
    return this.hasher.hash(password);
  }

  private async getForUpdate(id: string) {
    const user = await this.users.findForUpdate(id);
    if (!user) throw new UserNotFoundError(id);
    return user;
  }

  private async mustExist(projectId: string | null): Promise<void> {
    if (projectId !== null) await this.projects.get(projectId);
  }

  private async mustBothExist(projectId: string, userId: string): Promise<void> {
    if (!(await this.users.find(userId))) throw new UserNotFoundError(userId);
    if (!(await this.projects.find(projectId))) throw new ProjectNotFoundError(projectId);
  }

  private async recordRole(
    kind: string,
    projectId: string,
    userId: string,
    role: Role,
    caller: Session,
  ): Promise<void> {
    await this.record(kind, userId, caller, { role, project_id: projectId });
    await this.tokens.forgetAll();
  }

  private record(kind: string, userId: string, caller: Session, data?: Record<string, unknown>): Promise<void> {
    return this.outbox.record({ kind, noun: 'user', nounId: userId, projectId: null, actorId: caller.user.id, data });
  }
}
