import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { Config } from '../../config/config.js';
import { Database } from '../database/database.js';
import { Log } from '../logging/log.js';

const WINDOW_SECONDS = 1;
const TABLE = 'rate_limits';

/**
 * Counts requests in windows of a second that all processes share: in Redis where there is one, else in PostgreSQL. While
 * that does not answer each process counts for itself.
 */
@Injectable()
export class RateLimiter implements OnApplicationShutdown {
  private readonly limiter: RateLimiterAbstract | null;
  private redis: Redis | null = null;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly log: Log,
  ) {
    this.limiter = config.rateLimit === undefined ? null : this.open(config.rateLimit);
  }

  /**
   * Counts one request.
   * @param key of whoever sends it; at most 200 characters
   * @returns null, or the milliseconds until the next one will be let through
   */
  async take(key: string): Promise<number | null> {
    if (!this.limiter) return null;
    try {
      await this.limiter.consume(key);
      return null;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return refusal.msBeforeNext;
      throw refusal;
    }
  }

  onApplicationShutdown(): void {
    this.redis?.disconnect();
  }

  private open(points: number): RateLimiterAbstract {
    const shared = {
      points,
      duration: WINDOW_SECONDS,
      keyPrefix: 'kiln-rate',
      insuranceLimiter: new RateLimiterMemory({ points, duration: WINDOW_SECONDS }),
    };
    if (this.config.redisUrl !== undefined) {
      return new RateLimiterRedis({ ...shared, storeClient: this.connect(this.config.redisUrl) });
    }
    return new RateLimiterPostgres({
      ...shared,
      storeClient: this.database.pool,
      storeType: 'pool',
      tableName: TABLE,
      tableCreated: true,
      clearExpiredByTimeout: true,
    });
  }

  private connect(url: string): Redis {
    // Whoever waits for Redis makes a request wait, so it is given up at once.
    this.redis = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
    this.redis.on('error', (error) => this.log.warn('Redis does not answer; each process limits by itself', { error }));
    return this.redis;
  }
}
