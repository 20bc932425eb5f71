import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../../../common/clock.js';
import { isUuid, newId } from '../../../common/ids.js';
import { currentRequestId } from '../../../common/request-context.js';
import { Config, type ImportMethod } from '../../../config/config.js';
import { UnitOfWork } from '../../../platform/database/unit-of-work.js';
import { EgressClient } from '../../../platform/egress/egress-client.js';
import { Outbox } from '../../../platform/events/outbox.js';
import { SecretBox } from '../../../platform/secrets/secret-box.js';
import {
  type CreateImage,
  ExaminedLocationsService,
  type Image,
  ImageImportsService,
  ImageLocationsService,
  ImagesService,
} from '../../images/index.js';
import { type Actor, Ledger, NotPermittedError } from '../../tenancy/index.js';
import { JobEndings } from '../job-endings.js';
import { JobSignals } from '../job-signals.js';
import type { Job } from '../job.entity.js';
import { hasEnded } from '../job-state.js';
import { JobsRepository, type NewJob } from '../jobs.repository.js';
import type { JobCause } from '../jobs.types.js';
import { type ImportOrder, type ImportSourceOrder, toAsker, tokenContext } from './import-order.js';
import type { HashOrder } from './hash-order.js';
import { ImportArgumentError, ImportMethodError } from './imports.errors.js';
import type { AddImageLocation, ChangeImageLocations, ImportImage } from './imports.types.js';

const MINUTE_MS = 60_000;
/** A task that holds an image and does nothing for so long may be put aside. @see Image API v2, import locking */
const STALLED_MS = { queued: 120 * MINUTE_MS, running: 60 * MINUTE_MS };
const STALLED: JobCause = {
  code: 'import.stalled',
  message: 'The import made no progress, and another one took its place.',
};
const DELETED: JobCause = { code: 'image.deleted', message: 'The image was deleted while it was imported.' };

/** What a task is made with before the transaction that accepts it. */
interface NewTask {
  readonly id: string;
  readonly sealedToken: Buffer | null;
}

