import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import type { Sweep } from './sweep.js';

/** Shows whoever looks after the process, which has no port to ask, that it still comes to its sweeps. */
@Injectable()
export class HeartbeatSweep implements Sweep {
  readonly name = 'heartbeat';
  readonly everyMs = 10_000;

  constructor(private readonly config: Config) {}

  run(): Promise<void> {
    return writeFile(join(this.config.dataDir, 'alive'), '');
  }
}
