import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { RateLimitedError } from '../../../common/errors.js';
import { RateLimiter } from '../../../platform/rate-limit/rate-limiter.js';

/** One credential sends more than it may. */
class TooManyRequestsError extends RateLimitedError {
  override readonly code = 'request.too_many';
  constructor(retryAfterSeconds: number) {
    super(`Too many requests; try again in ${retryAfterSeconds} s`, { retryAfterSeconds });
  }
}

/** What each credential may send in a second. */
@Injectable()
export class RequestRate {
  constructor(private readonly limiter: RateLimiter) {}

  /**
   * Counts a request.
   * @param key of its credential; see `credentialKey`
   * @throws RateLimitedError there were too many
   */
  async take(key: string): Promise<void> {
    const waitMs = await this.limiter.take(key);
    if (waitMs !== null) throw new TooManyRequestsError(Math.max(1, Math.ceil(waitMs / 1_000)));
  }
}

/** What a credential is counted under. The credential itself is kept nowhere. */
export function credentialKey(credential: string): string {
  return createHash('sha256').update(credential).digest('base64url');
}
