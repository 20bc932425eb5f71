import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { IdentityService } from '../../modules/identity/index.js';
import { tokenOf } from '../shared/credentials.js';
import type { AuthenticatedRequest } from '../shared/current-actor.js';
import { hasBody } from '../shared/json-body.js';
import { CredentialRequiredError } from '../shared/request-errors.js';
import { BodyNotExpectedError } from './glance.errors.js';

/** Token in, actor out. */
@Injectable()
export class GlanceGuard implements CanActivate {
  constructor(private readonly identity: IdentityService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    await this.authenticate(context.switchToHttp().getRequest<AuthenticatedRequest>());
    return true;
  }

  /** @throws UnauthenticatedError */
  async authenticate(request: AuthenticatedRequest): Promise<void> {
    const token = tokenOf(request);
    if (token === null) throw new CredentialRequiredError();
    request.actor = await this.identity.authenticate(token);
  }
}

/** For operations that take no body; put behind `GlanceGuard`. */
@Injectable()
export class NoBodyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    if (hasBody(request.headers)) throw new BodyNotExpectedError();
    return true;
  }
}
