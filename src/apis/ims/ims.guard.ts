import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import { IdentityService } from '../../modules/identity/index.js';
import { type Actor, NotPermittedError } from '../../modules/tenancy/index.js';
import { callOf } from '../shared/requests/call.js';
import { tokenOf } from '../shared/callers/credentials.js';
import type { AuthenticatedRequest } from '../shared/callers/current-actor.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { type Identified, RequestRate } from '../shared/rates/request-rate.js';
import { CredentialRequiredError } from '../shared/requests/request-errors.js';
import { OpenProjectMissingError } from './ims.errors.js';

// The cray command line names the tenant it works for, if one is set.
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
    private readonly config: Config,
    private readonly faces: FaceRegistry,
    private readonly rate: RequestRate,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const actor = await this.rate.identify(request, () => this.find(request));
    request.actor = actor;
    const { id } = request.params as { id?: string };
    const needed = request.method === 'GET' || id !== undefined ? 'reader' : 'member';
    if (!actor.has(needed)) throw new NotPermittedError(`${request.method} ${request.routeOptions.url ?? ''}`.trim());
    return true;
  }

  private async find(request: AuthenticatedRequest): Promise<Identified<Actor>> {
    const token = tokenOf(request);
    const header = request.headers[TENANT_HEADER];
    const tenant = typeof header === 'string' ? header.trim() : '';
    if (token !== null) {
      const call = callOf(request, this.faces);
      const caller =
        tenant === ''
          ? await this.identity.authenticate(token, call)
          : await this.identity.authenticateIn(token, tenant, call);
      return { caller, credential: token };
    }
    const { openProject } = this.config.ims;
    if (openProject === undefined || request.headers.authorization !== undefined) throw new CredentialRequiredError();
    const anybody = await this.identity.actorInProject(openProject).catch(refuseOpening);
    if (tenant !== '' && tenant !== anybody.projectName && tenant !== anybody.projectId) {
      throw new NotPermittedError(`act in project ${tenant.slice(0, 100)}`);
    }
    return { caller: anybody, credential: null };
  }
}

/** Not the client's fault, and no record that is missing. */
function refuseOpening(error: unknown): never {
  if (error instanceof NotFoundError) throw new OpenProjectMissingError(error);
  throw error;
}
