import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { serveDocumentation } from './apis/root/documentation/serve-documentation.js';
import { FaceRegistry } from './apis/shared/face-registry.js';
import { createHttpAdapter } from './apis/shared/connections/http-application.js';
import { RouteTable } from './apis/shared/route-table.js';
import { AppModule, type Foundations } from './app.module.js';
import { BootstrapFileError, BootstrapService, type BootstrapOutcome } from './bootstrap/index.js';
import { HealthChecks } from './common/health.js';
import { PRODUCT_VERSION } from './common/product.js';
import { type Config, ConfigError, type LoadedConfig, loadConfig } from './config/config.js';
import { MetadefsLibraryService } from './modules/metadefs/index.js';
import { GivenRowsService } from './modules/provisioning/index.js';
import { Database } from './platform/database/database.js';
import { startEmbeddedPostgres } from './platform/database/embedded-postgres.js';
import { migrate } from './platform/database/migrate.js';
import { Log } from './platform/logging/log.js';
import { ObjectStores } from './platform/object-store/object-stores.js';
import { lockDataDir } from './platform/process/data-dir-lock.js';
import { Metrics } from './platform/telemetry/metrics.js';

/** A configuration that cannot be used (sysexits: EX_CONFIG). */
const EXIT_BAD_CONFIGURATION = 78;

/** A second signal within this time is an echo of the first, not somebody who insists. */
const REPEATED_SIGNAL_MS = 1_000;

/** Undone in reverse order when the process ends, however far it got. */
class Undo {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.steps.push(step);
  }

  /** Every step runs; the first failure is rethrown at the end. */
  async run(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop())
      await step().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

/**
 * Runs Kiln in the role that the environment names until it is told to stop. Never returns before that; every expected
 * failure is one line on standard error and an exit status.
 */
export async function runProcess(env: NodeJS.ProcessEnv): Promise<void> {
  const { config, warnings } = loadOrExit(env);
  warnings.forEach((warning) => console.error(`kiln: ${warning}`));
  const undo = new Undo();
  const stop = stopOnSignals(undo);
  try {
    await start(config, undo, stop);
  } catch (error) {
    if (stop.stopping) return;
    explain(error, config);
    await undo.run().catch(() => undefined);
    process.exit(isBadConfiguration(error) ? EXIT_BAD_CONFIGURATION : 1);
  }
}

/** Of the environment, or of a file that it names. */
function isBadConfiguration(error: unknown): error is BootstrapFileError | ConfigError {
  return error instanceof BootstrapFileError || error instanceof ConfigError;
}

function loadOrExit(env: NodeJS.ProcessEnv): LoadedConfig {
  try {
    return loadConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    error.problems.forEach((problem) => console.error(`kiln: ${problem}`));
    process.exit(EXIT_BAD_CONFIGURATION);
  }
}

async function start(config: Config, undo: Undo, stop: { stopping: boolean }): Promise<void> {
  if (config.embeddedDatabase) {
    const lock = await lockDataDir(config.dataDir);
    undo.add(() => lock.release());
  }
  // Looked at first, since everything behind it takes seconds.
  if (config.role !== 'worker') await assertPortFree(config.http);
  const databaseUrl = config.database.url ?? (await startDatabase(config, undo));
  await migrate(databaseUrl);
  if (stop.stopping) return;
  const foundations: Foundations = {
    config,
    databaseUrl,
    faces: new FaceRegistry(),
    routes: new RouteTable(),
    metrics: new Metrics(),
  };
  if (config.role === 'worker') await startWorker(foundations, undo);
  else await startApi(foundations, undo);
}

async function startDatabase(config: Config, undo: Undo): Promise<string> {
  const postgres = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    log: (message) => console.error(`kiln: ${message}`),
  });
  undo.add(() => postgres.stop());
  return postgres.url;
}

/** Rejects as `listen` would. */
async function assertPortFree({ host, port }: Config['http']): Promise<void> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}

async function startWorker(foundations: Foundations, undo: Undo): Promise<void> {
  const app = await NestFactory.createApplicationContext(
    AppModule.forRole(foundations),
    nestOptions(foundations.config),
  );
  undo.add(() => app.close());
  await app.get(BootstrapService).apply();
  registerChecks(app);
  console.error(`kiln: worker started (version ${PRODUCT_VERSION})`);
}

