import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { hasBody } from '../shared/requests/json-body.js';
import { BodyNotExpectedError } from './glance.errors.js';

/** For operations that take no body; put behind `TokenGuard`. */
@Injectable()
export class NoBodyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (hasBody(context.switchToHttp().getRequest<FastifyRequest>().headers)) throw new BodyNotExpectedError();
    return true;
  }
}
