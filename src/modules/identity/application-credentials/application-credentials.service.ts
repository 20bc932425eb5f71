import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { isHexId, newHexId } from '../../../common/ids.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Outbox } from '../../../platform/events/outbox.js';
import type { Role } from '../../tenancy/index.js';
import type { AccessRule } from './access-rules.js';
import { AccessRulesRepository, type WantedAccessRule } from './access-rules.repository.js';
import { type ApplicationCredential, ApplicationCredentialsRepository } from './application-credentials.repository.js';
import {
  AccessRuleInUseError,
  AccessRuleNotFoundError,
  ApplicationCredentialNotFoundError,
  InvalidApplicationCredentialError,
} from '../identity.errors.js';
import { IdentityPolicy } from '../identity.policy.js';
import { PasswordHasher } from '../sign-in/password-hasher.js';
import { expandRoles } from '../roles.js';
import type { Session } from '../tokens/session.js';
import { TokensService } from '../tokens/tokens.service.js';
import { UsersRepository } from '../users/users.repository.js';
import { type BoundedList, bounded, LIST_MAXIMUM, PASSWORD_MAXIMUM_LENGTH } from '../users/users.service.js';

const SECRET_BYTES = 64;

/** An application credential to make. */
export interface CreateApplicationCredential {
  /** Another project in which the caller has roles; absent: that of the token. */
  readonly projectId?: string;
  readonly name: string;
  readonly description: string | null;
  /** Made up when absent. */
  readonly secret?: string;
  /** All that the caller has in the project when absent. */
  readonly roles?: readonly Role[];
  readonly unrestricted: boolean;
  readonly expiresAt: Date | null;
  /** The calls that it shall be good for; none: all. */
  readonly accessRules: readonly WantedAccessRule[];
}

