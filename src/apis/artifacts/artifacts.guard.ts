import { type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { TokenGuard } from '../shared/callers/auth-guard.js';
import { linkOf } from './artifacts.requests.js';

/** A link that Kiln signed needs no token beside it; whether it is good is found when it is opened. */
@Injectable()
export class ArtifactsGuard extends TokenGuard {
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (linkOf(context.switchToHttp().getRequest<FastifyRequest>())) return true;
    return super.canActivate(context);
  }
}
