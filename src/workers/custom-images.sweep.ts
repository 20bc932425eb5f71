import { Injectable } from '@nestjs/common';
import { CustomImageRemovalService } from '../modules/custom-images/index.js';
import type { Sweep } from './sweep.js';

/** Finishes deletions of custom images that were begun and forgotten. */
@Injectable()
export class CustomImagesSweep implements Sweep {
  readonly name = 'custom-images';
  readonly everyMs = 10_000;

  constructor(private readonly removal: CustomImageRemovalService) {}

  run(): Promise<number> {
    return this.removal.sweep();
  }
}
