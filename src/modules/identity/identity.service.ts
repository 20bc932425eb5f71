import { Injectable } from '@nestjs/common';
import { Actor, NotPermittedError, type Project, ProjectNotFoundError, ProjectsService } from '../tenancy/index.js';
import type { Call } from './application-credentials/access-rules.js';
import type { Session } from './tokens/session.js';
import { ShortLivedCache } from './tokens/short-lived-cache.js';
import { TokenValidator } from './tokens/token-validator.js';
import { TokensService } from './tokens/tokens.service.js';
import { UsersRepository } from './users/users.repository.js';

const CACHE_LIFE_MS = 4_000;
const CACHE_MAXIMUM = 100;

/** Credential in, actor out: what every face asks first. */
@Injectable()
export class IdentityService {
  private readonly openActors = new ShortLivedCache<Actor>(CACHE_LIFE_MS, CACHE_MAXIMUM);

  constructor(
    private readonly validator: TokenValidator,
    private readonly tokens: TokensService,
    private readonly projects: ProjectsService,
    private readonly users: UsersRepository,
  ) {}

  /**
   * Who a token stands for. A good token costs a database trip every four seconds at most; one that was revoked is dead
   * at once in the process that revoked it, and within five seconds in all others. A Keystone's tokens are asked about
   * again when `KILN_KEYSTONE_CACHE_SECONDS` have passed.
   *
   * @throws UnauthenticatedError unknown, expired, revoked, or what it depends on is gone or disabled; or it is bound to
   *   access rules, and none lets this call through
   * @throws UnavailableError a Keystone knows the tokens, and it does not answer
   */
  async authenticate(token: string, call: Call): Promise<Actor> {
    return (await this.validator.session(token, call)).actor;
  }

  /**
   * As `authenticate`, but in the project that the client names beside its token. The roles are the user's in that
   * project, administrators keep theirs everywhere, and application credentials stay where they were made.
   *
   * @throws UnauthenticatedError as `authenticate`
   * @throws NotPermittedError there is no such project, or the user has no role in it
   */
  async authenticateIn(token: string, projectNameOrId: string, call: Call): Promise<Actor> {
    const { actor, applicationCredential } = await this.validator.session(token, call);
    if (projectNameOrId === actor.projectName || projectNameOrId === actor.projectId) return actor;
    const project = applicationCredential ? null : await this.findProject(projectNameOrId);
    const roles = project ? await this.users.roles(actor.id, project.id) : [];
    if (!project?.enabled || (roles.length === 0 && !actor.isAdmin)) {
      throw new NotPermittedError(`act in project ${projectNameOrId.slice(0, 100)}`);
    }
    return Actor.user({
      id: actor.id,
      name: actor.name,
      projectId: project.id,
      projectName: project.name,
      roles: actor.isAdmin ? ['admin', ...roles] : roles,
    });
  }

  /** As `authenticate`, with everything that is known of the token. */
  session(token: string, call: Call): Promise<Session> {
    return this.validator.session(token, call);
  }

  /**
   * Nobody in particular, as a member of a project: for faces that are configured to need no credential.
   * @throws ProjectNotFoundError unknown or disabled
   */
  actorInProject(projectNameOrId: string): Promise<Actor> {
    return this.openActors.get(projectNameOrId, async () => {
      const project = await this.findProject(projectNameOrId);
      if (!project?.enabled) throw new ProjectNotFoundError(projectNameOrId);
      return Actor.user({
        id: 'anonymous',
        name: 'anonymous',
        projectId: project.id,
        projectName: project.name,
        roles: ['member'],
      });
    });
  }

  /** Removes tokens that nobody can ask about any more; returns how many. Repeatable, in any number of processes. */
  sweep(): Promise<number> {
    return this.tokens.sweep();
  }

  private async findProject(nameOrId: string): Promise<Project | null> {
    return (await this.projects.find(nameOrId)) ?? (await this.projects.findByName(nameOrId));
  }
}
