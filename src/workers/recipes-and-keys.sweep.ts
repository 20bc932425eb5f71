import { Injectable } from '@nestjs/common';
import { KeysService } from '../modules/keys/index.js';
import { RecipesService } from '../modules/recipes/index.js';
import type { Sweep } from './sweep.js';

/** Purges deleted recipes and keys when their retention ends. */
@Injectable()
export class PurgeRecipesAndKeysSweep implements Sweep {
  readonly name = 'purge-recipes-and-keys';
  readonly everyMs = 60_000;

  constructor(
    private readonly recipes: RecipesService,
    private readonly keys: KeysService,
  ) {}

  async run(): Promise<number> {
    return (await this.recipes.sweep()) + (await this.keys.sweep());
  }
}
