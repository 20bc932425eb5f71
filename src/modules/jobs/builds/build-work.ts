import { createHash } from 'node:crypto';
import { Transform, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Injectable } from '@nestjs/common';
import { ArtifactsService, type CompleteFile, FileTooLargeError } from '../../artifacts/index.js';
import { type BuiltArtifact, type BuiltImage, BuiltImagesService } from '../../images/index.js';
import {
  BuildFailedError,
  Builder,
  type BuildOrder,
  type BuildReporter,
  type BuildResult,
  type ScriptsOrder,
} from '../builder.js';
import type { JobRun } from '../execution/job-run.js';
import { JobWork } from '../execution/job-work.js';
import type { Job } from '../job.entity.js';
import type { JobCause, ScriptedCustomize } from '../jobs.types.js';
import { formatOfDisk } from './disk-format.js';
import { ScriptSources } from './script-sources.js';

/** Makes an image of a recipe, or of another image. */
@Injectable()
export class BuildWork extends JobWork {
  override readonly jobTypes = ['create', 'customize'] as const;
  override readonly unexpected = {
    code: 'build.failed',
    message: 'The build failed unexpectedly; the log of the worker says more.',
  };

  constructor(
    private readonly builder: Builder,
    private readonly scripts: ScriptSources,
    private readonly artifacts: ArtifactsService,
    private readonly builtImages: BuiltImagesService,
  ) {
    super();
  }

  override async run(run: JobRun): Promise<void> {
    const { job } = run;
    const file = await this.artifacts.getFile(job.recipeFileId!);
    const source = new BuildSource(() => this.artifacts.open(file), file.sha256);
    const order = orderOf(job, file, await this.scriptsOf(run));
    const stored: string[] = [];
    try {
      const result = await this.builder.build(order, () => source.open(), reporterOf(run, stored), run.signal);
      await this.keep(run, result, source);
    } catch (error) {
      // Nothing happens to files that an image has after all, because only the answer to the commit was lost.
      for (const id of stored) await this.artifacts.discard(id);
      throw error;
    }
  }

  override causeOf(error: unknown): JobCause | null {
    if (error instanceof BuildFailedError) return { code: error.code, message: error.message };
    if (error instanceof FileTooLargeError) return { code: 'build.output_too_large', message: error.message };
    return null;
  }

  private async scriptsOf({ job, report, signal }: JobRun): Promise<ScriptsOrder | null> {
    const scripted = job.input?.scripted as ScriptedCustomize | undefined;
    if (!scripted) return null;
    await report.phase('fetching');
    return this.scripts.read(job, scripted, signal);
  }

  private async keep(run: JobRun, { files }: BuildResult, source: BuildSource): Promise<void> {
    const artifacts = await this.filesOf(run, files);
    const image = imageOf(run.job, artifacts, run.job.recipeId === null ? null : await source.digest());
    const manifest = await this.builtImages.storeManifest(image);
    try {
      await run.succeed(async () => ({ resultantImageId: await this.builtImages.register(image, manifest) }));
    } catch (error) {
      await this.artifacts.discard(manifest.id);
      throw error;
    }
  }

  /** Whatever runs a build names files by their ids; it may name none but those that were stored for this job. */
  private async filesOf(run: JobRun, files: BuildResult['files']): Promise<BuiltArtifact[]> {
    const own = await run.change(async ({ resultFileIds }) => resultFileIds);
    const artifacts: BuiltArtifact[] = [];
    for (const { role, fileId } of files) {
      if (!own.includes(fileId)) throw new TypeError(`file ${fileId} was not stored for job ${run.job.id}`);
      const file = await this.artifacts.getFile(fileId);
      artifacts.push(role === 'disk' ? { role, file, diskFormat: await this.formatOf(file) } : { role, file });
    }
    return artifacts;
  }

  private async formatOf(file: CompleteFile): Promise<string> {
    return formatOfDisk(await this.artifacts.open(file));
  }
}

/** @param stored gets the ids of the files that are stored */
function reporterOf(run: JobRun, stored: string[]): BuildReporter {
  const { report, job } = run;
  return {
    phase: (phase) => report.phase(phase),
    percent: (percent) => report.percent(percent),
    log: (text) => report.log(text),
    shell: (state) => report.shell(state),
    store: async (_role, sizeBytes, body) => {
      try {
        run.signal.throwIfAborted();
        const { id } = await run.storeFile(job.projectId, body, { sizeBytes, charge: true });
        stored.push(id);
        return id;
      } finally {
        body.destroy();
      }
    },
  };
}

function orderOf(job: Job, source: CompleteFile, scripts: ScriptsOrder | null): BuildOrder {
  const [container] = job.sshContainers ?? [];
  const opens = container !== undefined && job.publicKey !== null && scripts === null;
  return {
    jobId: job.id,
    // Not the count of attempts, which a job that was handed back has twice.
    attempt: job.fencingNumber,
    jobType: job.jobType as BuildOrder['jobType'],
    recipeType: job.recipeType as BuildOrder['recipeType'],
    arch: job.arch as BuildOrder['arch'],
    template: job.templateDictionary ?? [],
    kernelFileName: job.kernelFileName!,
    initrdFileName: job.initrdFileName!,
    kernelParametersFileName: job.kernelParametersFileName!,
    requireDkms: job.requireDkms,
    enableDebug: job.enableDebug,
    sourceSizeBytes: source.sizeBytes,
    sourceMd5: source.md5,
    buildEnvSizeGib: job.buildEnvSizeGib!,
    memoryGib: job.memoryGib!,
    shell: opens ? { ...container, authorizedKey: job.publicKey! } : null,
    scripts,
  };
}

function imageOf(job: Job, artifacts: readonly BuiltArtifact[], sourceSha256: string | null): BuiltImage {
  return {
    imageId: job.targetImageId!,
    projectId: job.projectId,
    actorId: job.userId,
    name: job.imageRootArchiveName!,
    arch: job.arch!,
    jobId: job.id,
    recipeId: job.recipeId,
    recipeSha256: job.recipeId === null ? null : sourceSha256,
    parentImageId: job.imageId,
    artifacts,
  };
}

/** What is built from; the checksum of a recipe's archive belongs to the image's provenance. */
class BuildSource {
  constructor(
    private readonly opened: () => Promise<Readable>,
    private sha256: string | null,
  ) {}

  /** Of the bytes that were built from; where a builder elsewhere read them, they are read once more. */
  async digest(): Promise<string> {
    if (this.sha256 === null) await finished((await this.open()).resume());
    return this.sha256!;
  }

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
