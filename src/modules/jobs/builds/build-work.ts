import { createHash } from 'node:crypto';
import { Transform, type Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { ArtifactsService, type CompleteFile, FileTooLargeError } from '../../artifacts/index.js';
import { type BuiltArtifact, type BuiltImage, BuiltImagesService } from '../../images/index.js';
import { BuildFailedError, Builder, type BuildOrder, type BuildResult, type BuiltFile } from '../builder.js';
import type { JobRun } from '../execution/job-run.js';
import { JobWork } from '../execution/job-work.js';
import type { Job } from '../job.entity.js';
import type { JobCause } from '../jobs.types.js';

/** Builds an image from a recipe. */
@Injectable()
export class BuildWork extends JobWork {
  override readonly jobTypes = ['create', 'customize'] as const;
  override readonly unexpected = {
    code: 'build.failed',
    message: 'The build failed unexpectedly; the log of the worker says more.',
  };

  constructor(
    private readonly builder: Builder,
    private readonly artifacts: ArtifactsService,
    private readonly builtImages: BuiltImagesService,
  ) {
    super();
  }

  override async run(run: JobRun): Promise<void> {
    const { job } = run;
    const recipe = await this.artifacts.getFile(job.recipeFileId!);
    const source = new RecipeSource(() => this.artifacts.open(recipe), recipe.sha256);
    const result = await this.builder.build(orderOf(job, recipe), () => source.open(), run.report, run.signal);
    try {
      await this.keep(run, result, () => source.sha256);
    } finally {
      await result.dispose();
    }
  }

  override causeOf(error: unknown): JobCause | null {
    if (error instanceof BuildFailedError) return { code: error.code, message: error.message };
    if (error instanceof FileTooLargeError) return { code: 'build.output_too_large', message: error.message };
    return null;
  }

  private async keep(run: JobRun, result: BuildResult, recipeSha256: () => string | null): Promise<void> {
    const stored: CompleteFile[] = [];
    try {
      const artifacts: BuiltArtifact[] = [];
      for (const built of result.files) {
        const file = await this.store(run, built);
        stored.push(file);
        artifacts.push({ role: built.role, file });
      }
      const image = imageOf(run.job, artifacts, recipeSha256());
      const manifest = await this.builtImages.storeManifest(image);
      stored.push(manifest);
      await run.succeed(async () => ({ resultantImageId: await this.builtImages.register(image, manifest) }));
    } catch (error) {
      // Nothing happens to files that an image has after all, because only the answer to the commit was lost.
      for (const { id } of stored) await this.artifacts.discard(id);
      throw error;
    }
  }

  private async store(run: JobRun, built: BuiltFile): Promise<CompleteFile> {
    run.signal.throwIfAborted();
    const body = await built.open();
    try {
      return await run.storeFile(run.job.projectId, body, { sizeBytes: built.sizeBytes, charge: true });
    } finally {
      body.destroy();
    }
  }
}

function orderOf(job: Job, recipe: CompleteFile): BuildOrder {
  return {
    jobId: job.id,
    // Not the count of attempts, which a job that was handed back has twice.
    attempt: job.fencingNumber,
    recipeType: job.recipeType as BuildOrder['recipeType'],
    arch: job.arch as BuildOrder['arch'],
    template: job.templateDictionary ?? [],
    kernelFileName: job.kernelFileName!,
    initrdFileName: job.initrdFileName!,
    kernelParametersFileName: job.kernelParametersFileName!,
    requireDkms: job.requireDkms,
    enableDebug: job.enableDebug,
    recipeSizeBytes: recipe.sizeBytes,
  };
}

function imageOf(job: Job, artifacts: readonly BuiltArtifact[], recipeSha256: string | null): BuiltImage {
  return {
    imageId: job.targetImageId!,
    projectId: job.projectId,
    actorId: job.userId,
    name: job.imageRootArchiveName!,
    arch: job.arch!,
    jobId: job.id,
    recipeId: job.recipeId,
    recipeSha256,
    artifacts,
  };
}

/** The recipe's archive, whose checksum belongs to the image's provenance. */
class RecipeSource {
  constructor(
    private readonly opened: () => Promise<Readable>,
    public sha256: string | null,
  ) {}

  async open(): Promise<Readable> {
    const body = await this.opened();
    if (this.sha256 !== null) return body;
    const hash = createHash('sha256');
    const noted = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        hash.update(chunk);
        done(null, chunk);
      },
      flush: (done) => {
        this.sha256 = hash.digest('hex');
        done();
      },
    });
    body.on('error', (error) => noted.destroy(error));
    noted.on('close', () => body.destroy());
    return body.pipe(noted);
  }
}
