import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Clock } from '../../src/common/clock.js';
import { newHexId } from '../../src/common/ids.js';
import { loadConfig } from '../../src/config/config.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { ArtifactsModule, ArtifactsService, DeletedBytes } from '../../src/modules/artifacts/index.js';
import {
  BuiltImagesService,
  DeletedImagesService,
  DeletedManifestsService,
  ImageDataService,
  ImageManifestsService,
  ImageMembersService,
  ImagePinsService,
  ImageRegistrationService,
  ImageRemovalService,
  ImagesModule,
  ImagesService,
} from '../../src/modules/images/index.js';
import { KeysModule, KeysService } from '../../src/modules/keys/index.js';
import { RecipesModule, RecipesService } from '../../src/modules/recipes/index.js';
import { Actor, Ledger, type Limits, ProjectsService, type Role } from '../../src/modules/tenancy/index.js';
import { Database } from '../../src/platform/database/database.js';
import { DatabaseModule } from '../../src/platform/database/database.module.js';
import { UnitOfWork } from '../../src/platform/database/unit-of-work.js';
import { EgressModule } from '../../src/platform/egress/egress.module.js';
import { EventDispatcher } from '../../src/platform/events/event-dispatcher.js';
import { EventsModule } from '../../src/platform/events/events.module.js';
import { LoggingModule } from '../../src/platform/logging/logging.module.js';
import { MemoryObjectStore } from '../../src/platform/object-store/memory-object-store.js';
import { ObjectStores } from '../../src/platform/object-store/object-stores.js';
import { type TestDatabase, testDatabase } from './database.js';

/** Images, recipes, keys and their bytes as one process has them, on a database of its own and a store in memory. */
export interface Catalogue {
  readonly store: MemoryObjectStore;
  readonly database: Database;
  readonly uow: UnitOfWork;
  readonly ledger: Ledger;
  readonly projects: ProjectsService;
  readonly artifacts: ArtifactsService;
  readonly deletedBytes: DeletedBytes;
  readonly recipes: RecipesService;
  readonly keys: KeysService;
  readonly images: ImagesService;
  readonly imageData: ImageDataService;
  readonly imageMembers: ImageMembersService;
  readonly imagePins: ImagePinsService;
  readonly imageRemoval: ImageRemovalService;
  readonly deletedImages: DeletedImagesService;
  readonly deletedManifests: DeletedManifestsService;
  readonly registration: ImageRegistrationService;
  readonly builtImages: BuiltImagesService;
  readonly manifests: ImageManifestsService;
  readonly events: EventDispatcher;
  /** Somebody with one role in a new project. */
  actor(role?: Role, limits?: Limits): Promise<Actor>;
  /** Bytes that the ledger holds for the actor's project, and those that its stored files say they are charged. */
  bytes(actor: Actor): Promise<{ ledger: number; files: number }>;
  close(): Promise<void>;
}

/** Closes with `close`, in `afterAll`; `env` has more settings. */
export async function catalogue(env: Readonly<Record<string, string>> = {}): Promise<Catalogue> {
  const testing = await testDatabase();
  return onDatabase(testing, env);
}

async function onDatabase(testing: TestDatabase, env: Readonly<Record<string, string>>): Promise<Catalogue> {
  const { config } = loadConfig({
    KILN_DATABASE_URL: testing.url,
    KILN_LOG_LEVEL: 'fatal',
    // The data folder is that of whoever develops.
    KILN_IMAGE_CACHE: 'off',
    ...env,
  });
  const store = new MemoryObjectStore();

  @Global()
  @Module({
    providers: [Clock, { provide: ObjectStores, useValue: new ObjectStores([store]) }],
    exports: [Clock, ObjectStores],
  })
  class Foundations {}

  @Module({
    imports: [
      Foundations,
      ConfigModule.forRoot(config),
      LoggingModule,
      DatabaseModule.forRoot({ url: testing.url, poolSize: 12 }),
      EventsModule,
      EgressModule,
      ArtifactsModule,
      RecipesModule,
      KeysModule,
      ImagesModule,
    ],
  })
  class App {}

  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  const get = <T>(type: abstract new (...args: never[]) => T): T => app.get(type as never, { strict: false });
  const [database, ledger, projects] = [get(Database), get(Ledger), get(ProjectsService)];
  let actors = 0;
  return {
    store,
    database,
    ledger,
    projects,
    uow: get(UnitOfWork),
    artifacts: get(ArtifactsService),
    deletedBytes: get(DeletedBytes),
    recipes: get(RecipesService),
    keys: get(KeysService),
    images: get(ImagesService),
    imageData: get(ImageDataService),
    imageMembers: get(ImageMembersService),
    imagePins: get(ImagePinsService),
    imageRemoval: get(ImageRemovalService),
    deletedImages: get(DeletedImagesService),
    deletedManifests: get(DeletedManifestsService),
    registration: get(ImageRegistrationService),
    builtImages: get(BuiltImagesService),
    manifests: get(ImageManifestsService),
    events: get(EventDispatcher),
    actor: async (role = 'member', limits = {}) => {
      const name = `project-${(actors += 1)}`;
      const { id } = await projects.declare({ name, limits });
      return Actor.user({ id: newHexId(), name: `user-${actors}`, projectId: id, projectName: name, roles: [role] });
    },
    bytes: async (actor) => {
      const held = await ledger.find(actor.projectId!, 'storage_bytes');
      const [row] = await database.query<{ files: number }>(
        'SELECT coalesce(sum(charged_bytes), 0)::bigint AS files FROM stored_files WHERE project_id = $1',
        [actor.projectId],
      );
      return { ledger: held!.used, files: row!.files };
    },
    close: async () => {
      await app.close();
      await testing.drop();
    },
  };
}
