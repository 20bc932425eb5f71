import { Injectable } from '@nestjs/common';
import { IdentityService } from '../modules/identity/index.js';
import type { Sweep } from './sweep.js';

/** Removes tokens that have expired. */
@Injectable()
export class ExpiredTokensSweep implements Sweep {
  readonly name = 'expired-tokens';
  readonly everyMs = 300_000;

  constructor(private readonly identity: IdentityService) {}

  run(): Promise<number> {
    return this.identity.sweep();
  }
}
