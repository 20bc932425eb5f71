import { hash as digest, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { Config } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { Actor, withImplied } from '../../tenancy/index.js';
import { DEFAULT_DOMAIN, domainById } from '../domains.js';
import { InvalidCredentialsError, TokenNotFoundError } from '../identity.errors.js';
import { IdentityPolicy } from '../identity.policy.js';
import { expandRoles } from '../roles.js';
import type { Scope, Session } from './session.js';
import { ShortLivedCache } from './short-lived-cache.js';
import { type NewToken, type TokenRow, TokensRepository } from './tokens.repository.js';
import { UsersRepository } from '../users/users.repository.js';

const TOKEN_BYTES = 32;
const TOKEN_FORM = /^[\w-]{43}$/;
/** With the time of one lookup on top, what another process revoked is dead here within five seconds. */
const CACHE_LIFE_MS = 4_000;
const CACHE_MAXIMUM = 10_000;
/** How long an expired token can still be asked about by services that work on behalf of its user. */
const EXPIRED_FOR_MS = 2 * 24 * 3_600_000;

/** A token to make; who may have it was decided before. */
export interface IssueToken {
  readonly userId: string;
  readonly scope: Scope['kind'];
  readonly projectId: string | null;
  readonly methods: readonly string[];
  readonly applicationCredentialId?: string;
  /** The token lives no longer than this. */
  readonly notAfter?: Date | null;
  /** The stored hash that the user's password was compared with, if it was asked for. */
  readonly passwordHash?: string | null;
  /** The token that this one is made from. */
  readonly parent?: IssuedToken;
}

/** A token as its owner gets it, once. */
export interface IssuedToken {
  readonly token: string;
  readonly session: Session;
}

/**
 * Tokens: opaque, kept only as hashes, and worth what user, project, roles and credential are worth at the moment.
 *
 * What a token stands for is remembered for four seconds, so a busy client costs one query in that time.
 */
@Injectable()
export class TokensService {
  private readonly sessions = new ShortLivedCache<Session>(CACHE_LIFE_MS, CACHE_MAXIMUM);

  constructor(
    private readonly tokens: TokensRepository,
    private readonly users: UsersRepository,
    private readonly policy: IdentityPolicy,
    private readonly uow: UnitOfWork,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /**
   * Makes a token.
   * @throws InvalidCredentialsError user, project, role, or what the user was proven by went away meanwhile
   */
  async issue(order: IssueToken): Promise<IssuedToken> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    await this.uow.run(async () => {
      await this.checkStillProven(order);
      await this.tokens.insert(this.toRow(token, order));
    });
    return { token, session: await this.session(token) };
  }

  /**
   * What a token stands for; no database trip while it is remembered.
   * @throws InvalidCredentialsError unknown, expired, revoked, or its user, project, role or credential is gone
   */
  async session(token: string): Promise<Session> {
    if (!TOKEN_FORM.test(token)) throw new InvalidCredentialsError();
    const session = await this.sessions.get(token, () => this.lookUp(token));
    if (session.expiresAt <= this.clock.now()) throw new InvalidCredentialsError();
    return session;
  }

  /** As `session`, without the memory of this process. */
  async freshSession(token: string): Promise<Session> {
    const session = await this.lookUp(token);
    if (session.expiresAt <= this.clock.now()) throw new InvalidCredentialsError();
    return session;
  }

  /**
   * What another token stands for, without the memory of this process.
   *
   * @param allowExpired also one that expired up to two days ago
   * @throws TokenNotFoundError no such token, or no longer good
   * @throws NotPermittedError somebody else's, and the caller is neither administrator nor service
   */
  async inspect(caller: Session, token: string, allowExpired = false): Promise<Session> {
    const session = await this.findSession(token);
    const deadline = this.clock.now().getTime() - (allowExpired ? EXPIRED_FOR_MS : 0);
    if (!session || session.expiresAt.getTime() <= deadline) throw new TokenNotFoundError();
    this.policy.mayInspectToken(caller, session);
    return session;
  }

  /**
   * Ends a token: at once in this process, within five seconds in all others.
   * @throws TokenNotFoundError no such token, or no longer good
   * @throws NotPermittedError somebody else's, and the caller is neither administrator nor service
   */
  async revoke(caller: Session, token: string): Promise<void> {
    const session = await this.findSession(token);
    if (!session || session.expiresAt <= this.clock.now()) throw new TokenNotFoundError();
    this.policy.mayRevokeToken(caller, session);
    await this.tokens.revoke(hashOf(token), this.clock.now());
    this.sessions.drop(token);
  }

  /** Ends every token of a user, in the open transaction. */
  async revokeAllOf(userId: string): Promise<void> {
    await this.tokens.revokeAllOf(userId, this.clock.now());
    await this.forgetAll();
  }

  /** Something changed that tokens depend on: once it is committed, this process looks all of them up again. */
  forgetAll(): Promise<void> {
    return this.uow.afterCommit(() => this.sessions.clear());
  }

  /** Removes tokens that nobody can ask about any more; returns how many. */
  sweep(): Promise<number> {
    return this.tokens.removeExpired(new Date(this.clock.now().getTime() - EXPIRED_FOR_MS));
  }

  /**
   * To compare a password takes a while. A change of it that ends the user's tokens comes before this, or ends this token as
   * well.
   */
  private async checkStillProven({ userId, passwordHash, parent }: IssueToken): Promise<void> {
    const user = await this.users.findForShare(userId);
    if (!user || (passwordHash !== undefined && user.passwordHash !== passwordHash))
      throw new InvalidCredentialsError();
    if (parent && !(await this.tokens.holdUnrevoked(hashOf(parent.token)))) throw new InvalidCredentialsError();
  }

  private toRow(token: string, order: IssueToken): NewToken {
    const issuedAt = this.clock.now();
    const expiresAt = new Date(issuedAt.getTime() + this.config.identity.tokenTtlSeconds * 1_000);
    return {
      hash: hashOf(token),
      userId: order.userId,
      scope: order.scope,
      projectId: order.projectId,
      methods: order.methods,
      auditIds: [randomBytes(16).toString('base64url'), ...(order.parent?.session.auditIds.slice(0, 1) ?? [])],
      applicationCredentialId: order.applicationCredentialId ?? null,
      issuedAt,
      expiresAt: order.notAfter && order.notAfter < expiresAt ? order.notAfter : expiresAt,
    };
  }

  private async lookUp(token: string): Promise<Session> {
    const session = await this.findSession(token);
    if (!session) throw new InvalidCredentialsError();
    return session;
  }

  private async findSession(token: string): Promise<Session | null> {
    if (!TOKEN_FORM.test(token)) return null;
    const row = await this.tokens.find(hashOf(token));
    return row && toSession(row);
  }
}

function hashOf(token: string): Buffer {
  return digest('sha256', token, 'buffer');
}

/** Null when something that the token depends on is gone or disabled. */
function toSession(row: TokenRow): Session | null {
  const scope = toScope(row);
  const roles = expandRoles(effectiveRoles(row));
  if (!row.userEnabled || !scope || (scope.kind !== 'unscoped' && roles.length === 0)) return null;
  return {
    user: {
      id: row.userId,
      name: row.userName,
      domain: domainById(row.userDomainId),
      defaultProjectId: row.userDefaultProjectId,
    },
    scope,
    roles,
    methods: row.methods,
    auditIds: row.auditIds,
    issuedAt: row.issuedAt,
    expiresAt: row.expiresAt,
    applicationCredential: row.credentialId
      ? {
          id: row.credentialId,
          name: row.credentialName!,
          unrestricted: row.credentialUnrestricted!,
          accessRules: row.accessRules,
        }
      : null,
    actor: Actor.user({
      id: row.userId,
      name: row.userName,
      projectId: row.projectId,
      projectName: row.projectName,
      roles,
    }),
  };
}

function toScope(row: TokenRow): Scope | null {
  switch (row.scope) {
    case 'system':
    case 'unscoped':
      return { kind: row.scope };
    case 'domain':
      return { kind: 'domain', domain: DEFAULT_DOMAIN };
    case 'project':
      if (!row.projectEnabled) return null;
      return {
        kind: 'project',
        project: {
          id: row.projectId!,
          name: row.projectName!,
          domainId: row.projectDomainId!,
          description: row.projectDescription!,
          enabled: true,
        },
      };
  }
}

/** A credential passes on what it was given of what its user still has. */
function effectiveRoles(row: TokenRow) {
  if (!row.credentialRoles) return row.roles;
  const own = withImplied(row.roles);
  return row.credentialRoles.filter((role) => own.has(role));
}
