import { Injectable } from '@nestjs/common';
import { NotFoundError } from '../../common/errors.js';
import { Config } from '../../config/config.js';
import { newId } from '../../common/ids.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { Outbox } from '../../platform/events/outbox.js';
import { type Key, KeysService } from '../keys/index.js';
import { type Actor, Ledger, NotPermittedError } from '../tenancy/index.js';
import { JobEndings } from './job-endings.js';
import { JobSignals } from './job-signals.js';
import { type JobSource, JobSources } from './job-sources.js';
import type { Job, SshContainer } from './job.entity.js';
import { hasEnded } from './job-state.js';
import {
  JobEndedError,
  JobKeyError,
  JobMarkerError,
  JobNotFoundError,
  JobScriptsError,
  JobShellsError,
} from './jobs.errors.js';
import { JobsRepository, type NewJob } from './jobs.repository.js';
import type { CreateJob, DeleteJobs, JobCause, JobQuery, ListedJob, ReportJob } from './jobs.types.js';

const PURGED_AT_ONCE = 200;
const MOST_SCRIPTS = 20;
const CUSTOMISING_TOLD = 10;
const CANCELLED: JobCause = { code: 'user.cancelled', message: 'The job was cancelled.' };
const REPORTED: JobCause = { code: 'build.failed', message: 'Whoever ran the job reported that it failed.' };

/**
 * What users do with jobs. Readers see their project's, members change them, administrators see and change all.
 * Running them is `JobRunner`'s.
 */
