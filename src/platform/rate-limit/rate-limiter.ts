import { Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { type SharedCounter, SharedCounters } from './shared-counters.js';

const WINDOW_SECONDS = 1;

/** Counts requests in windows of a second, where a limit is configured. */
@Injectable()
export class RateLimiter {
  private readonly counter: SharedCounter | null;

  constructor({ rateLimit }: Config, counters: SharedCounters) {
    this.counter =
      rateLimit === undefined ? null : counters.open({ name: 'kiln-rate', points: rateLimit, seconds: WINDOW_SECONDS });
  }

  /**
   * Counts one request.
   * @param key of whoever sends it; at most 200 characters
   * @returns null, or the milliseconds until the next one will be let through
   */
  async take(key: string): Promise<number | null> {
    return this.counter ? this.counter.take(key) : null;
  }
}
