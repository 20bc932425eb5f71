import { createHash } from 'node:crypto';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { RateLimitedError } from '../../common/errors.js';
import { RateLimiter } from '../../platform/rate-limit/rate-limiter.js';
import { FaceRegistry } from './face-registry.js';
import { pathOf } from './wire-exception.filter.js';

/** One credential sends more than it may. */
class TooManyRequestsError extends RateLimitedError {
  override readonly code = 'request.too_many';
  constructor(retryAfterSeconds: number) {
    super(`Too many requests; try again in ${retryAfterSeconds} s`, { retryAfterSeconds });
  }
}

/**
 * Refuses what one credential sends beyond its share, before anything is done for it. Health and metrics are never
 * refused: an operator needs them most when there is too much to do.
 */
@Injectable()
export class RateLimitGuard implements CanActivate {
  constructor(
    private readonly limiter: RateLimiter,
    private readonly faces: FaceRegistry,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (this.faces.forPath(pathOf(request.originalUrl)).name === 'root') return true;
    const waitMs = await this.limiter.take(keyOf(request));
    if (waitMs !== null) throw new TooManyRequestsError(Math.max(1, Math.ceil(waitMs / 1_000)));
    return true;
  }
}

/** Whoever brings no credential is known by its address. The credential itself is kept nowhere. */
function keyOf({ headers, ip }: FastifyRequest): string {
  const credential = headers['x-auth-token'] ?? headers.authorization;
  return typeof credential === 'string' ? createHash('sha256').update(credential).digest('base64url') : `from ${ip}`;
}
