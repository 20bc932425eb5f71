import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { BuildFailedError, type BuiltRole, type ShellOrder } from '../../modules/jobs/builder.js';
import { archProblem, networkProblem } from '../sandbox/host.js';
import { openRegularFile } from '../sandbox/regular-file.js';
import { Sandbox } from '../sandbox/sandbox.js';
import { WorkFolder } from '../sandbox/work-folder.js';
import { fetchSource } from './fetch-source.js';
import { type Kiln, LeaseLostError } from './kiln.js';
import { kiwiCommand } from './kiwi-command.js';
import { KiwiLog } from './kiwi-log.js';
import { PROGRAM_DEFAULTS, type ProgramOptions, type ProgramOrder, type ProgramOutcome } from './order.js';
import { PackerLog } from './packer-log.js';
import { ShellServer } from './shell-server.js';
import { UPDATE_PACKAGES } from './update-packages.js';
import { BuildClock, watchDisk } from './watches.js';

/** Enough for the archive reader and Jinja, too little for a hostile header to hurt. */
const PREPARE_MEMORY_BYTES = 2 * 2 ** 30;

/** A finished file in the work folder. */
interface FinishedFile {
  readonly role: BuiltRole;
  readonly sizeBytes: number;
  open(): Promise<Readable>;
}

/**
 * The phases of one build, from the source that is fetched to the files that are handed over. It knows of Kiln what the
 * order says, and runs the same on a worker's machine and in a pod.
 */
export class BuildProgram {
  private readonly options: ProgramOptions;
  private readonly limit = new AbortController();
  private readonly stop: AbortSignal;
  private readonly clock: BuildClock;

  private constructor(
    private readonly order: ProgramOrder,
    private readonly kiln: Kiln,
    private readonly log: (text: string) => void,
    signal: AbortSignal,
    private readonly folder: WorkFolder,
    private readonly sandbox: Sandbox,
  ) {
    this.options = { ...PROGRAM_DEFAULTS, ...order.options };
    this.stop = AbortSignal.any([signal, this.limit.signal]);
    this.clock = new BuildClock(order.limits, this.limit);
  }

  /**
   * Runs a build to its end.
   *
   * @param signal every process and mount of the build, and its work folder, are gone before the promise rejects
   * @throws BuildFailedError, LeaseLostError, KilnUnreachableError, or the signal's reason
   */
  static async run(
    order: ProgramOrder,
    kiln: Kiln,
    log: (text: string) => void,
    signal: AbortSignal,
  ): Promise<ProgramOutcome> {
    const foreign = await archProblem(order.arch);
    if (foreign !== undefined) {
      throw new BuildFailedError('builder.arch_unsupported', `The image is for ${order.arch}; ${foreign}`);
    }
    const folder = await WorkFolder.create(order.workDir, order.jobId, order.attempt);
    try {
      const sandbox = await Sandbox.prepare(folder, order.network, order.authorities);
      return await new BuildProgram(order, kiln, log, signal, folder, sandbox).build(signal);
    } finally {
      // Where removal fails the sweep tries again.
      await folder.remove().catch((error: Error) => process.stderr.write(`${error.message}\n`));
    }
  }

  private async build(signal: AbortSignal): Promise<ProgramOutcome> {
    const { diskBytes } = this.order.limits;
    const { diskFreeBytes: freeBytes, diskWatchMs: everyMs } = this.options;
    const endWatch = watchDisk(this.folder, { diskBytes, freeBytes, everyMs, what: 'The build' }, this.limit);
    try {
      await this.fetch();
      await this.make();
      await this.kiln.phase('packaging');
      const files = await this.package();
      return { files: await this.upload(files) };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw this.limit.signal.aborted ? this.limit.signal.reason : error;
    } finally {
      this.clock.stop();
      endWatch();
    }
  }

