/** Builds run behind this port; a `Builder` knows nothing of jobs' rows, leases or faces. */

export const BUILD_PHASES = ['fetching', 'waiting_for_repositories', 'building', 'packaging'] as const;
export type BuildPhase = (typeof BUILD_PHASES)[number];

/** What to build. All file names are plain names below the image root's `/boot`. */
export interface BuildOrder {
  readonly jobId: string;
  /** Distinguishes executions of one job, so that a second one never meets the first one's files. */
  readonly attempt: number;
  readonly recipeType: 'kiwi-ng' | 'packer';
  readonly arch: 'x86_64' | 'aarch64';
  readonly template: ReadonlyArray<{ readonly key: string; readonly value: string }>;
  readonly kernelFileName: string;
  readonly initrdFileName: string;
  readonly kernelParametersFileName: string;
  readonly requireDkms: boolean;
  readonly enableDebug: boolean;
  /** Expected size of the recipe archive in bytes, from its stored file. */
  readonly recipeSizeBytes: number;
}

/** What an execution tells while it runs. Each call may reject (lease lost): the builder then stops at once. */
export interface BuildReporter {
  phase(phase: BuildPhase): Promise<void>;
  /** 0 to 100 of the present phase. Cheap; may be called often. */
  percent(percent: number): void;
  /** Whole or partial log text, in order. Buffered by the callee. */
  log(text: string): void;
}

export type BuiltRole = 'rootfs' | 'kernel' | 'initrd' | 'boot_parameters' | 'debug_kernel';

/** A finished file of a build, readable until `BuildResult.dispose` is called. */
export interface BuiltFile {
  readonly role: BuiltRole;
  readonly sizeBytes: number;
  open(): Promise<import('node:stream').Readable>;
}

export interface BuildResult {
  readonly files: readonly BuiltFile[];
  /** Removes the work folder. Safe to call twice. */
  dispose(): Promise<void>;
}

/** Why an order cannot be built here, for people: what is missing and which package brings it. */
export interface BuilderReadiness {
  readonly builder: string;
  readonly usable: boolean;
  readonly problem?: string;
}

/**
 * Stable codes of `spec`-level causes (catalogue §5). `code` is for programs, `message` is one sentence for a person.
 */
export class BuildFailedError extends Error {
  constructor(
    readonly code: BuildFailureCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'BuildFailedError';
  }
}

export const BUILD_FAILURE_CODES = [
  'recipe.invalid',
  'recipe.template_failed',
  'repository.unreachable',
  'build.script_failed',
  'build.failed',
  'build.out_of_disk',
  'build.output_too_large',
  'build.timeout',
  'build.file_missing',
  'import.archive_invalid',
  'import.conversion_failed',
  'import.too_large',
  'builder.unavailable',
  'builder.arch_unsupported',
  'executor.lost',
  'user.cancelled',
] as const;
export type BuildFailureCode = (typeof BUILD_FAILURE_CODES)[number];

/** Turns a recipe into files. One instance serves a whole process and runs several builds at once. */
export abstract class Builder {
  /**
   * Runs one build to its end.
   *
   * @param recipe opens the recipe archive (tar, usually gzip); may be called once
   * @param signal aborts on cancel, lost lease or shutdown: every process and mount of the build is gone before the
   *   promise rejects (with the signal's reason)
   * @throws BuildFailedError with the cause to show
   */
  abstract build(
    order: BuildOrder,
    recipe: () => Promise<import('node:stream').Readable>,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult>;

  /** Which kinds of recipe can be built here, and what is missing for the others. Cheap: cached for some seconds. */
  abstract readiness(): Promise<BuilderReadiness[]>;

  /** Ends processes and removes work folders that executions of dead processes left on this machine. */
  abstract sweep(): Promise<void>;
}
