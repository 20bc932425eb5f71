import { Injectable } from '@nestjs/common';
import { Config } from '../../../config/config.js';
import { type SharedCounter, SharedCounters } from '../../../platform/rate-limit/shared-counters.js';
import { SignInBlockedError } from '../identity.errors.js';

const WINDOW_SECONDS = 300;

/** Wrong credentials that come with requests, by the address that they come from: too many keep out new ones for a while. */
@Injectable()
export class SignInFailures {
  private opened: SharedCounter | null = null;

  constructor(
    private readonly counters: SharedCounters,
    private readonly config: Config,
  ) {}

  /** @throws SignInBlockedError too many wrong ones came from the address */
  async check(address: string): Promise<void> {
    const waitMs = (await this.counter?.look(address)) ?? null;
    if (waitMs !== null) throw new SignInBlockedError(Math.ceil(waitMs / 1_000));
  }

  async count(address: string): Promise<void> {
    await this.counter?.take(address);
  }

  /** Opened when first needed: not every process signs anybody in. */
  private get counter(): SharedCounter | null {
    const { failedLogins } = this.config.identity;
    if (failedLogins === 0) return null;
    this.opened ??= this.counters.open({ name: 'kiln-logins', points: failedLogins, seconds: WINDOW_SECONDS });
    return this.opened;
  }
}
