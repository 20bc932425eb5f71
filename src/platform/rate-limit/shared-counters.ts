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

const TABLE = 'rate_limits';

/** How many of something are let through in which time. */
export interface CounterWindow {
  /** Tells counters apart; at most 20 characters. */
  readonly name: string;
  readonly points: number;
  readonly seconds: number;
}

/** One counter by key. Keys have at most 200 characters. */
export class SharedCounter {
  constructor(
    private readonly limiter: RateLimiterAbstract,
    private readonly points: number,
  ) {}

  /**
   * Counts one.
   * @returns null, or the milliseconds until the next one will be let through
   */
  async take(key: string): Promise<number | null> {
    try {
      await this.limiter.consume(key);
      return null;
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return refusal.msBeforeNext;
      throw refusal;
    }
  }

  /** As `take`, and counts nothing. */
  async look(key: string): Promise<number | null> {
    const found = await this.limiter.get(key);
    return found && found.consumedPoints >= this.points ? found.msBeforeNext : null;
  }
}

/**
 * Counters that all processes share: in Redis where there is one, else in PostgreSQL. While that does not answer each
 * process counts for itself.
 */
@Injectable()
export class SharedCounters implements OnApplicationShutdown {
  private redis: Redis | null = null;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly log: Log,
  ) {}

  /** Opens a counter; one by name in a process. */
  open({ name, points, seconds }: CounterWindow): SharedCounter {
    const shared = {
      points,
      duration: seconds,
      keyPrefix: name,
      insuranceLimiter: new RateLimiterMemory({ points, duration: seconds }),
    };
    const { redisUrl } = this.config;
    const limiter =
      redisUrl === undefined
        ? new RateLimiterPostgres({
            ...shared,
            storeClient: this.database.pool,
            storeType: 'pool',
            tableName: TABLE,
            tableCreated: true,
            clearExpiredByTimeout: true,
          })
        : new RateLimiterRedis({ ...shared, storeClient: this.connect(redisUrl) });
    return new SharedCounter(limiter, points);
  }

  onApplicationShutdown(): void {
    this.redis?.disconnect();
  }

  private connect(url: string): Redis {
    if (this.redis) return this.redis;
    // Whoever waits for Redis makes a request wait, so it is given up at once.
    this.redis = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
    this.redis.on('error', (error) => this.log.warn('Redis does not answer; each process limits by itself', { error }));
    return this.redis;
  }
}
