import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Clock } from '../../../src/common/clock.js';
import { HealthChecks } from '../../../src/common/health.js';
import { loadConfig } from '../../../src/config/config.js';
import { ConfigModule } from '../../../src/config/config.module.js';
import { LocalConverter } from '../../../src/builders/local/local-converter.js';
import { ArtifactsService } from '../../../src/modules/artifacts/index.js';
import {
  Builder,
  type BuildOrder,
  type BuildReporter,
  type BuildResult,
  type BuiltFile,
  type BuiltRole,
  type CreateJob,
  ImageConverter,
  type Job,
  JobExecutionModule,
  JobLogsService,
  JobQueue,
  JobRunner,
  JobsService,
} from '../../../src/modules/jobs/index.js';
import { KeysService } from '../../../src/modules/keys/index.js';
import { type Recipe, RecipesService } from '../../../src/modules/recipes/index.js';
import { Actor, Ledger, type Limits, ProjectsService } from '../../../src/modules/tenancy/index.js';
import { Database } from '../../../src/platform/database/database.js';
import { DatabaseModule } from '../../../src/platform/database/database.module.js';
import { EgressModule } from '../../../src/platform/egress/egress.module.js';
import { EventsModule } from '../../../src/platform/events/events.module.js';
import { LoggingModule } from '../../../src/platform/logging/logging.module.js';
import { ObjectStoreModule } from '../../../src/platform/object-store/object-store.module.js';
import { QueueModule } from '../../../src/platform/queue/queue.module.js';
import { TaskQueue } from '../../../src/platform/queue/task-queue.js';
import { TelemetryModule } from '../../../src/platform/telemetry/telemetry.module.js';
import { Metrics } from '../../../src/platform/telemetry/metrics.js';
import { WorkersModule } from '../../../src/workers/workers.module.js';
import { type TestDatabase, testDatabase } from '../../support/database.js';

/** What a build under test may look at, and do. */
export interface Build {
  readonly order: BuildOrder;
  readonly report: BuildReporter;
  readonly signal: AbortSignal;
  recipe(): Promise<Buffer>;
}

/** What a scripted build makes: the content of each file, or how it comes. */
export type Made = Partial<Record<BuiltRole, string | (() => Promise<string>)>>;

export type Script = (build: Build) => Promise<Made>;

/** A builder whose builds do what the test says, at the moment the test says: for faults and timing only. */
export class ScriptedBuilder extends Builder {
  readonly builds: Build[] = [];

  constructor(private readonly script: Script) {
    super();
  }

  async build(
    order: BuildOrder,
    source: () => Promise<Readable>,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    const build = { order, report, signal, recipe: async () => buffer(await source()) };
    this.builds.push(build);
    const files: BuiltFile[] = [];
    for (const [role, content] of Object.entries(await this.script(build)) as [BuiltRole, Made[BuiltRole] & {}][]) {
      const text = typeof content === 'string' ? content : await content();
      const fileId = await report.store(role, Buffer.byteLength(text), Readable.from([Buffer.from(text)]));
      files.push({ role, fileId });
    }
    return { files };
  }

  async readiness() {
    return [{ builder: 'scripted', usable: true }];
  }

  async sweep(): Promise<void> {
    // It leaves nothing.
  }
}

/** A result of small files. */
export function aResult(contents: Made = {}): Made {
  return { rootfs: 'a root file system', kernel: 'a kernel', initrd: 'an initrd', ...contents };
}

/** Builds at once. */
export const atOnce: Script = async ({ report, recipe }) => {
  await report.phase('fetching');
  await recipe();
  await report.phase('building');
  report.log('building\n');
  await report.phase('packaging');
  return aResult();
};

/** For a script that stays in its build until told to go on; nobody can tell it to hurry. */
export function held() {
  let release!: () => void;
  const gate = new Promise<void>((resolve) => (release = resolve));
  return { gate, release };
}

/** Rejects when the signal aborts, as every builder must. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = () => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail);
  });
}

export interface JobsAppOptions {
  readonly script?: Script;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether queue, events and sweeps run; otherwise the test starts what it wants by hand. */
  readonly working?: boolean;
}

