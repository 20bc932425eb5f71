import { Injectable } from '@nestjs/common';
import { UnavailableError } from '../../../common/errors.js';
import { Config } from '../../../config/config.js';
import { SecretBox } from '../../../platform/secrets/secret-box.js';
import { ArtifactsService, type ByteProbe, type CompleteFile } from '../../artifacts/index.js';
import { ImageContentService, ImageImportsService, type ImportResult } from '../../images/index.js';
import type { Image } from '../../images/index.js';
import { LimitExceededError } from '../../tenancy/index.js';
import type { JobRun } from '../execution/job-run.js';
import { JobWork } from '../execution/job-work.js';
import { askerOf, type ImportOrder, orderOf, tokenContext } from './import-order.js';
import { type ConvertedData, ImageConverter } from './image-converter.js';
import { type ImportSource, ImportSources } from './import-sources.js';
import { ImportSourceError, NoStoreWorkedError, SourceUnreadableError } from './imports.errors.js';

const MEBIBYTE = 1024 * 1024;

/** Puts a file into one store. */
type Put = (storeId: string, earlier: CompleteFile | null) => Promise<CompleteFile>;

type Judged = Pick<ImportResult, 'judged' | 'verdict'>;

/** An import under way. */
interface Import {
  readonly run: JobRun;
  readonly order: ImportOrder;
  readonly image: Image;
  readonly progress: Progress;
}

/**
 * Fetches data for an image and puts it into stores.
 *
 * The source is read and judged once; further stores get it from the first one. What is stored is noted with the job
 * before a byte flows, so that it goes when the job ends in any other way than the one at the end of `run`.
 */
@Injectable()
export class ImportWork extends JobWork {
  override readonly jobTypes = ['import', 'copy'] as const;
  override readonly unexpected = {
    code: 'import.failed',
    message: 'The import failed unexpectedly; the log of the worker says more.',
  };

  constructor(
    private readonly sources: ImportSources,
    private readonly images: ImageImportsService,
    private readonly content: ImageContentService,
    private readonly converter: ImageConverter,
    private readonly artifacts: ArtifactsService,
    private readonly secrets: SecretBox,
    private readonly config: Config,
  ) {
    super();
  }

  override async run(run: JobRun): Promise<void> {
    const order = orderOf(run.job);
    const image = await this.images.get(run.job.imageId!, run.job.id);
    await run.report.phase('fetching');
    const importing = { run, order, image, progress: new Progress(run, order.stores.length) };
    if (order.method.name === 'copy-image') await this.copy(importing);
    else if (order.method.name === 'glance-direct') await this.importStaged(importing);
    else await this.fetch(importing, await this.sourceOf(importing));
  }

  /** What is wrong at the other side is not better a moment later; what is ours may be. */
  override mayPass(error: unknown): boolean {
    return error instanceof UnavailableError && !isOfOthers(error);
  }

  private async sourceOf({ run, order }: Import): Promise<ImportSource> {
    const { method } = order;
    if (method.name === 'web-download') return this.sources.web(method.uri);
    if (method.name !== 'glance-download') throw new TypeError(`${method.name} has no source of its own`);
    const { id, sealedToken } = run.job;
    const token = sealedToken === null ? null : await this.secrets.open(sealedToken, tokenContext(id));
    return this.sources.image(askerOf(order), { ...method, token }, run.signal);
  }

  private async copy(importing: Import): Promise<void> {
    const { run, image } = importing;
    const primary = image.primaryFileId === null ? null : await this.artifacts.getFile(image.primaryFileId);
    importing.progress.expect(image.sizeBytes);
    const { files, failed } = await this.distribute(importing, importing.order.stores, async (storeId, earlier) => {
      const source = primary ?? earlier;
      return source
        ? this.putCopy(importing, source, storeId)
        : (await this.putFromSource(importing, this.elsewhere(image), storeId)).file;
    });
    await this.succeed(importing, () => this.images.addCopies(image.id, run.job.id, run.job.userId, files, failed));
  }

  /** The bytes of an image that lie on the web, where they are read as every download reads them. */
  private elsewhere(image: Image): ImportSource {
    return {
      properties: {},
      sha512: image.hashValue,
      open: async () => ({ body: await this.images.open(image), sizeBytes: image.sizeBytes }),
    };
  }

