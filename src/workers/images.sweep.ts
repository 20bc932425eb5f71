import { Injectable } from '@nestjs/common';
import { ImageDataService, ImageRemovalService } from '../modules/images/index.js';
import type { Sweep } from './sweep.js';

/** Takes images whose upload broke off back to where they can be uploaded again. */
@Injectable()
export class StaleUploadsSweep implements Sweep {
  readonly name = 'stale-uploads';
  readonly everyMs = 10_000;

  constructor(private readonly data: ImageDataService) {}

  run(): Promise<number> {
    return this.data.sweep();
  }
}

/** Purges deleted images when their retention ends. */
@Injectable()
export class PurgeImagesSweep implements Sweep {
  readonly name = 'purge-images';
  readonly everyMs = 60_000;

  constructor(private readonly removal: ImageRemovalService) {}

  run(): Promise<number> {
    return this.removal.sweep();
  }
}
