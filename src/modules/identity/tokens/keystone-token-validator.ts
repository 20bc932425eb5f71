import { createHash } from 'node:crypto';
import { Clock } from '../../../common/clock.js';
import type { KeystoneClient, KeystoneToken } from '../../../platform/keystone/keystone-client.js';
import { KeystoneUnavailableError } from '../../../platform/keystone/keystone.errors.js';
import { Actor, ProjectsService, type Role, ROLES } from '../../tenancy/index.js';
import { allowsCall, type Call } from '../application-credentials/access-rules.js';
import { InvalidCredentialsError } from '../identity.errors.js';
import { expandRoles } from '../roles.js';
import type { Scope, Session } from './session.js';
import { ShortLivedCache } from './short-lived-cache.js';
import { TokenValidator } from './token-validator.js';

const CACHE_MAXIMUM = 10_000;
const TOKEN_FORM = /^[\x21-\x7e]+$/;

/**
 * Tokens of a real Keystone, validated as its middleware does. What Keystone said of a token is trusted for a while, but
 * never beyond the token's own end; that it knows none is not remembered.
 *
 * @see keystonemiddleware, auth_token
 */
export class KeystoneTokenValidator extends TokenValidator {
  private readonly sessions: ShortLivedCache<Session>;

  constructor(
    private readonly keystone: KeystoneClient,
    private readonly projects: ProjectsService,
    private readonly clock: Clock,
    cacheMs: number,
  ) {
    super();
    this.sessions = new ShortLivedCache(cacheMs, CACHE_MAXIMUM);
  }

  override async session(token: string, call: Call): Promise<Session> {
    try {
      const byService = call.serviceToken !== null && (await this.isService(call.serviceToken, call.lenient));
      const session = await this.find(token, byService);
      // A service may be late on behalf of its user, and does what no rule of the user's could name.
      const rules = byService ? null : (session.applicationCredential?.accessRules ?? null);
      if (!allowsCall(rules, call)) throw new InvalidCredentialsError();
      return session;
    } catch (error) {
      if (call.lenient && error instanceof KeystoneUnavailableError) throw new InvalidCredentialsError();
      throw error;
    }
  }

  /** @throws InvalidCredentialsError it is none, and the face does not overlook that */
  private async isService(token: string, lenient: boolean): Promise<boolean> {
    try {
      const { roles } = await this.find(token, false);
      if (roles.includes('service')) return true;
      throw new InvalidCredentialsError();
    } catch (error) {
      if (lenient && error instanceof InvalidCredentialsError) return false;
      throw error;
    }
  }

  private async find(token: string, allowExpired: boolean): Promise<Session> {
    if (!TOKEN_FORM.test(token)) throw new InvalidCredentialsError();
    // Not the token itself: whoever gets hold of this memory cannot act with it.
    const key = `${createHash('sha256').update(token).digest('hex')}${allowExpired ? ' expired' : ''}`;
    const session = await this.sessions.get(key, () => this.ask(token, allowExpired));
    if (!allowExpired && session.expiresAt <= this.clock.now()) throw new InvalidCredentialsError();
    return session;
  }

  private async ask(token: string, allowExpired: boolean): Promise<Session> {
    const found = await this.keystone.validate(token, allowExpired);
    if (!found) throw new InvalidCredentialsError();
    return this.toSession(found);
  }

  private async toSession(token: KeystoneToken): Promise<Session> {
    const scope = await this.toScope(token);
    // Roles that Kiln does not know give nothing.
    const names = new Set(token.roles?.map(({ name }) => name.toLowerCase()));
    const roles = expandRoles(ROLES.filter((role: Role) => names.has(role)));
    const project = scope.kind === 'project' ? scope.project : null;
    const { application_credential: credential } = token;
    return {
      user: {
        id: token.user.id,
        name: token.user.name,
        domain: { ...token.user.domain, description: '' },
        defaultProjectId: null,
      },
      scope,
      roles,
      methods: token.methods ?? [],
      auditIds: token.audit_ids ?? [],
      issuedAt: new Date(token.issued_at),
      expiresAt: new Date(token.expires_at),
      applicationCredential: credential
        ? {
            id: credential.id,
            name: credential.name,
            unrestricted: credential.restricted === false,
            accessRules: credential.access_rules ?? null,
          }
        : null,
      actor: Actor.user({
        id: token.user.id,
        name: token.user.name,
        projectId: project?.id ?? null,
        projectName: project?.name ?? null,
        roles,
      }),
    };
  }

  private async toScope({ project, domain, system }: KeystoneToken): Promise<Scope> {
    if (project) {
      const known = await this.projects.encounter({ id: project.id, name: project.name, domainId: project.domain.id });
      return { kind: 'project', project: known };
    }
    if (domain) return { kind: 'domain', domain: { ...domain, description: '' } };
    return system?.all ? { kind: 'system' } : { kind: 'unscoped' };
  }
}
