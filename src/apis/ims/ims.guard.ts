import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { IdentityService } from '../../modules/identity/index.js';
import { Actor, NotPermittedError, ProjectsService } from '../../modules/tenancy/index.js';
import { tokenOf } from '../shared/credentials.js';
import type { AuthenticatedRequest } from '../shared/current-actor.js';
import { CredentialRequiredError } from '../shared/request-errors.js';

const TENANT_HEADER = 'cray-tenant-name';

/**
 * Decides on whose behalf a request is: a token's, or in open mode the configured project's. Whoever only reads is
 * turned away here from what makes or removes whole sets; changes of one record are the domain's to judge, since an
 * unknown record is told before a missing right.
 */
@Injectable()
export class ImsGuard implements CanActivate {
  constructor(
    private readonly identity: IdentityService,
    private readonly projects: ProjectsService,
    private readonly config: Config,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const actor = await this.inTenant(await this.authenticate(request), request.headers[TENANT_HEADER]);
    request.actor = actor;
    const { id } = request.params as { id?: string };
    const needed = request.method === 'GET' || id !== undefined ? 'reader' : 'member';
    if (!actor.has(needed)) throw new NotPermittedError(`${request.method} ${request.routeOptions.url ?? ''}`.trim());
    return true;
  }

  private async authenticate(request: AuthenticatedRequest): Promise<Actor> {
    const token = tokenOf(request);
    if (token !== null) return this.identity.authenticate(token);
    const { openProject } = this.config.ims;
    if (openProject === undefined || request.headers.authorization !== undefined) throw new CredentialRequiredError();
    return this.identity.actorInProject(openProject);
  }

  // The cray command line names the tenant it works for, if one is set.
  private async inTenant(actor: Actor, header: string | string[] | undefined): Promise<Actor> {
    const tenant = typeof header === 'string' ? header.trim() : '';
    if (tenant === '' || tenant === actor.projectName || tenant === actor.projectId) return actor;
    const project = actor.isAdmin
      ? ((await this.projects.findByName(tenant)) ?? (await this.projects.find(tenant)))
      : null;
    if (!project) throw new NotPermittedError(`work for tenant ${tenant.slice(0, 100)}`);
    return Actor.user({ ...actor, projectId: project.id, projectName: project.name });
  }
}