/** Begins imports, and ends those whose images go. Running them is `ImportWork`'s and `HashWork`'s. */
@Injectable()
export class ImportsService implements OnModuleInit {
  constructor(
    private readonly jobs: JobsRepository,
    private readonly endings: JobEndings,
    private readonly signals: JobSignals,
    private readonly images: ImagesService,
    private readonly imports: ImageImportsService,
    private readonly locations: ExaminedLocationsService,
    private readonly places: ImageLocationsService,
    private readonly egress: EgressClient,
    private readonly secrets: SecretBox,
    private readonly ledger: Ledger,
    private readonly uow: UnitOfWork,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  onModuleInit(): void {
    this.endings.onEnd(['import', 'copy', 'hash'], async (job, { status }) => {
      if (status !== 'succeeded') await this.imports.release(job.imageId!, job.id);
    });
    this.imports.onDelete((imageId, taskId) => this.endWithImage(imageId, taskId));
  }

  /** The methods that are offered, in the order of the documentation. */
  methods(): readonly ImportMethod[] {
    return this.config.imports.methods;
  }

  /**
   * Accepts an import: from now on its task has the image, and of several imports at once one is accepted. A worker does
   * the rest.
   *
   * @returns the task; null when there is nothing to do, since every store has the data
   * @throws ImportMethodError no such method, or one that is switched off
   * @throws LimitExceededError no room is left, or too many uploads or jobs are under way
   * @throws ImportArgumentError the method was not told what it needs
   * @throws EgressRefusedError the address is none that may be fetched from
   * @throws anything that `ImageImportsService.begin` throws
   * @see Image API v2, "Import an image"
   */
  async start(actor: Actor, imageId: string, command: ImportImage): Promise<Job | null> {
    const method = this.offered(command.method);
    await this.checkRoom(actor, method);
    const task = await this.newTask(method, command);
    return this.uow.run(() => this.accept(actor, imageId, method, command, task));
  }

  /**
   * Makes an image and imports its data from an address.
   * @throws anything that `start` and `ImagesService.create` throw
   * @see Image API v2, "Create task" (type import)
   */
  async createAndStart(actor: Actor, image: CreateImage, command: ImportImage): Promise<Job> {
    const method = this.offered(command.method);
    await this.checkRoom(actor, method);
    const task = await this.newTask(method, command);
    return this.uow.run(async () => {
      const { id } = await this.images.create(actor, image);
      return (await this.accept(actor, id, method, command, task))!;
    });
  }

  /**
   * Gives a queued image a place on the web; a worker looks at the bytes there.
   * @throws LimitExceededError too many uploads or jobs are under way
   * @throws anything that `ExaminedLocationsService.begin` throws
   * @see Image API v2, "Add location" (2.17)
   */
  addLocation(actor: Actor, imageId: string, { face, url, validation }: AddImageLocation): Promise<Job> {
    const task = { id: newId(), sealedToken: null };
    const order: HashOrder = { url, validation };
    const command = { taskId: task.id, url, isAwaited: validation !== null };
    return this.locations.begin(actor, imageId, command, (image) =>
      this.insert(actor, task, { face, jobType: 'hash', input: { ...order } }, image),
    );
  }

  /**
   * Changes where an image's bytes are. Where a queued image becomes active by it and nobody has said what they come to, a
   * worker looks at them before anybody reads them.
   *
   * @throws LimitExceededError too many uploads or jobs are under way
   * @throws anything that `ImageLocationsService.update` and `andAlso` throw
   */
  changeLocations(
    actor: Actor,
    imageId: string,
    { face, changes }: ChangeImageLocations,
    andAlso: () => Promise<unknown>,
  ): Promise<void> {
    const task = { id: newId(), sealedToken: null };
    return this.places.update(actor, imageId, changes, andAlso, {
      taskId: task.id,
      begin: (image, url) => {
        const order: HashOrder = { url, validation: null };
        return this.insert(actor, task, { face, jobType: 'hash', input: { ...order } }, image);
      },
    });
  }

  private offered(method: string): ImportMethod {
    const found = this.config.imports.methods.find((offered) => offered === method);
    if (!found) throw new ImportMethodError(method, this.config.imports.methods);
    return found;
  }

  /** What cannot be for want of room is refused before anything else is looked at; what is reserved later is exact. */
  private async checkRoom({ projectId }: Actor, method: ImportMethod): Promise<void> {
    await this.ledger.check(projectId, 'storage_bytes', 1);
    // What is staged holds its place among the uploads already.
    if (method !== 'glance-direct') await this.ledger.check(projectId, 'uploads', 1);
  }

  /** The token goes with the job, sealed, only where another region must be asked. */
  private async newTask(method: ImportMethod, { region, token }: ImportImage): Promise<NewTask> {
    const id = newId();
    const needed = method === 'glance-download' && region !== this.config.region && token !== undefined;
    return { id, sealedToken: needed ? await this.secrets.seal(token, tokenContext(id)) : null };
  }

  private async accept(
    actor: Actor,
    imageId: string,
    method: ImportMethod,
    command: ImportImage,
    task: NewTask,
  ): Promise<Job | null> {
    const begun = await this.imports.begin(actor, imageId, {
      method,
      taskId: task.id,
      stores: command.stores,
      checkArguments: () => checkArguments(command),
      breakLock: (taskId) => this.breakLock(taskId),
      checkSource: () => {
        if (method === 'web-download') this.checkUri(command.uri);
      },
    });
    if (!begun) return null;
    await this.checkStaged(begun.image, method, begun.stores.length);
    const order: ImportOrder = {
      method: toSource(method, command),
      stores: begun.stores,
      allStoresMustSucceed: command.allStoresMustSucceed ?? true,
      inject: method === 'copy-image' ? {} : this.injectedFor(actor),
      asker: toAsker(actor),
      ...(command.legacy ? { legacy: command.legacy } : {}),
    };
    const jobType = method === 'copy-image' ? 'copy' : 'import';
    return this.insert(actor, task, { face: command.face, jobType, input: { ...order } }, begun.image);
  }

  private async insert(
    actor: Actor,
    task: NewTask,
    work: Pick<NewJob, 'face' | 'jobType' | 'input'>,
    image: Image,
  ): Promise<Job> {
    const { id, sealedToken } = task;
    const projectId = actor.projectId ?? image.projectId;
    if (projectId === null) throw new NotPermittedError('images:import without a project');
    await this.ledger.reserve(projectId, 'queued_jobs', 1);
    const job = await this.jobs.insert({
      id,
      projectId,
      userId: actor.id,
      ...work,
      imageId: image.id,
      requestId: currentRequestId(),
      sealedToken,
    });
    const data = { jobType: job.jobType, imageId: image.id };
    await this.outbox.record(
      { kind: 'job.created', noun: 'job', nounId: id, projectId, actorId: actor.id, data },
      { dispatch: true },
    );
    return job;
  }

  /** What is staged is of a known size, so it is known at once whether its copies would fit. */
  private async checkStaged({ projectId, sizeBytes }: Image, method: ImportMethod, copies: number): Promise<void> {
    if (method !== 'glance-direct' || sizeBytes === null) return;
    await this.ledger.check(projectId, 'storage_bytes', sizeBytes * copies);
  }

  private checkUri(uri: unknown): void {
    if (typeof uri !== 'string' || uri === '') throw new ImportArgumentError('web-download needs a uri');
    this.egress.check(uri);
  }

  private injectedFor(actor: Actor): Readonly<Record<string, string>> {
    const { injectProperties, injectIgnoreRoles } = this.config.imports;
    return injectIgnoreRoles.some((role) => (actor.roles as ReadonlySet<string>).has(role)) ? {} : injectProperties;
  }

  private async breakLock(taskId: string): Promise<boolean> {
    const job = isUuid(taskId) ? await this.jobs.findForUpdate(taskId) : null;
    if (!job || hasEnded(job.status)) return true;
    const idleMs = this.clock.now().getTime() - job.updatedAt.getTime();
    if (idleMs < STALLED_MS[job.status]) return false;
    await this.end(job, 'failed', STALLED);
    return true;
  }

  private async endWithImage(imageId: string, taskId: string): Promise<void> {
    const job = await this.jobs.findForUpdate(taskId);
    if (job && !hasEnded(job.status)) await this.end(job, 'cancelled', DELETED);
    else await this.imports.release(imageId, taskId);
  }

  private async end(job: Job, status: 'failed' | 'cancelled', cause: JobCause): Promise<void> {
    await this.endings.end(job, { status, cause }, null);
    await this.signals.stop(job.id);
  }
}

/** @throws ImportArgumentError */
function checkArguments({ method, region, imageId, serviceInterface }: ImportImage): void {
  if (method !== 'glance-download') return;
  if (typeof region !== 'string' || region === '') {
    throw new ImportArgumentError('glance-download needs a glance_region');
  }
  if (typeof imageId !== 'string' || !isUuid(imageId, true)) {
    throw new ImportArgumentError('glance_image_id: image id does not look like a UUID');
  }
  if (serviceInterface !== undefined && (typeof serviceInterface !== 'string' || serviceInterface === '')) {
    throw new ImportArgumentError('glance_service_interface must be a text');
  }
}

/** Once everything is checked. */
function toSource(method: ImportMethod, command: ImportImage): ImportSourceOrder {
  switch (method) {
    case 'web-download':
      return { name: method, uri: command.uri as string };
    case 'glance-download':
      return {
        name: method,
        region: command.region as string,
        imageId: (command.imageId as string).toLowerCase(),
        serviceInterface: (command.serviceInterface as string | undefined) ?? 'public',
      };
    default:
      return { name: method };
  }
}
