import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { RateLimitedError } from '../../../common/errors.js';
import { RateLimiter } from '../../../platform/rate-limit/rate-limiter.js';

/** One credential sends more than it may. */
class TooManyRequestsError extends RateLimitedError {
  override readonly code = 'request.too_many';
  constructor(retryAfterSeconds: number) {
    super(`Too many requests; try again in ${retryAfterSeconds} s`, { retryAfterSeconds });
  }
}

/** Somebody whom a credential shows. */
export interface Identified<T> {
  readonly caller: T;
  /** What is the same in every request of the credential, however it is spelled; null: none was needed. */
  readonly credential: string | null;
}

/** What each credential may send in a second, and each address where there is none that is good. */
@Injectable()
export class RequestRate {
  private readonly counted = new WeakSet<FastifyRequest>();

  constructor(private readonly limiter: RateLimiter) {}

  /**
   * Finds out whose request it is, and counts it. Not before: else every made-up credential could send its own share.
   * @throws RateLimitedError there were too many
   */
  async identify<T>(request: FastifyRequest, find: () => Promise<Identified<T>>): Promise<T> {
    let credential: string | null = null;
    try {
      const found = await find();
      credential = found.credential;
      return found.caller;
    } finally {
      await this.count(request, credential === null ? `from ${request.ip}` : digest(credential));
    }
  }

  /**
   * Counts a request by its address, unless it was counted already.
   * @throws RateLimitedError there were too many
   */
  async countRest(request: FastifyRequest): Promise<void> {
    if (!this.counted.has(request)) await this.count(request, `from ${request.ip}`);
  }

  private async count(request: FastifyRequest, key: string): Promise<void> {
    this.counted.add(request);
    const waitMs = await this.limiter.take(key);
    if (waitMs !== null) throw new TooManyRequestsError(Math.max(1, Math.ceil(waitMs / 1_000)));
  }
}

/** The credential itself is kept nowhere. */
function digest(credential: string): string {
  return createHash('sha256').update(credential).digest('base64url');
}