  /** What is staged in a store that is to have it stays where it is. */
  private async importStaged(importing: Import): Promise<void> {
    const { run, order, image } = importing;
    const staged = await this.artifacts.getFile(image.uploadFileId!);
    if (!order.stores.includes(staged.storeId) || this.isConverted(importing))
      return this.fetch(importing, this.sources.file(staged));
    await run.change(() => this.artifacts.storeStaged(staged.id));
    let judged: Judged | null = null;
    const stores = [staged.storeId, ...order.stores.filter((storeId) => storeId !== staged.storeId)];
    importing.progress.expect(staged.sizeBytes);
    const arrived = await this.distribute(importing, stores, async (storeId, earlier) => {
      if (earlier) return this.putCopy(importing, earlier, storeId);
      judged = await this.judge(importing, staged);
      return staged;
    });
    await this.activate(importing, judged!, arrived, {});
  }

  private async fetch(importing: Import, source: ImportSource): Promise<void> {
    if (!this.isConverted(importing, source)) return this.take(importing, source);
    const converted = await this.convert(importing, source);
    try {
      await this.take(importing, converted ? convertedSource(source, converted) : source);
    } finally {
      await converted?.dispose();
    }
  }

  /** What is signed stays as it is. */
  private isConverted(importing: Import, source?: ImportSource): boolean {
    const claim = this.claim(importing, source);
    return this.converter.handles(claim.diskFormat!, claim.containerFormat!) && !this.content.isSigned(claim);
  }

  private convert(importing: Import, source: ImportSource): Promise<ConvertedData | null> {
    const { job, signal } = importing.run;
    const claim = this.claim(importing, source);
    return this.converter.convert(
      {
        jobId: job.id,
        // Not the count of attempts, which a job that was handed back has twice.
        attempt: job.fencingNumber,
        diskFormat: claim.diskFormat!,
        containerFormat: claim.containerFormat!,
        judge: async () => this.content.strictProbe(claim),
      },
      async () => (await source.open(signal)).body,
      signal,
    );
  }

  private async take(importing: Import, source: ImportSource): Promise<void> {
    let judged: Judged | null = null;
    const arrived = await this.distribute(importing, importing.order.stores, async (storeId, earlier) => {
      if (earlier) return this.putCopy(importing, earlier, storeId);
      const fetched = await this.putFromSource(importing, source, storeId);
      judged = fetched.judged;
      return fetched.file;
    });
    await this.activate(importing, judged!, arrived, source);
  }

  /** Puts data into one store after the other. @returns at least one file */
  private async distribute(
    { run, order, image }: Import,
    stores: readonly string[],
    put: Put,
  ): Promise<{ files: CompleteFile[]; failed: string[] }> {
    const files: CompleteFile[] = [];
    const failed: string[] = [];
    let failure: unknown;
    for (const [index, storeId] of stores.entries()) {
      try {
        files.push(await put(storeId, files[0] ?? null));
      } catch (error) {
        if (run.signal.aborted || !isStoreFailure(error)) throw error;
        failed.push(storeId);
        failure = error;
        run.note(`store ${storeId}: ${(error as Error).message}`);
      }
      const remaining = stores.slice(index + 1);
      await run.change(() => this.images.tell(image.id, run.job.id, remaining, failed));
      if (failed.length > 0 && order.allStoresMustSucceed) throw failure;
    }
    if (files.length === 0) throw new NoStoreWorkedError(failed, failure);
    return { files, failed };
  }

  private async putFromSource(
    importing: Import,
    source: ImportSource,
    storeId: string,
  ): Promise<{ file: CompleteFile; judged: Judged }> {
    const { run, image, progress } = importing;
    const claim = this.claim(importing, source);
    const probe = await this.content.probe(claim);
    const { body, sizeBytes } = await source.open(run.signal);
    progress.expect(sizeBytes);
    const file = await fromSource(body, () =>
      run.storeFile(image.projectId, body, {
        storeId,
        sizeBytes: sizeBytes ?? undefined,
        charge: true,
        maxBytes: this.config.images.sizeMaxBytes,
        probe: progress.counting(probe),
      }),
    );
    if (source.sha512 && source.sha512 !== file.sha512) {
      throw new ImportSourceError('The data is not what its source says it is: the digests differ');
    }
    return { file, judged: { judged: claim, verdict: probe.finish() } };
  }

