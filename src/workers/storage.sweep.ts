import { Injectable } from '@nestjs/common';
import { ArtifactsService, DeletedBytes } from '../modules/artifacts/index.js';
import { CustomImageRemovalService } from '../modules/custom-images/index.js';
import { IdentityService } from '../modules/identity/index.js';
import { ImageDataService, ImageRemovalService } from '../modules/images/index.js';
import { KeysService } from '../modules/keys/index.js';
import { RecipesService } from '../modules/recipes/index.js';
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

/** Removes the bytes of files that were never finished, or that nothing refers to. */
@Injectable()
export class StoredFilesSweep implements Sweep {
  readonly name = 'stored-files';
  readonly everyMs = 30_000;

  constructor(private readonly artifacts: ArtifactsService) {}

  run(): Promise<number> {
    return this.artifacts.sweep();
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

/** Purges what was deleted first where a project keeps more deleted bytes than it may store. */
@Injectable()
export class DeletedBytesSweep implements Sweep {
  readonly name = 'deleted-bytes';
  readonly everyMs = 60_000;

  constructor(private readonly deletedBytes: DeletedBytes) {}

  run(): Promise<number> {
    return this.deletedBytes.sweep();
  }
}

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
