import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { HealthChecks } from '../../common/health.js';
import { Config } from '../../config/config.js';
import { SecretsModule } from '../../platform/secrets/secrets.module.js';
import { ArtifactsModule } from '../artifacts/index.js';
import { ImagesModule } from '../images/index.js';
import { KeysModule } from '../keys/index.js';
import { RecipesModule } from '../recipes/index.js';
import { TenancyModule } from '../tenancy/index.js';
import { BuildWork } from './builds/build-work.js';
import { ScriptSources } from './builds/script-sources.js';
import { RemoteBuilds } from './builds/remote-builds.js';
import { RemoteBuildsRepository } from './builds/remote-builds.repository.js';
import { ExecutionProgress } from './execution/execution-progress.js';
import { JobExecutionsRepository } from './execution/job-executions.repository.js';
import { JobRunner } from './execution/job-runner.js';
import { type JobWork, JobWorks } from './execution/job-work.js';
import { HashWork } from './imports/hash-work.js';
import { ImportSources } from './imports/import-sources.js';
import { ImportWork } from './imports/import-work.js';
import { ImportsService } from './imports/imports.service.js';
import { RemoteImages } from './imports/remote-images.js';
import { TasksRepository } from './imports/tasks.repository.js';
import { TasksService } from './imports/tasks.service.js';
import { JobEndings } from './job-endings.js';
import { JobLogsRepository } from './job-logs.repository.js';
import { JobLogsService } from './job-logs.service.js';
import { JobQueue } from './job-queue.js';
import { JobSignals } from './job-signals.js';
import { JobSources } from './job-sources.js';
import { Job } from './job.entity.js';
import { JobsRepository } from './jobs.repository.js';
import { JobsService } from './jobs.service.js';

/** What jobs of every type do. */
const WORKS = [BuildWork, ImportWork, HashWork];

const INTERNALS = [JobEndings, JobExecutionsRepository, ExecutionProgress, JobLogsRepository, JobSignals];

/** What users do with jobs. Needs no builder. */
@Module({
  imports: [
    TypeOrmModule.forFeature([Job]),
    TenancyModule,
    ArtifactsModule,
    KeysModule,
    RecipesModule,
    ImagesModule,
    SecretsModule,
  ],
  providers: [
    ...INTERNALS,
    JobsRepository,
    JobSources,
    JobsService,
    JobLogsService,
    JobQueue,
    ImportsService,
    TasksService,
    TasksRepository,
    RemoteBuilds,
    RemoteBuildsRepository,
  ],
  // The internals only for the module below.
  exports: [...INTERNALS, JobsService, JobLogsService, JobQueue, ImportsService, TasksService, RemoteBuilds],
})
export class JobsModule {
  constructor(config: Config, health: HealthChecks) {
    if (config.role !== 'api') return;
    health.tell('builders', async () => [
      { name: 'builders', usable: false, detail: 'none in this process: jobs run in workers, which know more' },
    ]);
  }
}

/** Running jobs; for processes that have a `Builder`. */
@Module({})
export class JobExecutionModule {
  /** @param builders a module that exports a `Builder` */
  static with(builders: Type | DynamicModule): DynamicModule {
    return {
      module: JobExecutionModule,
      imports: [builders, JobsModule, TenancyModule, ArtifactsModule, ImagesModule, SecretsModule],
      providers: [
        JobRunner,
        ScriptSources,
        ImportSources,
        RemoteImages,
        ...WORKS,
        { provide: JobWorks, useFactory: (...works: JobWork[]) => new JobWorks(works), inject: WORKS },
      ],
      exports: [JobRunner, JobsModule, builders],
    };
  }
}
