import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Module,
  type OnApplicationBootstrap,
  type Type,
} from '@nestjs/common';
import { HealthChecks } from '../common/health.js';
import { ArtifactsModule } from '../modules/artifacts/index.js';
import { CustomImagesModule } from '../modules/custom-images/index.js';
import { IdentityModule } from '../modules/identity/index.js';
import { ImagesModule } from '../modules/images/index.js';
import { Builder, ImageConverter, JobExecutionModule } from '../modules/jobs/index.js';
import { KeysModule } from '../modules/keys/index.js';
import { RecipesModule } from '../modules/recipes/index.js';
import { EventDispatcher } from '../platform/events/event-dispatcher.js';
import { Log } from '../platform/logging/log.js';
import { DeletedBytesSweep, StoredFilesSweep } from './artifacts.sweep.js';
import { CustomImagesSweep } from './custom-images.sweep.js';
import { PurgeEventsSweep } from './events.sweep.js';
import { HeartbeatSweep } from './heartbeat.sweep.js';
import { PurgeImagesSweep, StaleUploadsSweep } from './images.sweep.js';
import { JobsProcessor } from './jobs.processor.js';
import { BuildLeftoversSweep, ExpireTasksSweep, PurgeJobsSweep, RecoverJobsSweep } from './jobs.sweep.js';
import { PurgeRecipesAndKeysSweep } from './recipes-and-keys.sweep.js';
import { type Sweep, SweepRunner } from './sweep.js';
import { ExpiredTokensSweep } from './tokens.sweep.js';

const SWEEPS = [
  HeartbeatSweep,
  RecoverJobsSweep,
  BuildLeftoversSweep,
  PurgeJobsSweep,
  ExpireTasksSweep,
  PurgeEventsSweep,
  StaleUploadsSweep,
  StoredFilesSweep,
  PurgeImagesSweep,
  PurgeRecipesAndKeysSweep,
  DeletedBytesSweep,
  ExpiredTokensSweep,
  CustomImagesSweep,
];

/** Every sweep of a worker. */
class AllSweeps {
  constructor(readonly list: readonly Sweep[]) {}
}

/** What a process does that works in the background: events, queues and sweeps. May live beside the API. */
@Module({})
export class WorkersModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(
    private readonly builder: Builder,
    private readonly converter: ImageConverter,
    private readonly processor: JobsProcessor,
    private readonly events: EventDispatcher,
    private readonly sweepRunner: SweepRunner,
    private readonly sweeps: AllSweeps,
    private readonly health: HealthChecks,
    private readonly log: Log,
  ) {}

  /** @param builders a module that exports the `Builder` of this process */
  static with(builders: Type): DynamicModule {
    return {
      module: WorkersModule,
      imports: [
        JobExecutionModule.with(builders),
        ArtifactsModule,
        ImagesModule,
        RecipesModule,
        KeysModule,
        IdentityModule,
        CustomImagesModule,
      ],
      providers: [
        JobsProcessor,
        SweepRunner,
        ...SWEEPS,
        { provide: AllSweeps, useFactory: (...sweeps: Sweep[]) => new AllSweeps(sweeps), inject: SWEEPS },
      ],
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    this.health.tell('builders', async () => {
      const found = [...(await this.builder.readiness()), ...(await this.converter.readiness())];
      return found.map(({ builder, usable, problem }) => ({ name: builder, usable, detail: problem }));
    });
    // What an earlier process of this machine left must be gone before its jobs come back.
    await this.builder.sweep().catch((error) => this.log.error('leftovers of earlier builds remain', { error }));
    this.processor.start();
    this.events.start();
    this.sweepRunner.start(this.sweeps.list);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([this.sweepRunner.stop(), this.events.stop()]);
  }
}