/** Everything about jobs as a worker process has it, around a scripted builder. */
export async function jobsApp(databaseUrl: string, dataDir: string, options: JobsAppOptions = {}) {
  const builder = new ScriptedBuilder(options.script ?? atOnce);
  const { config } = loadConfig({
    KILN_DATABASE_URL: databaseUrl,
    KILN_DATA_DIR: dataDir,
    KILN_LOG_LEVEL: process.env.KILN_TEST_LOG ?? 'fatal',
    // Renewed every 10 s: no lease is lost, and none that a test lets run out is renewed, because the machine is busy.
    KILN_JOB_LEASE: '30s',
    ...options.env,
  });

  @Module({
    providers: [
      { provide: Builder, useValue: builder },
      { provide: ImageConverter, useClass: LocalConverter },
    ],
    exports: [Builder, ImageConverter],
  })
  class ScriptedBuilders {}

  @Global()
  @Module({ providers: [Clock, HealthChecks], exports: [Clock, HealthChecks] })
  class CommonModule {}

  @Module({
    imports: [
      CommonModule,
      ConfigModule.forRoot(config),
      LoggingModule,
      TelemetryModule.forRoot(new Metrics()),
      DatabaseModule.forRoot({ url: databaseUrl, poolSize: 8 }),
      QueueModule.forRoot({ kind: 'postgres', url: databaseUrl }),
      EgressModule,
      EventsModule,
      ObjectStoreModule,
      options.working ? WorkersModule.with(ScriptedBuilders) : JobExecutionModule.with(ScriptedBuilders),
    ],
  })
  class App {}

  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  return {
    app,
    builder,
    jobs: app.get(JobsService, { strict: false }),
    runner: app.get(JobRunner, { strict: false }),
    jobQueue: app.get(JobQueue, { strict: false }),
    logs: app.get(JobLogsService, { strict: false }),
    ledger: app.get(Ledger, { strict: false }),
    database: app.get(Database, { strict: false }),
    taskQueue: app.get(TaskQueue, { strict: false }),
    artifacts: app.get(ArtifactsService, { strict: false }),
    recipes: app.get(RecipesService, { strict: false }),
    keys: app.get(KeysService, { strict: false }),
    projects: app.get(ProjectsService, { strict: false }),
  };
}

export type JobsApp = Awaited<ReturnType<typeof jobsApp>>;

export const FACE = 'ims';

/** A fresh database and data folder, and the applications that a test starts on them. */
export class JobsWorld {
  private constructor(
    readonly database: TestDatabase,
    readonly dataDir: string,
  ) {}

  private readonly apps: JobsApp[] = [];
  private numbers = 0;

  static async open(): Promise<JobsWorld> {
    return new JobsWorld(await testDatabase(), await mkdtemp(join(tmpdir(), 'kiln-jobs-')));
  }

  async worker(options: JobsAppOptions = {}): Promise<JobsApp> {
    const app = await jobsApp(this.database.url, this.dataDir, options);
    this.apps.push(app);
    return app;
  }

  /** A member of a new project. */
  async member({ projects }: JobsApp, limits: Limits = {}): Promise<Actor> {
    const name = `project-${(this.numbers += 1)}`;
    const project = await projects.declare({ name, limits });
    return Actor.user({ id: 'alice', name: 'alice', projectId: project.id, projectName: name, roles: ['member'] });
  }

  /** Everything a job needs, in the actor's project. */
  async source({ artifacts, recipes, keys }: JobsApp, actor: Actor, archive = 'a recipe archive') {
    const key = `recipes/${(this.numbers += 1)}/recipe.tar.gz`;
    await artifacts.put(actor, { bucket: 'ims', key }, Readable.from([Buffer.from(archive)]), {});
    const recipe = await recipes.create(actor, {
      name: 'a recipe',
      recipeType: 'kiwi-ng',
      linuxDistribution: 'debian12',
      arch: 'x86_64',
      requireDkms: false,
      templateDictionary: [{ key: 'COLOUR', value: 'blue' }],
      link: { path: `s3://ims/${key}`, etag: '' },
    });
    return { recipe, key: await keys.create(actor, { name: 'a key', publicKey: 'ssh-ed25519 AAAA' }) };
  }

  /** A queued job. */
  async job(app: JobsApp, actor: Actor, changes: Partial<CreateJob> = {}): Promise<Job & { recipe: Recipe }> {
    const { recipe, key } = await this.source(app, actor);
    const job = await app.jobs.create(actor, {
      face: FACE,
      jobType: 'create',
      artifactId: recipe.id,
      publicKeyId: key.id,
      imageRootArchiveName: 'an image',
      ...changes,
    });
    return { ...job, recipe };
  }

  async close(): Promise<void> {
    // Some may be closed already, which closes the others' nothing.
    await Promise.allSettled(this.apps.map(({ app }) => app.close()));
    await this.database.drop();
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** Makes a queued job look as if a worker had died over it. */
export async function abandon({ database, ledger }: JobsApp, job: Job, attempt: number): Promise<void> {
  await database.run(
    `UPDATE jobs SET status = 'running', phase = 'building', attempt = $2, fencing_number = nextval('job_fencing_numbers'),
       lease_owner = 'gone', lease_expires_at = now() - interval '1 second'
     WHERE id = $1`,
    [job.id, attempt],
  );
  await ledger.reserve(job.projectId, 'running_jobs', 1);
  await ledger.release(job.projectId, 'queued_jobs', 1);
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