  private async fetch(): Promise<void> {
    await this.kiln.phase('fetching');
    const { sourceTries, sourcePauseMs } = this.options;
    for (let left = sourceTries - 1; ; left -= 1) {
      try {
        return await fetchSource(await this.kiln.source(), this.folder.archive(), this.order, this.stop);
      } catch (error) {
        if (this.stop.aborted || error instanceof BuildFailedError || error instanceof LeaseLostError) throw error;
        const why = `What is to be built could not be read: ${(error as Error).message}`;
        if (left === 0) throw new BuildFailedError('build.failed', why, { cause: error });
        this.log(`kiln: ${why}; trying again\n`);
      }
      await delay(sourcePauseMs, undefined, { signal: this.stop });
    }
  }

  private async make(): Promise<void> {
    if (this.order.jobType === 'customize') return this.customize();
    const make = this.order.recipeType === 'packer' ? await this.preparePacker() : await this.prepareKiwi();
    await this.kiln.phase('building');
    try {
      await make();
    } catch (error) {
      if (error instanceof BuildFailedError && !this.stop.aborted) await this.openDebugShell(error);
      throw error;
    }
  }

  // --- Recipes of kiwi-ng

  private async prepareKiwi(): Promise<() => Promise<void>> {
    const { repositories, network, packageManager } = (await this.unpackRecipe()) as {
      repositories: readonly unknown[];
      network: boolean;
      packageManager: string;
    };
    await this.kiln.phase('waiting_for_repositories');
    const { options } = this;
    if (repositories.length > 0) {
      await this.sandbox.run({
        ...this.plain,
        network,
        order: {
          step: 'wait',
          repositories,
          answerSeconds: options.repositoryAnswerMs / 1_000,
          roundSeconds: options.repositoryRoundMs / 1_000,
          giveUpSeconds: options.repositoryGiveUpMs / 1_000,
        },
      });
    }
    return () => this.runKiwi(network, packageManager);
  }

  private unpackRecipe(): Promise<Record<string, unknown>> {
    const { recipeType, template, authorities, limits } = this.order;
    const { recipeEntries, recipeUnpackedBytes, renderedBytes } = this.options;
    return this.sandbox.run({
      ...this.plain,
      memoryBytes: PREPARE_MEMORY_BYTES,
      order: {
        step: 'prepare',
        recipeType,
        entries: recipeEntries,
        unpackedBytes: Math.min(recipeUnpackedBytes, limits.diskBytes),
        template,
        authorities,
        renderedBytes,
      },
    });
  }

  private async runKiwi(network: boolean, packageManager: string): Promise<void> {
    const log = new KiwiLog(this.log, (percent) => this.percent(percent), this.order.enableDebug);
    const { status } = await this.sandbox.run({
      ...this.foreign,
      network,
      onOutput: (text) => log.push(text),
      order: { step: 'build', command: await kiwiCommand(this.order.arch, packageManager) },
    });
    log.end(status !== 0);
    if (status === 0) return;
    const cause = log.cause();
    throw new BuildFailedError(cause.code, cause.message);
  }

  // --- Recipes of Packer

  private async preparePacker(): Promise<() => Promise<void>> {
    const { template } = await this.unpackRecipe();
    return () => this.runPacker(template);
  }

  private async runPacker(template: unknown): Promise<void> {
    const log = new PackerLog(this.log);
    const { status } = await this.sandbox.run({
      ...this.foreign,
      network: await this.hasNetwork(),
      onOutput: (text) => log.push(text),
      order: { step: 'packer', template },
    });
    log.end();
    if (status !== 0) {
      const cause = log.cause();
      throw new BuildFailedError(cause.code, cause.message);
    }
    await this.sandbox.run({ ...this.plain, order: { step: 'collect', files: log.files } });
  }

  // --- Images

