import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { IdentityService } from '../../../modules/identity/index.js';
import type { Actor } from '../../../modules/tenancy/index.js';
import { callOf } from '../requests/call.js';
import { tokenOf } from './credentials.js';
import type { AuthenticatedRequest } from './current-actor.js';
import { FaceRegistry } from '../face-registry.js';
import { type Identified, RequestRate } from '../rates/request-rate.js';
import { CredentialRequiredError } from '../requests/request-errors.js';

/** Token in, actor out; what the actor may do is the domain's to say. The face's module imports `IdentityModule`. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    private readonly identity: IdentityService,
    private readonly faces: FaceRegistry,
    private readonly rate: RequestRate,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.authenticate(context.switchToHttp().getRequest<AuthenticatedRequest>());
    return true;
  }

  /**
   * @throws UnauthenticatedError no token, or one that is not good
   * @throws RateLimitedError
   */
  async authenticate(request: AuthenticatedRequest): Promise<void> {
    request.actor = await this.rate.identify(request, () => this.find(request));
  }

  protected async find(request: AuthenticatedRequest): Promise<Identified<Actor>> {
    const token = tokenOf(request);
    if (token === null) throw new CredentialRequiredError();
    return { caller: await this.identity.authenticate(token, callOf(request, this.faces)), credential: token };
  }
}
