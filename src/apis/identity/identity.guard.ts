import {
  type CallHandler,
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { IdentityService, type Session } from '../../modules/identity/index.js';
import { callOf } from '../shared/requests/call.js';
import { tokenOf } from '../shared/callers/credentials.js';
import type { AuthenticatedRequest } from '../shared/callers/current-actor.js';
import { FaceRegistry } from '../shared/face-registry.js';
import { RequestRate } from '../shared/rates/request-rate.js';
import { CredentialRequiredError } from '../shared/requests/request-errors.js';

interface SessionRequest extends AuthenticatedRequest {
  session: Session;
}

/** Token in, session out: identity wants to know more of a token than whom it stands for. */
@Injectable()
export class IdentityGuard implements CanActivate {
  constructor(
    private readonly identity: IdentityService,
    private readonly faces: FaceRegistry,
    private readonly rate: RequestRate,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<SessionRequest>();
    request.session = await this.rate.identify(request, async () => {
      const token = tokenOf(request);
      if (token === null) throw new CredentialRequiredError();
      return { caller: await this.identity.session(token, callOf(request, this.faces)), credential: token };
    });
    request.actor = request.session.actor;
    return true;
  }
}

/** The caller's session, behind `IdentityGuard`. */
export const Caller = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Session => context.switchToHttp().getRequest<SessionRequest>().session,
);

/** What every good answer of this face carries; bad ones get it from the face itself. */
@Injectable()
export class VaryByToken implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    void context.switchToHttp().getResponse<FastifyReply>().header('vary', 'X-Auth-Token');
    return next.handle();
  }
}

/** The token that a request asks about. */
export function subjectTokenOf(request: FastifyRequest): string {
  const header = request.headers['x-subject-token'];
  return typeof header === 'string' ? header.trim() : '';
}
