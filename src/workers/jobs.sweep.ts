import { Injectable } from '@nestjs/common';
import { Builder, JobQueue, JobsService, TasksService } from '../modules/jobs/index.js';
import type { Sweep } from './sweep.js';

/** Finds jobs whose worker has gone silent, and jobs that are queued but on no queue. */
@Injectable()
export class RecoverJobsSweep implements Sweep {
  readonly name = 'recover-jobs';
  readonly everyMs = 5_000;

  constructor(private readonly queue: JobQueue) {}

  run(): Promise<void> {
    return this.queue.recover();
  }
}

/** Removes what is left of deleted jobs when their retention ends. */
@Injectable()
export class PurgeJobsSweep implements Sweep {
  readonly name = 'purge-jobs';
  readonly everyMs = 60_000;

  constructor(private readonly jobs: JobsService) {}

  run(): Promise<number> {
    return this.jobs.purgeDeleted();
  }
}

/** Deletes the records of imports that ended long ago. */
@Injectable()
export class ExpireTasksSweep implements Sweep {
  readonly name = 'expire-tasks';
  readonly everyMs = 60_000;

  constructor(private readonly tasks: TasksService) {}

  run(): Promise<number> {
    return this.tasks.expire();
  }
}

/** Ends what executions of dead processes left running on this machine, and removes their folders. */
@Injectable()
export class BuildLeftoversSweep implements Sweep {
  readonly name = 'build-leftovers';
  readonly everyMs = 60_000;

  constructor(private readonly builder: Builder) {}

  run(): Promise<void> {
    return this.builder.sweep();
  }
}
