import { Injectable } from '@nestjs/common';

/** The time, so that tests can move it. */
@Injectable()
export class Clock {
  /** Now, in UTC. */
  now(): Date {
    return new Date();
  }
}