@Injectable()
export class JobsService {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly endings: JobEndings,
    private readonly signals: JobSignals,
    private readonly sources: JobSources,
    private readonly keys: KeysService,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly config: Config,
  ) {}

  /**
   * Accepts a job. What it needs of its recipe or image and of its key is copied, so that their later changes do not
   * change the job; the archive or root file system is kept until the job ends, and so are scripts at their addresses.
   * Workers hear of it through its event, however often processes die.
   *
   * @throws NotPermittedError the actor may only read
   * @throws JobShellsError shells that a job of this type does not have; neither a key nor scripts to customize with
   * @throws JobScriptsError, MalformedAddressError
   * @throws JobSourceError no such recipe or image in the actor's project, or it has no link
   * @throws JobObjectMissingError the bytes behind the link are missing
   * @throws ImageDeactivatedError
   * @throws JobKeyError no such key in the actor's project
   * @throws LimitExceededError too many jobs are queued
   * @see Image Management Service v3, POST /v3/jobs
   */
  create(actor: Actor, wanted: CreateJob): Promise<Job> {
    if (!actor.has('member')) throw new NotPermittedError('jobs:create');
    checkShells(wanted);
    checkScripts(wanted);
    return this.uow.run(async () => {
      const source = await this.sources.hold(actor, wanted);
      if (wanted.scripted) await this.sources.holdScripts(actor, wanted.scripted);
      const key = wanted.publicKeyId === undefined ? null : await this.findKey(actor, wanted.publicKeyId);
      await this.ledger.reserve(actor.projectId, 'queued_jobs', 1);
      const job = await this.jobs.insert(this.newJob(actor, wanted, source, key));
      await this.outbox.record(
        {
          kind: 'job.created',
          noun: 'job',
          nounId: job.id,
          projectId: job.projectId,
          actorId: actor.id,
          data: { jobType: job.jobType, recipeId: job.recipeId, imageId: job.targetImageId },
        },
        { dispatch: true },
      );
      return job;
    });
  }

  /** @throws JobNotFoundError unknown, deleted, another face's or another project's */
  async get(actor: Actor, face: string, jobId: string): Promise<Job> {
    return this.checkVisible(actor, face, jobId, await this.jobs.find(jobId));
  }

  /** As `get`; null when there is none. */
  find(actor: Actor, face: string, jobId: string): Promise<Job | null> {
    return orNull(this.get(actor, face, jobId));
  }

  /** As `get`, for whoever is about to report. @throws JobNotFoundError, NotPermittedError */
  async getForReport(actor: Actor, face: string, jobId: string): Promise<Job> {
    const job = await this.get(actor, face, jobId);
    checkChange(actor, job, 'jobs:report');
    return job;
  }

  /** Some of the jobs that are making other images of an image. They may be of projects of which nobody is to be told. */
  findCustomising(imageId: string): Promise<Pick<Job, 'id' | 'projectId'>[]> {
    return this.jobs.findCustomising(imageId, CUSTOMISING_TOLD);
  }

  /**
   * Every job of the list, read as it is consumed.
   * @param wanted how many will probably be consumed
   * @throws JobMarkerError
   */
  async *stream(actor: Actor, query: JobQuery, wanted?: number): AsyncGenerator<ListedJob> {
    checkScope(actor, query.projectId);
    yield* this.jobs.stream(query, await this.marker(query), wanted);
  }

  /**
   * Ends a job: its processes stop, no image is left.
   * @throws JobNotFoundError, NotPermittedError
   * @throws JobEndedError it has ended already
   */
  cancel(actor: Actor, face: string, jobId: string): Promise<Job> {
    return this.change(actor, face, jobId, 'jobs:cancel', async (job) => {
      await this.endings.end(job, { status: 'cancelled', cause: CANCELLED }, actor.id);
      await this.signals.stop(job.id);
    });
  }

  /**
   * Stores what somebody who runs the job says of it. A phase starts and stops nothing. An end is one: an execution of
   * Kiln's own that still runs is stopped. A job that has ended keeps its end; telling the same once more is fine.
   *
   * @throws JobNotFoundError, NotPermittedError
   * @throws JobEndedError it has ended, otherwise
   * @see Image Management Service v3, PATCH /v3/jobs/{job_id}
   */
  report(actor: Actor, face: string, jobId: string, report: ReportJob): Promise<Job> {
    return this.change(actor, face, jobId, 'jobs:report', async (job) => {
      if (hasEnded(job.status)) return checkSameEnd(job, report);
      const { ended, phase, resultantImageId } = report;
      if (ended === undefined) {
        await this.jobs.report(job.id, { phase: phase ?? null, resultantImageId: resultantImageId ?? null });
        await this.recordReport(actor, job, report);
        return;
      }
      const cause = ended === 'failed' ? REPORTED : null;
      await this.endings.end(job, { status: ended, cause, resultantImageId }, actor.id);
      await this.signals.stop(job.id);
    });
  }

  /**
   * Deletes a job for every face; one that runs is stopped. Its image stays.
   * @throws JobNotFoundError, NotPermittedError
   */
  delete(actor: Actor, face: string, jobId: string): Promise<void> {
    return this.deleteIn(actor, face, jobId, undefined);
  }

  /** Deletes a job unless it has come to be in none of these states since it was found. */
  private deleteIn(actor: Actor, face: string, jobId: string, states: DeleteJobs['states']): Promise<void> {
    return this.uow.run(async () => {
      const job = await this.lock(actor, face, jobId, 'jobs:delete');
      if (states && !states.includes(job.state)) return;
      await this.endings.delete(job, actor.id);
      if (!hasEnded(job.status)) await this.signals.stop(job.id);
    });
  }

  /** Deletes the jobs of the actor's project that match every condition, each on its own. @throws NotPermittedError */
  async deleteMany(actor: Actor, wanted: DeleteJobs): Promise<void> {
    if (!actor.has('member')) throw new NotPermittedError('jobs:delete');
    const { face, states, jobTypes, createdBefore } = wanted;
    const created = createdBefore ? [{ operator: 'lt', time: createdBefore } as const] : [];
    const query = { face, projectId: actor.projectId, filter: { states, jobTypes, created }, sort: [] };
    for await (const job of this.jobs.stream(query, null)) {
      await this.deleteIn(actor, face, job.id, states).catch(ignoreGone);
    }
  }

  /** Removes for good what is left of jobs that were deleted longer ago than the retention. Returns how many went. */
  async purgeDeleted(): Promise<number> {
    const { deletedRetentionMs } = this.config;
    return deletedRetentionMs === null ? 0 : this.jobs.purge(deletedRetentionMs, PURGED_AT_ONCE);
  }

  private async change(
    actor: Actor,
    face: string,
    jobId: string,
    action: string,
    apply: (job: Job) => Promise<void> | void,
  ): Promise<Job> {
    return this.uow.run(async () => {
      await apply(await this.lock(actor, face, jobId, action));
      return (await this.jobs.find(jobId))!;
    });
  }

  private async lock(actor: Actor, face: string, jobId: string, action: string): Promise<Job> {
    const job = this.checkVisible(actor, face, jobId, await this.jobs.findForUpdate(jobId));
    checkChange(actor, job, action);
    return job;
  }

  private checkVisible(actor: Actor, face: string, jobId: string, job: Job | null): Job {
    const visible = job !== null && job.face === face && actor.mayRead(job.projectId);
    if (!visible) throw new JobNotFoundError(jobId);
    return job;
  }

  private async marker({ marker, face, projectId }: JobQuery): Promise<Job | null> {
    if (marker === undefined) return null;
    const job = await this.jobs.findEvenDeleted(marker);
    if (!job || job.face !== face || (projectId !== null && job.projectId !== projectId)) {
      throw new JobMarkerError(marker);
    }
    return job;
  }

  private async findKey(actor: Actor, keyId: string): Promise<Key> {
    const key = await orNull(this.keys.get(actor, keyId));
    if (!key || key.projectId !== actor.projectId) throw new JobKeyError(keyId);
    return key;
  }

  private newJob(actor: Actor, wanted: CreateJob, source: JobSource, key: Key | null): NewJob {
    const { arch, fileId, requireDkms, ...from } = source;
    return {
      id: newId(),
      projectId: actor.projectId!,
      userId: actor.id,
      face: wanted.face,
      jobType: wanted.jobType,
      ...from,
      recipeFileId: fileId,
      publicKeyId: key?.id ?? null,
      publicKey: key?.publicKey ?? null,
      arch,
      // On aarch64 always: the reference builds it in a virtual machine, whatever the user says.
      requireDkms: arch === 'aarch64' || (wanted.requireDkms ?? requireDkms),
      imageRootArchiveName: wanted.imageRootArchiveName,
      kernelFileName: wanted.kernelFileName ?? (arch === 'aarch64' ? 'Image' : 'vmlinuz'),
      initrdFileName: wanted.initrdFileName ?? 'initrd',
      kernelParametersFileName: wanted.kernelParametersFileName ?? 'kernel-parameters',
      enableDebug: wanted.enableDebug ?? false,
      buildEnvSizeGib: wanted.buildEnvSizeGib ?? this.config.ims.buildEnvSizeGib,
      memoryGib: wanted.memoryGib ?? this.config.ims.jobMemoryGib,
      sshContainers: shellsOf(wanted),
      input: wanted.scripted ? { scripted: wanted.scripted } : null,
      targetImageId: newId(),
    };
  }

  private recordReport(actor: Actor, job: Job, report: ReportJob): Promise<void> {
    const { id, projectId } = job;
    return this.outbox.record({
      kind: 'job.reported',
      noun: 'job',
      nounId: id,
      projectId,
      actorId: actor.id,
      data: { ...report },
    });
  }
}