  private async judge(importing: Import, file: CompleteFile): Promise<Judged> {
    const claim = this.claim(importing);
    const probe = await this.content.probe(claim);
    const counting = importing.progress.counting(probe);
    const body = await this.artifacts.open(file);
    const { signal } = importing.run;
    await fromSource(body, async () => {
      for await (const chunk of body) {
        signal.throwIfAborted();
        await counting.write(chunk as Buffer);
      }
    });
    return { judged: claim, verdict: probe.finish() };
  }

  /** A copy of a complete file in another store, which must come out the same. */
  private async putCopy({ run, image, progress }: Import, file: CompleteFile, storeId: string): Promise<CompleteFile> {
    const body = await this.artifacts.open(file);
    const copy = await fromSource(body, () =>
      run.storeFile(image.projectId, body, {
        storeId,
        sizeBytes: file.sizeBytes,
        charge: true,
        expectedMd5: file.md5,
        probe: progress.counting(),
      }),
    );
    if (copy.sha512 !== file.sha512) throw new ImportSourceError('A copy came out different from what was copied');
    return copy;
  }

  /** What the image says of the data, with what it gets along with it. */
  private claim({ image, order }: Import, source?: ImportSource): ImportResult['judged'] {
    return {
      id: image.id,
      diskFormat: source?.diskFormat ?? image.diskFormat,
      containerFormat: source?.containerFormat ?? image.containerFormat,
      properties: { ...image.properties, ...order.inject, ...source?.properties },
    };
  }

  private activate(
    importing: Import,
    { judged, verdict }: Judged,
    { files, failed }: { files: readonly CompleteFile[]; failed: readonly string[] },
    source: Partial<ImportSource>,
  ): Promise<void> {
    const { run, image, order } = importing;
    return this.succeed(importing, () =>
      this.images.activate(image.id, run.job.id, run.job.userId, {
        judged,
        verdict,
        files,
        failedStores: failed,
        setProperties: { ...order.inject, ...source.properties },
        diskFormat: source.diskFormat,
        containerFormat: source.containerFormat,
      }),
    );
  }

  private succeed({ run, image, progress }: Import, apply: () => Promise<void>): Promise<void> {
    return run.succeed(async () => {
      await apply();
      return { resultantImageId: image.id, result: { imageId: image.id }, message: progress.message };
    });
  }
}

function convertedSource(source: ImportSource, converted: ConvertedData): ImportSource {
  const { diskFormat, containerFormat, sizeBytes } = converted;
  // The digest was that of the data before.
  return {
    ...source,
    diskFormat,
    containerFormat,
    sha512: null,
    open: async () => ({ body: await converted.open(), sizeBytes }),
  };
}

/** Tells how many bytes have been put, over all stores. */
class Progress {
  private copiedBytes = 0;
  private totalBytes: number | null = null;

  constructor(
    private readonly run: JobRun,
    private readonly stores: number,
  ) {}

  get message(): string {
    return `Copied ${Math.floor(this.copiedBytes / MEBIBYTE)} MiB`;
  }

  expect(sizeBytes: number | null): void {
    this.totalBytes = sizeBytes === null ? null : sizeBytes * this.stores;
  }

  counting(probe?: ByteProbe): ByteProbe {
    return {
      write: (chunk) => {
        this.copiedBytes += chunk.length;
        const percent = this.totalBytes ? Math.min(100, (100 * this.copiedBytes) / this.totalBytes) : null;
        this.run.report.progress(percent, this.message);
        return probe?.write(chunk);
      },
    };
  }
}

/** Works with a stream that is read here, and tells its failure from one of where it is written to. */
async function fromSource<T>(body: NodeJS.ReadableStream & { destroy(): unknown }, work: () => Promise<T>): Promise<T> {
  let failure: Error | null = null;
  body.once('error', (error: Error) => (failure = error));
  try {
    return await work();
  } catch (error) {
    // Assigned where the compiler does not look.
    const source = failure as Error | null;
    throw source && isStoreFailure(source) ? new SourceUnreadableError(source) : error;
  } finally {
    body.destroy();
  }
}

/** Whether it is the other side that is to blame. */
function isOfOthers({ code }: UnavailableError): boolean {
  return code.startsWith('egress.') || code === 'images.location_unavailable';
}

/** Whether another store may take what this one does not. */
function isStoreFailure(error: unknown): boolean {
  if (error instanceof LimitExceededError) return true;
  return error instanceof UnavailableError && error.code.startsWith('object_store.');
}