  private async customize(): Promise<void> {
    const { scripts, shell, authorities } = this.order;
    await this.sandbox.run({ ...this.plain, order: { step: 'unpack_image', authorities } });
    if (scripts) {
      await this.kiln.phase('building');
      const update = scripts.updateOsPackages ? [UPDATE_PACKAGES] : [];
      for (const script of [...update, ...scripts.items]) await this.runScript(script);
    } else if (shell) {
      if ((await this.openShell(shell, 'image-root')) === 'failed') {
        throw new BuildFailedError('user.failed', 'Whoever customized the image marked it as failed.');
      }
    } else throw new BuildFailedError('shell.failed', 'The job has neither scripts nor a key that opens its shell');
    await this.sandbox.run({ ...this.plain, order: { step: 'tidy' } });
  }

  private async runScript({ name, text }: { readonly name: string; readonly text: string }): Promise<void> {
    const { scriptTimeoutMs } = this.order.limits;
    const limit = new AbortController();
    const took = `${capital(name)} took longer than the ${scriptTimeoutMs / 1_000} seconds allowed`;
    const timer = setTimeout(() => limit.abort(new BuildFailedError('build.script_failed', took)), scriptTimeoutMs);
    let last = '';
    this.log(`kiln: running ${name}\n`);
    try {
      const { status } = await this.sandbox.run({
        ...this.foreign,
        signal: AbortSignal.any([this.stop, limit.signal]),
        network: await this.hasNetwork(),
        onOutput: (output) => {
          last = lastLine(output) ?? last;
          this.log(output);
        },
        order: { step: 'script', text, repo: this.order.reposDir !== null, environment: this.environment() },
      });
      if (status === 0) return;
      const how = Number(status) < 0 ? `was ended by signal ${-Number(status)}` : `ended with status ${String(status)}`;
      throw new BuildFailedError('build.script_failed', `${capital(name)} ${how}${last === '' ? '' : `: ${last}`}`);
    } finally {
      clearTimeout(timer);
    }
  }

  // --- Shells

  /** Whoever looks into a failed build may take as long as anybody in a shell; the build stays failed. */
  private async openDebugShell(failure: BuildFailedError): Promise<void> {
    const { shell } = this.order;
    if (!shell) return;
    this.log(`kiln: the build failed (${failure.message}); its shell is open for whoever looks into it\n`);
    try {
      await this.openShell(shell, 'build/image-root');
    } catch (error) {
      if (this.stop.aborted || !(error instanceof BuildFailedError)) throw error;
      this.log(`kiln: the shell could not be kept open: ${error.message}\n`);
    }
  }

  /** @returns how the person ended it */
  private async openShell(shell: ShellOrder, place: string): Promise<'complete' | 'failed'> {
    const { order } = this;
    const { shellTimeoutMs } = order.limits;
    const late = `Nobody ended the shell within the ${shellTimeoutMs / 1_000} seconds allowed`;
    await this.kiln.shell({ status: 'establishing' });
    return this.clock.instead(shellTimeoutMs, late, async () => {
      const { host, ports } = order.listen;
      const server = await ShellServer.open(host, ports, this.log);
      let opening: Promise<void> = Promise.resolve();
      const failed = new AbortController();
      try {
        const { ended } = await this.sandbox.run({
          ...this.foreign,
          signal: AbortSignal.any([this.stop, failed.signal]),
          network: await this.hasNetwork(),
          onOutput: this.log,
          onShell: ({ hostKey }) => {
            opening = this.tellShell(server, hostKey);
            opening.catch((error) => failed.abort(error));
          },
          order: {
            step: 'shell',
            place,
            jail: shell.jail,
            mounts: order.requireDkms,
            repo: order.reposDir !== null,
            authorizedKey: shell.authorizedKey,
            environment: this.environment(),
            pollSeconds: this.options.flagWatchMs / 1_000,
          },
        });
        await opening;
        await this.kiln.shell({ status: 'complete' });
        this.log(`kiln: the shell was ended as ${String(ended)}\n`);
        return ended as 'complete' | 'failed';
      } finally {
        await server.close();
      }
    });
  }

