import { Injectable } from '@nestjs/common';
import { isUuid } from '../../../common/ids.js';
import { ImagesPolicy, ImagesService } from '../../images/index.js';
import type { Actor } from '../../tenancy/index.js';
import { JobMarkerError, JobNotFoundError } from '../jobs.errors.js';
import type { Job } from '../job.entity.js';
import type { TaskQuery } from './imports.types.js';
import { TasksRepository } from './tasks.repository.js';

/** How long the record of a task is kept once it has ended. */
export const TASK_RETENTION_MS = 48 * 3_600_000;

const EXPIRED_AT_ONCE = 500;

/** The records of imports, as long as they are kept. */
@Injectable()
export class TasksService {
  constructor(
    private readonly tasks: TasksRepository,
    private readonly images: ImagesService,
    private readonly policy: ImagesPolicy,
  ) {}

  /** Whether the actor may ask for tasks at all. @throws ImageActionForbiddenError */
  checkAccess(actor: Actor): void {
    this.policy.checkAction('tasks_api_access', actor, 'use tasks');
  }

  /** @throws ImageActionForbiddenError; JobNotFoundError unknown, expired or another face's */
  async get(actor: Actor, face: string, taskId: string): Promise<Job> {
    this.checkAccess(actor);
    const task = isUuid(taskId, true) ? await this.tasks.find(face, taskId, TASK_RETENTION_MS) : null;
    if (!task) throw new JobNotFoundError(taskId);
    return task;
  }

  /** One page, in order. @throws ImageActionForbiddenError; JobMarkerError the marker is no task of the list */
  async list(actor: Actor, query: TaskQuery): Promise<Job[]> {
    this.checkAccess(actor);
    const { marker } = query;
    if (marker === undefined) return this.tasks.page(query, null, TASK_RETENTION_MS);
    const after = isUuid(marker, true) ? await this.tasks.find(query.face, marker, TASK_RETENTION_MS) : null;
    if (!after) throw new JobMarkerError(marker);
    return this.tasks.page(query, after, TASK_RETENTION_MS);
  }

  /** The tasks of an image, newest first. @throws ImageNotFoundError the actor may not see the image */
  async ofImage(actor: Actor, face: string, imageId: string): Promise<Job[]> {
    const image = await this.images.get(actor, imageId);
    return this.tasks.ofImage(face, image.id, TASK_RETENTION_MS);
  }

  /** Deletes the records whose time is up. Returns how many. */
  expire(): Promise<number> {
    return this.tasks.expire(TASK_RETENTION_MS, EXPIRED_AT_ONCE);
  }
}
