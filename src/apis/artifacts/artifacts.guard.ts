import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { IdentityService } from '../../modules/identity/index.js';
import { tokenOf } from '../shared/credentials.js';
import type { AuthenticatedRequest } from '../shared/current-actor.js';
import { CredentialRequiredError } from '../shared/request-errors.js';

/** Token in, actor out; what the actor may do is the domain's to say. */
@Injectable()
export class ArtifactsGuard implements CanActivate {
  constructor(private readonly identity: IdentityService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const token = tokenOf(request);
    if (token === null) throw new CredentialRequiredError();
    request.actor = await this.identity.authenticate(token);
    return true;
  }
}
