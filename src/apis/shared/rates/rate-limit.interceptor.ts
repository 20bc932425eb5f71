import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { FaceRegistry } from '../face-registry.js';
import { pathOf } from '../wire-exception.filter.js';
import { RequestRate } from './request-rate.js';

/** Counts what no guard has counted: sign-ins, version documents and signed links, whatever headers they bring. */
@Injectable()
export class RateLimitInterceptor implements NestInterceptor {
  constructor(
    private readonly rate: RequestRate,
    private readonly faces: FaceRegistry,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (!this.faces.forPath(pathOf(request.originalUrl)).onlyTells) await this.rate.countRest(request);
    return next.handle();
  }
}
