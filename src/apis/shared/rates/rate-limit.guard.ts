import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { FaceRegistry } from '../face-registry.js';
import { credentialKey, RequestRate } from './request-rate.js';
import { pathOf } from '../wire-exception.filter.js';

/**
 * Refuses what one credential sends beyond its share, before anything is done for it. Health and metrics are never
 * refused: an operator needs them most when there is too much to do.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly rate: RequestRate,
    private readonly faces: FaceRegistry,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const face = this.faces.forPath(pathOf(request.originalUrl));
    if (face.name === 'root' || face.limitsAfterSignIn) return true;
    await this.rate.take(keyOf(request));
    return true;
  }
}

/** Whoever brings no credential is known by its address. */
function keyOf({ headers, ip }: FastifyRequest): string {
  const credential = headers['x-auth-token'] ?? headers.authorization;
  return typeof credential === 'string' ? credentialKey(credential) : `from ${ip}`;
}
