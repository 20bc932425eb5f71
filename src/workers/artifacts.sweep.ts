import { Injectable } from '@nestjs/common';
import { ArtifactsService, DeletedBytes } from '../modules/artifacts/index.js';
import type { Sweep } from './sweep.js';

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