async function startApi(foundations: Foundations, undo: Undo): Promise<void> {
  const { config, faces, routes, metrics } = foundations;
  const adapter = createHttpAdapter(faces, routes, new Log(config.logLevel), metrics, config.http);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRole(foundations),
    adapter,
    nestOptions(config),
  );
  undo.add(() => app.close());
  registerChecks(app);
  serveDocumentation(app);
  const outcome = await app.get(BootstrapService).apply();
  await app.get(MetadefsLibraryService, { strict: false }).load();
  await app.get(GivenRowsService, { strict: false }).give();
  await app.listen(config.http.port, config.http.host);
  const { port } = app.getHttpServer().address() as AddressInfo;
  await announce(app, config, outcome, config.http.publicUrl ?? `http://${displayHost(config.http.host)}:${port}`);
}

function nestOptions(config: Config) {
  return { logger: new Log(config.logLevel), abortOnError: false, bodyParser: false };
}

function registerChecks(app: INestApplicationContext): void {
  const checks = app.get(HealthChecks);
  const database = app.get(Database);
  const stores = app.get(ObjectStores);
  checks.require('database', async () => {
    await database.query('SELECT 1');
  });
  for (const store of stores.all()) checks.require(`store ${store.description.id}`, () => store.check());
}

/** An address for people: nobody can open 0.0.0.0. */
function displayHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

/** What a person reads after `npm start`: that it is up, at once, and then a table, for which builders are asked how they are. */
async function announce(
  app: INestApplicationContext,
  config: Config,
  outcome: BootstrapOutcome,
  address: string,
): Promise<void> {
  console.error(`\nKiln ${PRODUCT_VERSION} is up at ${address} (role ${config.role}); Ctrl-C stops it.\n`);
  const { told } = await app.get(HealthChecks).report();
  const rows: [string, string][] = [
    ['Identity (Keystone v3)', config.keystone?.publicUrl ?? `${address}/identity/v3`],
    ['Image (Glance v2)', `${address}/image`],
    ['Compute images (Nova v2.1)', `${address}/compute/v2.1`],
    ['Image Management Service v3', `${address}/apis/ims/v3`],
    ['ParallelCluster images', `${address}/parallelcluster`],
    ['Foreman images', `${address}/foreman`],
    ['Artifacts', `${address}/artifacts`],
    ['Documentation', `${address}/docs`],
    ...told.map(({ name, usable, detail }): [string, string] => [
      `Builder ${name}`,
      usable ? 'ready' : `not usable: ${detail ?? 'unknown'}`,
    ]),
    ['Credentials', outcome.credentials],
    ...(outcome.newPassword ? [['Password of admin', `${outcome.newPassword} (shown once)`] as [string, string]] : []),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  console.error(`${lines.join('\n')}\n`);
}

function stopOnSignals(undo: Undo): { stopping: boolean } {
  const state = { stopping: false };
  let firstAt = 0;
  const stop = (signal: NodeJS.Signals): void => {
    // One Ctrl-C may arrive twice: the terminal signals every process in front, and npm passes its own signal on.
    if (state.stopping && Date.now() - firstAt < REPEATED_SIGNAL_MS) return;
    if (state.stopping) {
      console.error('kiln: stopping at once');
      process.exit(130);
    }
    state.stopping = true;
    firstAt = Date.now();
    console.error(`kiln: ${signal}: finishing uploads and handing back jobs; again to stop at once`);
    undo.run().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(`kiln: did not stop cleanly: ${(error as Error).message}`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return state;
}

function explain(error: unknown, config: Config): void {
  const { code } = error as NodeJS.ErrnoException;
  if (isBadConfiguration(error)) error.problems.forEach((problem) => console.error(`kiln: ${problem}`));
  else if (code === 'EADDRINUSE') {
    console.error(`kiln: port ${config.http.port} on ${config.http.host} is taken; set another KILN_PORT`);
  } else if (code === 'EACCES' && config.http.port < 1024) {
    console.error(`kiln: port ${config.http.port} needs more rights; set a KILN_PORT of 1024 or more`);
  } else console.error(`kiln: ${error instanceof Error ? error.message : String(error)}`);
  if (config.logLevel === 'debug' && error instanceof Error) console.error(error.stack);
}
