import { createWriteStream } from 'node:fs';
import { chmod, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { Config } from '../../config/config.js';
import {
  Builder,
  BuildFailedError,
  type BuilderReadiness,
  type BuildOrder,
  type BuildReporter,
  type BuildResult,
  type BuiltFile,
  type BuiltRole,
} from '../../modules/jobs/index.js';
import { kiwiProblem } from './host.js';
import { KiwiLog } from './kiwi-log.js';
import { openRegularFile } from './regular-file.js';
import { Sandbox } from './sandbox.js';
import { sweepWorkFolders, WorkFolder } from './work-folder.js';

/** Bounds and rhythms that no deployment needs to set; tests do. */
export interface LocalBuilderOptions {
  /** Entries of a recipe archive. */
  readonly recipeEntries: number;
  /** Bytes of a recipe when unpacked. */
  readonly recipeUnpackedBytes: number;
  /** Bytes of one rendered template. */
  readonly renderedBytes: number;
  /** How long one repository may take to answer one probe. */
  readonly repositoryAnswerMs: number;
  /** Pause between two rounds of probes. */
  readonly repositoryRoundMs: number;
  /** When to give up on repositories. */
  readonly repositoryGiveUpMs: number;
  /** Pause between two looks at the disk that a build uses. */
  readonly diskWatchMs: number;
  /** How long an answer of `readiness` is kept. */
  readonly readinessMs: number;
}

export const LOCAL_BUILDER_OPTIONS = Symbol('LocalBuilderOptions');

const DEFAULTS: LocalBuilderOptions = {
  recipeEntries: 100_000,
  recipeUnpackedBytes: 4 * 2 ** 30,
  renderedBytes: 64 * 2 ** 20,
  repositoryAnswerMs: 10_000,
  repositoryRoundMs: 10_000,
  repositoryGiveUpMs: 500_000,
  diskWatchMs: 2_000,
  readinessMs: 10_000,
};

/** Longest delay a Node timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Enough for the archive reader and Jinja, too little for a hostile header to hurt. */
const PREPARE_MEMORY_BYTES = 2 * 2 ** 30;
const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Builds kiwi-ng recipes on this machine, each in an unprivileged sandbox of its own. Needs no root and no daemon. */
@Injectable()
export class LocalBuilder extends Builder {
  private readonly options: LocalBuilderOptions;
  private readonly buildsDir: string;
  private known: { readonly at: number; readonly problem: Promise<string | undefined> } | undefined;

  constructor(
    private readonly config: Config,
    @Optional() @Inject(LOCAL_BUILDER_OPTIONS) options?: Partial<LocalBuilderOptions>,
  ) {
    super();
    this.options = { ...DEFAULTS, ...options };
    this.buildsDir = join(config.dataDir, 'builds');
  }

  override async readiness(): Promise<BuilderReadiness[]> {
    const problem = await this.problem();
    return [
      { builder: 'kiwi-ng', usable: problem === undefined, ...(problem === undefined ? {} : { problem }) },
      { builder: 'packer', usable: false, problem: 'Packer recipes cannot be built by this version of Kiln' },
    ];
  }

  override async sweep(): Promise<void> {
    await sweepWorkFolders(this.buildsDir);
  }

  override async build(
    order: BuildOrder,
    recipe: () => Promise<Readable>,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    signal.throwIfAborted();
    await this.refuseUnbuildable(order);
    const limit = new AbortController();
    const stop = AbortSignal.any([signal, limit.signal]);
    const folder = await WorkFolder.create(this.buildsDir, order.jobId, order.attempt);
    const ends = [this.watchClock(limit), this.watchDisk(folder, limit)];
    try {
      const files = await this.runSteps(order, recipe, report, stop, folder);
      stop.throwIfAborted();
      return { files: await storeFiles(files, report, stop) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw limit.signal.aborted ? limit.signal.reason : error;
    } finally {
      for (const end of ends) end();
      // Where removal fails the sweep tries again.
      await folder.remove().catch(() => undefined);
    }
  }

  private async refuseUnbuildable(order: BuildOrder): Promise<void> {
    if (order.recipeType !== 'kiwi-ng') {
      throw new BuildFailedError(
        'builder.unavailable',
        `Recipes of type ${order.recipeType} cannot be built by this version of Kiln`,
      );
    }
    const here = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string];
    if (order.arch !== here) {
      throw new BuildFailedError(
        'builder.arch_unsupported',
        `The recipe is for ${order.arch}, and this worker builds for ${here ?? process.arch} only`,
      );
    }
    const problem = await this.problem();
    if (problem !== undefined) throw new BuildFailedError('builder.unavailable', problem);
  }

  private problem(): Promise<string | undefined> {
    const now = Date.now();
    if (!this.known || now - this.known.at > this.options.readinessMs) this.known = { at: now, problem: kiwiProblem() };
    return this.known.problem;
  }

  private async runSteps(
    order: BuildOrder,
    recipe: () => Promise<Readable>,
    report: BuildReporter,
    signal: AbortSignal,
    folder: WorkFolder,
  ): Promise<FinishedFile[]> {
    const { builds } = this.config;
    const { options } = this;
    const sandbox = await Sandbox.prepare(folder);
    const plain = { network: false, signal, onOutput: (text: string) => report.log(text) };

    await report.phase('fetching');
    await fetchArchive(recipe, folder.archive(), order.sourceSizeBytes, signal);
    const prepared = (await sandbox.run({
      ...plain,
      memoryBytes: PREPARE_MEMORY_BYTES,
      order: {
        step: 'prepare',
        entries: options.recipeEntries,
        unpackedBytes: Math.min(options.recipeUnpackedBytes, builds.diskBytes),
        template: order.template,
        renderedBytes: options.renderedBytes,
      },
    })) as { repositories: readonly unknown[]; network: boolean };

    await report.phase('waiting_for_repositories');
    const { network } = prepared;
    if (prepared.repositories.length > 0) {
      await sandbox.run({
        ...plain,
        network,
        order: {
          step: 'wait',
          repositories: prepared.repositories,
          answerSeconds: options.repositoryAnswerMs / 1_000,
          roundSeconds: options.repositoryRoundMs / 1_000,
          giveUpSeconds: options.repositoryGiveUpMs / 1_000,
        },
      });
    }

    await report.phase('building');
    await this.runKiwi(order, report, signal, sandbox, network);

    await report.phase('packaging');
    const packaged = (await sandbox.run({
      ...plain,
      fileBytes: builds.outputBytes,
      onPercent: (percent) => report.percent(percent),
      order: {
        step: 'package',
        kernel: order.kernelFileName,
        initrd: order.initrdFileName,
        bootParameters: order.kernelParametersFileName,
        compressionLevel: builds.compressionLevel,
      },
    })) as { files: BuiltRole[] };
    const files = await Promise.all(packaged.files.map((role) => builtFile(role, join(folder.out(), role))));
    if (files.reduce((sum, file) => sum + file.sizeBytes, 0) > builds.outputBytes) {
      throw new BuildFailedError(
        'build.output_too_large',
        `The result is larger than the ${builds.outputBytes} bytes allowed`,
      );
    }
    report.percent(100);
    return files;
  }

  private async runKiwi(
    order: BuildOrder,
    report: BuildReporter,
    signal: AbortSignal,
    sandbox: Sandbox,
    network: boolean,
  ): Promise<void> {
    const { builds } = this.config;
    const log = new KiwiLog(
      (text) => report.log(text),
      (percent) => report.percent(percent),
      order.enableDebug,
    );
    // Always with --debug: without it kiwi does not tell what package managers say, nor why they fail.
    const command = ['kiwi-ng', '--debug'];
    // The default cache is one for the whole machine, and two builds would overwrite each other's package sources in it.
    command.push(
      '--shared-cache-dir',
      '/job/cache',
      'system',
      'prepare',
      '--description',
      '/job/recipe',
      '--root',
      '/job/root',
    );
    if (await exists(DEBIAN_KEYRING)) command.push('--signing-key', DEBIAN_KEYRING);
    const { status } = await sandbox.run({
      network,
      signal,
      reposDir: builds.reposDir,
      memoryBytes: builds.memoryBytes,
      onOutput: (text) => log.push(text),
      order: { step: 'build', command },
    });
    log.end(status !== 0);
    if (status === 0) return;
    const cause = log.cause();
    throw new BuildFailedError(cause.code, cause.message);
  }

  private watchClock(limit: AbortController): () => void {
    const { timeoutMs } = this.config.builds;
    const timer = setTimeout(
      () =>
        limit.abort(
          new BuildFailedError('build.timeout', `The build took longer than the ${timeoutMs / 1_000} seconds allowed`),
        ),
      Math.min(timeoutMs, MAX_TIMER_MS),
    );
    return () => clearTimeout(timer);
  }

  private watchDisk(folder: WorkFolder, limit: AbortController): () => void {
    const { diskBytes } = this.config.builds;
    let timer: NodeJS.Timeout;
    let ended = false;
    const look = async (): Promise<void> => {
      const started = Date.now();
      const used = await folder.usedBytes();
      if (ended) return;
      if (used > diskBytes) {
        limit.abort(
          new BuildFailedError('build.out_of_disk', `The build used more than the ${diskBytes} bytes of disk allowed`),
        );
        return;
      }
      // Counting a large tree costs time itself: at most a tenth of it.
      timer = setTimeout(() => void look(), Math.max(this.options.diskWatchMs, 9 * (Date.now() - started)));
    };
    timer = setTimeout(() => void look(), this.options.diskWatchMs);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }
}

async function fetchArchive(
  recipe: () => Promise<Readable>,
  path: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  let left = sizeBytes;
  const cap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length;
      if (left >= 0) return done(null, chunk);
      done(
        new BuildFailedError(
          'recipe.invalid',
          `The recipe archive is larger than the ${sizeBytes} bytes it is registered with`,
        ),
      );
    },
  });
  try {
    await pipeline(await recipe(), cap, createWriteStream(path, { flags: 'wx' }), { signal });
    // The sandbox's root, another user of the host, reads it, whatever the umask.
    await chmod(path, 0o644);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof BuildFailedError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new BuildFailedError('build.out_of_disk', 'The disk of the worker is full', { cause: error });
    }
    throw new BuildFailedError('build.failed', `The recipe archive could not be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** A finished file in the work folder. */
interface FinishedFile {
  readonly role: BuiltRole;
  readonly sizeBytes: number;
  open(): Promise<Readable>;
}

async function storeFiles(
  files: readonly FinishedFile[],
  report: BuildReporter,
  signal: AbortSignal,
): Promise<BuiltFile[]> {
  const stored: BuiltFile[] = [];
  for (const { role, sizeBytes, open: openFile } of files) {
    signal.throwIfAborted();
    stored.push({ role, fileId: await report.store(role, sizeBytes, await openFile()) });
  }
  return stored;
}

async function builtFile(role: BuiltRole, path: string): Promise<FinishedFile> {
  const openFile = () => openRegularFile(path, `The build's ${role}`);
  const handle = await openFile();
  const { size } = await handle.stat();
  await handle.close();
  return { role, sizeBytes: size, open: async () => (await openFile()).createReadStream({ highWaterMark: 2 ** 20 }) };
}

function exists(path: string): Promise<boolean> {
  return open(path).then(
    (handle) => handle.close().then(() => true),
    () => false,
  );
}
