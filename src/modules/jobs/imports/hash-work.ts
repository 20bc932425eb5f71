import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { UnavailableError } from '../../../common/errors.js';
import { Config } from '../../../config/config.js';
import { EgressClient } from '../../../platform/egress/egress-client.js';
import {
  type ExaminedBytes,
  ExaminedLocationsService,
  ImageContentService,
  ImageImportsService,
} from '../../images/index.js';
import type { JobRun } from '../execution/job-run.js';
import { JobWork } from '../execution/job-work.js';
import { type HashOrder, hashOrderOf } from './hash-order.js';
import { ImportSourceError } from './imports.errors.js';

const MEBIBYTE = 1024 * 1024;

/**
 * Looks at the bytes that an image has on the web: takes their digests, and judges them as uploads are judged. Nothing is
 * stored, so an execution that dies leaves nothing behind.
 */
@Injectable()
export class HashWork extends JobWork {
  override readonly jobTypes = ['hash'] as const;
  override readonly unexpected = {
    code: 'hash.failed',
    message: 'The location could not be looked at for an unexpected reason; the log of the worker says more.',
  };

  constructor(
    private readonly images: ImageImportsService,
    private readonly locations: ExaminedLocationsService,
    private readonly content: ImageContentService,
    private readonly egress: EgressClient,
    private readonly config: Config,
  ) {
    super();
  }

  override async run(run: JobRun): Promise<void> {
    const { job } = run;
    const imageId = job.imageId!;
    const order = hashOrderOf(job);
    const image = await this.images.get(imageId, job.id);
    await run.report.phase('fetching');
    const found = await this.examine(run, order, image);
    await run.succeed(async () => {
      await this.locations.finish(imageId, job.id, job.userId, order.url, found);
      return { resultantImageId: imageId, result: { imageId }, message: progress(found.sizeBytes) };
    });
  }

  /** What is wrong at the other side is not better a moment later; what is ours may be. */
  override mayPass(error: unknown): boolean {
    return error instanceof UnavailableError && !error.code.startsWith('egress.');
  }

  private async examine(
    run: JobRun,
    { url, validation }: HashOrder,
    judged: ExaminedBytes['judged'],
  ): Promise<ExaminedBytes> {
    const probe = await this.content.probe(judged);
    const hashes = { md5: createHash('md5'), sha512: createHash('sha512') };
    const awaited = validation && createHash(validation.algorithm);
    const { signal } = run;
    const reply = await this.egress.get(url, { signal, maxBytes: this.config.images.sizeMaxBytes });
    if (reply.status !== 200) {
      reply.body.destroy();
      throw new ImportSourceError(`The location answers ${reply.status}, which is not the whole of its data`);
    }
    let sizeBytes = 0;
    // Left by a failure, the loop destroys the body.
    for await (const chunk of reply.body as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      probe.write(chunk);
      for (const hash of [hashes.md5, hashes.sha512, awaited]) hash?.update(chunk);
      sizeBytes += chunk.length;
      run.report.progress(reply.sizeBytes ? (100 * sizeBytes) / reply.sizeBytes : null, progress(sizeBytes));
    }
    if (sizeBytes === 0) throw new ImportSourceError('There is no data at the location');
    if (validation && awaited!.digest('hex') !== validation.value) {
      throw new ImportSourceError(
        `The ${validation.algorithm} of the data at the location is not the one that was given`,
      );
    }
    const [md5, sha512] = [hashes.md5.digest('hex'), hashes.sha512.digest('hex')];
    return { sizeBytes, md5, sha512, judged, verdict: probe.finish() };
  }
}

function progress(sizeBytes: number): string {
  return `Read ${Math.floor(sizeBytes / MEBIBYTE)} MiB`;
}
