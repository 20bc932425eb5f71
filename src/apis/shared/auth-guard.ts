import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { IdentityService } from '../../modules/identity/index.js';
import type { Actor } from '../../modules/tenancy/index.js';
import { tokenOf } from './credentials.js';
import type { AuthenticatedRequest } from './current-actor.js';
import { CredentialRequiredError } from './request-errors.js';

/**
 * Token in, actor out. A face uses it as it is, or says in a subclass what holds for a request without a token. The
 * face's module imports `IdentityModule`.
 */
@Injectable()
export class TokenGuard implements CanActivate {
  constructor(protected readonly identity: IdentityService) {}

  /** @throws UnauthenticatedError no token, or one that is not good */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const token = tokenOf(request);
    request.actor = token === null ? await this.withoutToken(request) : await this.identity.authenticate(token);
    return true;
  }

  /** The actor of a request that brings no token; refused unless a face knows better. */
  protected withoutToken(_request: FastifyRequest): Promise<Actor> {
    return Promise.reject(new CredentialRequiredError());
  }
}
