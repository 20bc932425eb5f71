import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { Config } from '../../../config/config.js';
import { ArtifactsService, type CompleteFile } from '../../artifacts/index.js';
import type { BuildOrder } from '../builder.js';
import { ExecutionProgress, type ProgressReport } from '../execution/execution-progress.js';
import { type Execution, JobExecutionsRepository } from '../execution/job-executions.repository.js';
import type { Job } from '../job.entity.js';
import { BuilderCredentialError, LeaseLostError } from '../jobs.errors.js';
import { RemoteBuildsRepository } from './remote-builds.repository.js';

/** Longer than any build: the address is worth nothing without the bytes it leads to, which are the project's own. */
const SOURCE_SECONDS = 24 * 3_600;
const TOKEN_BYTES = 32;

/** What a builder program that runs elsewhere needs to do its work. */
export interface BuilderAccess {
  /** Good for this execution alone, and only while it holds its job. */
  readonly token: string;
  /** Where the source can be read without Kiln and without a credential; null: only through Kiln. */
  readonly sourceUrl: string | null;
}

/** A job that a builder program elsewhere has proved to be working on. */
export interface RemoteExecution extends Execution {
  readonly job: Job;
}

/**
 * Executions whose builder program runs outside of any process of Kiln's, in a pod for instance. It shows a credential
 * of its own, which dies with the execution: when the job ends, or when another execution takes it.
 */
@Injectable()
export class RemoteBuilds {
  constructor(
    private readonly credentials: RemoteBuildsRepository,
    private readonly executions: JobExecutionsRepository,
    private readonly progress: ExecutionProgress,
    private readonly artifacts: ArtifactsService,
    private readonly config: Config,
  ) {}

  /**
   * Lets a program elsewhere work in the name of an execution; a credential that it was given before is worth nothing
   * from now on.
   * @throws LeaseLostError
   */
  async grant({ jobId, attempt }: Pick<BuildOrder, 'jobId' | 'attempt'>): Promise<BuilderAccess> {
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const execution = { jobId, fencingNumber: attempt };
    await this.credentials.setCredential(execution, digest(token));
    const held = await this.credentials.find(jobId);
    if (held?.job.fencingNumber !== attempt) throw new LeaseLostError(jobId);
    const source = await this.artifacts.getFile(held.job.recipeFileId!);
    return { token, sourceUrl: await this.artifacts.presign(source, SOURCE_SECONDS) };
  }

  /** Whether an execution still holds its job. */
  isHeld({ jobId, attempt }: Pick<BuildOrder, 'jobId' | 'attempt'>): Promise<boolean> {
    return this.executions.isHeld({ jobId, fencingNumber: attempt });
  }

  /** @throws BuilderCredentialError no such execution, it has lost its job, or the token is not its own */
  async authenticate(jobId: string, token: string): Promise<RemoteExecution> {
    const found = isUuid(jobId) ? await this.credentials.find(jobId) : null;
    if (!found || !timingSafeEqual(found.tokenSha256, digest(token))) throw new BuilderCredentialError();
    return { jobId, fencingNumber: found.job.fencingNumber, job: found.job };
  }

  /** The recipe's archive or the image's root file system. */
  findSource({ job }: RemoteExecution): Promise<CompleteFile> {
    return this.artifacts.getFile(job.recipeFileId!);
  }

  /** The caller must consume or destroy the stream. */
  async openSource(execution: RemoteExecution): Promise<{ file: CompleteFile; body: Readable }> {
    const file = await this.findSource(execution);
    return { file, body: await this.artifacts.open(file) };
  }

  /**
   * Stores a file of the result; its digests are Kiln's own, whatever the program says.
   * @throws LeaseLostError
   * @throws anything that `ArtifactsService.storeFile` throws
   */
  store(execution: RemoteExecution, sizeBytes: number, body: Readable): Promise<CompleteFile> {
    return this.artifacts.storeFile(execution.job.projectId, body, {
      sizeBytes,
      maxBytes: this.config.builds.outputBytes,
      charge: true,
      onBegin: (fileId) => this.executions.addResultFile(execution, fileId),
    });
  }

  /** @throws LeaseLostError */
  async report(execution: RemoteExecution, { phase, percent, shell }: ProgressReport): Promise<void> {
    if (phase !== undefined) await this.progress.phase(execution.job, execution, phase);
    if (percent !== undefined) await this.progress.progress(execution, percent, null);
    if (shell !== undefined) await this.progress.shell(execution, shell);
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