function checkChange(actor: Actor, job: Job, action: string): void {
  if (!actor.mayChange(job.projectId)) throw new NotPermittedError(action);
}

function checkShells({ jobType, sshContainers }: CreateJob): void {
  const count = sshContainers?.length ?? 0;
  if (jobType === 'create' && count > 0) {
    throw new JobShellsError('ssh_containers: a job of type create takes none', { jobType });
  }
  if (count > 1) throw new JobShellsError(`ssh_containers: a job of type ${jobType} takes one at most`, { jobType });
}

/** Somebody or something must do the customizing. */
function checkScripts({ jobType, publicKeyId, scripted }: CreateJob): void {
  if (jobType === 'customize' && publicKeyId === undefined && !scripted) {
    throw new JobShellsError('a job of type customize needs a public key, or scripts', { jobType });
  }
  if (!scripted) return;
  if (jobType !== 'customize') throw new JobScriptsError(`a job of type ${jobType} takes no scripts`, { jobType });
  const { length } = scripted.scripts;
  if (length > MOST_SCRIPTS) throw new JobScriptsError(`${length} scripts are more than ${MOST_SCRIPTS}`, { length });
  const other = scripted.scripts.find(({ url }) => !/^(https?:\/\/|s3:\/\/|data:)/i.test(url));
  if (other) {
    throw new JobScriptsError(`${other.url.slice(0, 200)} is no address of a script: https, s3 and data are`, {});
  }
}

/** The shells that a job opens; without a key there is nobody who could come in. */
function shellsOf(wanted: CreateJob): readonly SshContainer[] | null {
  const { jobType, publicKeyId, enableDebug, sshContainers, scripted } = wanted;
  if (publicKeyId === undefined || scripted) return null;
  if (jobType === 'create') return enableDebug ? [{ name: 'debug', jail: false }] : null;
  return sshContainers?.length ? sshContainers : [{ name: 'customize', jail: false }];
}

function checkSameEnd(job: Job, { ended, phase, resultantImageId }: ReportJob): void {
  const sameStatus =
    phase === undefined && (ended === undefined || (ended === 'succeeded') === (job.state === 'success'));
  const sameImage = resultantImageId === undefined || resultantImageId === job.resultantImageId;
  if (!sameStatus || !sameImage) throw new JobEndedError(job.id, job.status);
}

function checkScope(actor: Actor, projectId: string | null): void {
  if (!actor.mayRead(projectId)) throw new NotPermittedError('jobs:list');
}

async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

/** Somebody else deleted it first. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof JobNotFoundError)) throw error;
}