  private async tellShell(server: ShellServer, hostKey: string): Promise<void> {
    // Nobody is in the sandbox yet who could have put something in its place.
    await server.leadTo(join(this.folder.path, 'work', 'shell.sock'));
    // Nobody would come who does not know of it.
    await this.kiln.shell({ status: 'active', port: server.port, hostKey }, this.stop);
    await this.kiln.phase('waiting_on_user', this.stop);
    this.log(`kiln: the shell is open; the key of its host is ${hostKey}\n`);
  }

  private environment(): Record<string, string> {
    const { jobId, arch, requireDkms } = this.order;
    return {
      IMS_JOB_ID: jobId,
      IMS_ARCH: arch,
      IMS_DKMS_ENABLED: requireDkms ? 'True' : 'False',
      REMOTE_BUILD_NODE: '',
    };
  }

  // --- Results

  private async package(): Promise<FinishedFile[]> {
    const { order } = this;
    const { outputBytes, compressionLevel } = order.limits;
    const disk = await finishedFile('disk', join(this.folder.work(), 'disk')).catch(ignoreMissing);
    if (disk) return this.bounded([disk]);
    const { files } = (await this.sandbox.run({
      ...this.plain,
      fileBytes: outputBytes,
      onPercent: (percent) => this.percent(percent),
      order: {
        step: 'package',
        arch: order.arch,
        kernel: order.kernelFileName,
        initrd: order.initrdFileName,
        bootParameters: order.kernelParametersFileName,
        // Those of an image that is customized were put there before anybody came.
        authorities: order.jobType === 'create' ? order.authorities : [],
        compressionLevel,
      },
    })) as { files: BuiltRole[] };
    return this.bounded(await Promise.all(files.map((role) => finishedFile(role, join(this.folder.out(), role)))));
  }

  private bounded(files: FinishedFile[]): FinishedFile[] {
    const { outputBytes } = this.order.limits;
    if (files.reduce((sum, file) => sum + file.sizeBytes, 0) <= outputBytes) return files;
    throw new BuildFailedError('build.output_too_large', `The result is larger than the ${outputBytes} bytes allowed`);
  }

  private async upload(files: readonly FinishedFile[]) {
    const uploaded = [];
    for (const { role, sizeBytes, open } of files) {
      this.stop.throwIfAborted();
      uploaded.push({ role, sizeBytes, fileId: await this.kiln.upload(role, sizeBytes, open, this.stop) });
    }
    this.percent(100);
    return uploaded;
  }

  /** Steps that run no foreign code. */
  private get plain() {
    return { network: false, signal: this.stop, onOutput: this.log };
  }

  private get foreign() {
    const { reposDir, limits } = this.order;
    const { diskBytes: fileBytes, memoryBytes } = limits;
    return { signal: this.stop, reposDir: reposDir ?? undefined, fileBytes, memoryBytes: memoryBytes ?? undefined };
  }

  /** Scripts and people get a network where there is one; without it they have what is in the image. */
  private async hasNetwork(): Promise<boolean> {
    if (this.order.network === 'shared') return true;
    const problem = await networkProblem();
    if (problem !== undefined) this.log(`kiln: there is no network: ${problem}\n`);
    return problem === undefined;
  }

  private percent(percent: number): void {
    void this.kiln.percent(percent).catch((error: Error) => this.limit.abort(error));
  }
}

async function finishedFile(role: BuiltRole, path: string): Promise<FinishedFile> {
  const openFile = () => openRegularFile(path, `The build's ${role}`);
  const handle = await openFile();
  const { size } = await handle.stat();
  await handle.close();
  return { role, sizeBytes: size, open: async () => (await openFile()).createReadStream({ highWaterMark: 2 ** 20 }) };
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The last line of a piece of output that says something. */
function lastLine(output: string): string | undefined {
  return output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .at(-1)
    ?.slice(0, 300);
}
