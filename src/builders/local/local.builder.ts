import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Inject, Injectable, Optional } from '@nestjs/common';
import { Config } from '../../config/config.js';
import {
  Builder,
  BUILD_FAILURE_CODES,
  BuildFailedError,
  type BuilderReadiness,
  type BuildOrder,
  type BuildReporter,
  type BuildResult,
  type BuiltFile,
} from '../../modules/jobs/index.js';
import { readAuthorities } from '../authorities.js';
import { EXIT, type ProgramOptions, type ProgramOrder, type ProgramOutcome } from '../program/order.js';
import { type BuildKind, buildProblem } from '../sandbox/host.js';
import { removeWorkFolder, sweepWorkFolders } from '../sandbox/work-folder.js';
import { Gateway } from './gateway.js';
import { OUTCOME_PATH, ProgramProcess } from './program-process.js';

/** What tests set. */
export interface LocalBuilderOptions extends ProgramOptions {
  /** How long an answer of `readiness` is kept. */
  readonly readinessMs: number;
  /** The compiled builder program. */
  readonly program: string;
}

export const LOCAL_BUILDER_OPTIONS = Symbol('LocalBuilderOptions');

const KINDS = ['kiwi-ng', 'packer', 'customize'] as const satisfies readonly BuildKind[];
const READINESS_MS = 10_000;
const PROGRAM = fileURLToPath(new URL('../program/main.js', import.meta.url));

/**
 * Builds on this machine: each build is a builder program of its own, the one that also runs in pods, which keeps foreign
 * code in an unprivileged sandbox. Needs no root and no daemon.
 */
@Injectable()
export class LocalBuilder extends Builder {
  private readonly options: Partial<LocalBuilderOptions>;
  private readonly buildsDir: string;
  private readonly known = new Map<BuildKind, { readonly at: number; readonly problem: Promise<string | undefined> }>();

  constructor(
    private readonly config: Config,
    @Optional() @Inject(LOCAL_BUILDER_OPTIONS) options?: Partial<LocalBuilderOptions>,
  ) {
    super();
    this.options = options ?? {};
    this.buildsDir = join(config.dataDir, 'builds');
  }

  override readiness(): Promise<BuilderReadiness[]> {
    return Promise.all(
      KINDS.map(async (kind) => {
        const problem = await this.problem(kind);
        return { builder: kind, usable: problem === undefined, ...(problem === undefined ? {} : { problem }) };
      }),
    );
  }

  override async sweep(): Promise<void> {
    await sweepWorkFolders(this.buildsDir);
  }

  override async build(
    order: BuildOrder,
    source: () => Promise<Readable>,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult> {
    signal.throwIfAborted();
    await this.refuseUnbuildable(order);
    const authorities = await readAuthorities(this.config.builds.caFile);
    let stop = (): void => undefined;
    const gateway = await Gateway.open({ source, report, shellHost: this.config.shells.host }, () => stop());
    try {
      signal.throwIfAborted();
      const program = ProgramProcess.start(
        this.options.program ?? PROGRAM,
        this.programOrder(order, gateway, authorities),
        (text) => report.log(text),
      );
      stop = () => program.stop();
      signal.addEventListener('abort', stop, { once: true });
      const status = await program.wait();
      signal.removeEventListener('abort', stop);
      // A program that was killed has removed nothing.
      if (status !== EXIT.done) await removeWorkFolder(this.buildsDir, order.jobId, order.attempt);
      signal.throwIfAborted();
      if (gateway.fault !== undefined) throw gateway.fault;
      return { files: filesOf(status, program) };
    } finally {
      await gateway.close();
    }
  }

  private async refuseUnbuildable(order: BuildOrder): Promise<void> {
    const problem = await this.problem(order.recipeType ?? 'customize');
    if (problem !== undefined) throw new BuildFailedError('builder.unavailable', problem);
  }

  private problem(kind: BuildKind): Promise<string | undefined> {
    const now = Date.now();
    const known = this.known.get(kind);
    if (known && now - known.at <= (this.options.readinessMs ?? READINESS_MS)) return known.problem;
    const problem = buildProblem(kind);
    this.known.set(kind, { at: now, problem });
    return problem;
  }

  private programOrder(order: BuildOrder, gateway: Gateway, authorities: readonly string[]): ProgramOrder {
    const { builds, shells } = this.config;
    return {
      ...order,
      version: 1,
      source: gateway.address('source'),
      upload: gateway.address('files'),
      report: gateway.address('report'),
      outcome: OUTCOME_PATH,
      workDir: this.buildsDir,
      reposDir: builds.reposDir ?? null,
      network: 'private',
      authorities,
      listen: { host: shells.bind, ports: shells.ports },
      limits: {
        timeoutMs: builds.timeoutMs,
        shellTimeoutMs: shells.timeoutMs,
        scriptTimeoutMs: builds.scriptTimeoutMs,
        diskBytes: builds.diskBytes,
        outputBytes: builds.outputBytes,
        memoryBytes: builds.memoryBytes ?? null,
        compressionLevel: builds.compressionLevel,
      },
      options: this.options,
    };
  }
}

function filesOf(status: number | null, program: ProgramProcess): readonly BuiltFile[] {
  if (status !== EXIT.done) {
    const how = status === null ? 'was ended by force' : `ended with status ${status}`;
    const why = program.complaint && ` (${program.complaint})`;
    throw new BuildFailedError('build.failed', `The builder program ${how}${why}`);
  }
  const outcome = JSON.parse(program.outcome) as ProgramOutcome;
  if ('files' in outcome) return outcome.files as readonly BuiltFile[];
  const code = BUILD_FAILURE_CODES.find((known) => known === outcome.code) ?? 'build.failed';
  throw new BuildFailedError(code, outcome.message);
}
