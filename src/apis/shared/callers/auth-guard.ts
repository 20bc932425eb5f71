import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { IdentityService } from '../../../modules/identity/index.js';
import { callOf } from '../requests/call.js';
import { tokenOf } from './credentials.js';
import type { AuthenticatedRequest } from './current-actor.js';
import { FaceRegistry } from '../face-registry.js';
import { CredentialRequiredError } from '../requests/request-errors.js';

/** Token in, actor out; what the actor may do is the domain's to say. The face's module imports `IdentityModule`. */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(
    private readonly identity: IdentityService,
    private readonly faces: FaceRegistry,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.authenticate(context.switchToHttp().getRequest<AuthenticatedRequest>());
    return true;
  }

  /** @throws UnauthenticatedError no token, or one that is not good */
  async authenticate(request: AuthenticatedRequest): Promise<void> {
    const token = tokenOf(request);
    if (token === null) throw new CredentialRequiredError();
    request.actor = await this.identity.authenticate(token, callOf(request, this.faces));
  }
}