/** Application credentials: how programs sign in without anybody's password. */
@Injectable()
export class ApplicationCredentialsService {
  constructor(
    private readonly credentials: ApplicationCredentialsRepository,
    private readonly rules: AccessRulesRepository,
    private readonly users: UsersRepository,
    private readonly tokens: TokensService,
    private readonly hasher: PasswordHasher,
    private readonly policy: IdentityPolicy,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Makes a credential; its secret is told this once.
   *
   * @throws NotPermittedError for another user, or with a token of a restricted application credential
   * @throws InvalidApplicationCredentialError no project, a role that the caller lacks in it, already expired
   * @throws ApplicationCredentialNameTakenError, AccessRuleNotFoundError
   */
  async create(
    caller: Session,
    userId: string,
    wanted: CreateApplicationCredential,
  ): Promise<{ credential: ApplicationCredential; secret: string }> {
    this.policy.mayChangeCredentials(caller, userId, 'identity:create_application_credential');
    const credential = this.compose(caller, wanted, await this.place(caller, wanted.projectId));
    const secret = wanted.secret ?? randomBytes(SECRET_BYTES).toString('base64url');
    const secretHash = await this.hasher.hash(secret);
    const accessRules = await this.uow.run(async () => {
      await this.credentials.insert({ ...credential, secretHash });
      await this.record('application_credential.created', credential, caller);
      if (wanted.accessRules.length === 0) return null;
      return this.rules.attach(userId, credential.id, wanted.accessRules);
    });
    return { credential: { ...credential, accessRules }, secret };
  }

  /**
   * By name, at most `LIST_MAXIMUM`.
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   */
  async list(caller: Session, userId: string, name?: string): Promise<BoundedList<ApplicationCredential>> {
    this.policy.self(caller, userId, 'identity:list_application_credentials');
    return bounded(await this.credentials.list(userId, name, LIST_MAXIMUM + 1));
  }

  /**
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   * @throws ApplicationCredentialNotFoundError
   */
  async get(caller: Session, userId: string, id: string): Promise<ApplicationCredential> {
    this.policy.self(caller, userId, 'identity:get_application_credential');
    const found = isHexId(id) ? await this.credentials.find(id) : null;
    if (found?.userId !== userId) throw new ApplicationCredentialNotFoundError(id);
    return found;
  }

  /**
   * Removes a credential and ends its tokens.
   *
   * @throws NotPermittedError somebody else's, and the caller is no administrator, or with a token of a restricted one
   * @throws ApplicationCredentialNotFoundError
   */
  async remove(caller: Session, userId: string, id: string): Promise<void> {
    this.policy.mayChangeCredentials(caller, userId, 'identity:delete_application_credential');
    await this.uow.run(async () => {
      const credential = await this.get(caller, userId, id);
      if (!(await this.credentials.remove(userId, id))) throw new ApplicationCredentialNotFoundError(id);
      await this.record('application_credential.deleted', credential, caller);
      await this.tokens.forgetAll();
    });
  }

  /**
   * A user's access rules, by service, path and method, at most `LIST_MAXIMUM`.
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   */
  async listRules(caller: Session, userId: string, filter: Partial<AccessRule>): Promise<BoundedList<AccessRule>> {
    this.policy.self(caller, userId, 'identity:list_access_rules');
    return bounded(await this.rules.list(userId, filter, LIST_MAXIMUM + 1));
  }

  /**
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   * @throws AccessRuleNotFoundError
   */
  async getRule(caller: Session, userId: string, id: string): Promise<AccessRule> {
    this.policy.self(caller, userId, 'identity:get_access_rule');
    const rule = await this.rules.find(userId, id);
    if (!rule) throw new AccessRuleNotFoundError(id);
    return rule;
  }

  /**
   * @throws NotPermittedError somebody else's, and the caller is no administrator
   * @throws AccessRuleNotFoundError, AccessRuleInUseError
   */
  async removeRule(caller: Session, userId: string, id: string): Promise<void> {
    this.policy.self(caller, userId, 'identity:delete_access_rule');
    const removed = await this.uow.run(() => this.rules.remove(userId, id));
    if (removed === null) throw new AccessRuleNotFoundError(id);
    if (!removed) throw new AccessRuleInUseError(id);
  }

  /** Where the credential is to be good, and the most that it may be good for. */
  private async place({ scope, user, roles, applicationCredential }: Session, wanted: string | undefined) {
    if (scope.kind === 'project' && (wanted ?? scope.project.id) === scope.project.id) {
      return { projectId: scope.project.id, roles };
    }
    if (wanted === undefined) {
      throw new InvalidApplicationCredentialError('it needs a token that is scoped to a project');
    }
    // What an administrator does everywhere is not the project's to give.
    const own = applicationCredential ? [] : expandRoles(await this.users.roles(user.id, wanted));
    if (own.length === 0) throw new InvalidApplicationCredentialError('the user has no role in the project');
    return { projectId: wanted, roles: own };
  }

  private compose(
    caller: Session,
    wanted: CreateApplicationCredential,
    { projectId, roles }: { readonly projectId: string; readonly roles: readonly Role[] },
  ): ApplicationCredential {
    const missing = wanted.roles?.find((role) => !roles.includes(role));
    if (missing) throw new InvalidApplicationCredentialError(`Could not find role assignment with role: ${missing}`);
    if (wanted.expiresAt && wanted.expiresAt <= this.clock.now()) {
      throw new InvalidApplicationCredentialError('expires_at is in the past');
    }
    if (wanted.secret !== undefined && (wanted.secret === '' || wanted.secret.length > PASSWORD_MAXIMUM_LENGTH)) {
      throw new InvalidApplicationCredentialError(`the secret must have 1 to ${PASSWORD_MAXIMUM_LENGTH} characters`);
    }
    return {
      id: newHexId(),
      userId: caller.user.id,
      projectId,
      name: wanted.name,
      description: wanted.description,
      roles: wanted.roles?.length ? wanted.roles : roles,
      unrestricted: wanted.unrestricted,
      expiresAt: wanted.expiresAt,
      accessRules: null,
    };
  }

  private record(kind: string, credential: ApplicationCredential, caller: Session): Promise<void> {
    return this.outbox.record({
      kind,
      noun: 'application_credential',
      nounId: credential.id,
      projectId: credential.projectId,
      actorId: caller.user.id,
      data: { name: credential.name, user_id: credential.userId },
    });
  }
}
