/** Builds run behind this port; a `Builder` knows nothing of jobs' rows, leases or faces. */

import type { Readable } from 'node:stream';

export const BUILD_PHASES = [
  'fetching',
  'waiting_for_repositories',
  'building',
  'waiting_on_user',
  'packaging',
] as const;
export type BuildPhase = (typeof BUILD_PHASES)[number];

/** What to make an image of, and how. All file names are plain names below the image root's `/boot`. */
export interface BuildOrder {
  readonly jobId: string;
  /** Distinguishes executions of one job, so that a second one never meets the first one's files. */
  readonly attempt: number;
  readonly jobType: 'create' | 'customize';
  /** Null where the source is the root file system of an image. */
  readonly recipeType: 'kiwi-ng' | 'packer' | null;
  readonly arch: 'x86_64' | 'aarch64';
  readonly template: ReadonlyArray<{ readonly key: string; readonly value: string }>;
  readonly kernelFileName: string;
  readonly initrdFileName: string;
  readonly kernelParametersFileName: string;
  readonly requireDkms: boolean;
  readonly enableDebug: boolean;
  /** Expected size of the source in bytes, from its stored file. */
  readonly sourceSizeBytes: number;
  /** Expected md5 of the source, in lower-case hexadecimal. */
  readonly sourceMd5: string;
  /** Room that was asked for, and memory. */
  readonly buildEnvSizeGib: number;
  readonly memoryGib: number;
  /** For the person who customises, or who looks into a build that failed; null: nobody comes in. */
  readonly shell: ShellOrder | null;
  /** What customises instead of a person; null: nothing does. */
  readonly scripts: ScriptsOrder | null;
}

/** A shell to open. */
export interface ShellOrder {
  readonly name: string;
  /** Whether those who come in see nothing but the image root. */
  readonly jail: boolean;
  /** As in `authorized_keys`; text that is no key lets nobody in. */
  readonly authorizedKey: string;
}

/** Scripts that run in the image root, one after the other. */
export interface ScriptsOrder {
  readonly updateOsPackages: boolean;
  readonly items: ReadonlyArray<{
    /** For messages; tells no secret of its address. */
    readonly name: string;
    readonly text: string;
  }>;
}

/** The shell of a job, once there is one. */
export interface ShellState {
  readonly status: 'establishing' | 'active' | 'complete';
  /** Where users reach it. */
  readonly host?: string;
  readonly port?: number;
  /** Where programs within the cluster of the build reach it, if it has one. */
  readonly inside?: { readonly host: string; readonly port: number };
  /** Public half of the key that its server shows, in the form of known_hosts. */
  readonly hostKey?: string;
}

/** What an execution tells while it runs. Each call may reject (lease lost): the builder then stops at once. */
export interface BuildReporter {
  phase(phase: BuildPhase): Promise<void>;
  /** 0 to 100 of the present phase. Cheap; may be called often. */
  percent(percent: number): void;
  /** Whole or partial log text, in order. Buffered by the callee. */
  log(text: string): void;
  /** What is left out stays as it was told before. */
  shell(state: Partial<ShellState>): Promise<void>;
  /**
   * Stores a file of the result.
   * @returns its id, which the result names
   * @throws FileTooLargeError, LimitExceededError
   */
  store(role: BuiltRole, sizeBytes: number, body: Readable): Promise<string>;
}

export const BUILT_ROLES = ['rootfs', 'kernel', 'initrd', 'boot_parameters', 'debug_kernel', 'disk'] as const;
export type BuiltRole = (typeof BUILT_ROLES)[number];

/** A file of the result, which is stored. */
export interface BuiltFile {
  readonly role: BuiltRole;
  readonly fileId: string;
}

/** Exactly one of the files is the root file system or the disk. */
export interface BuildResult {
  readonly files: readonly BuiltFile[];
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
  'image.invalid',
  'shell.failed',
  'builder.unavailable',
  'builder.arch_unsupported',
  'executor.lost',
  'limit.exceeded',
  'user.failed',
  'executor.evicted',
  'executor.unschedulable',
  'executor.out_of_memory',
  'executor.image_pull_failed',
  'executor.node_lost',
  'executor.deleted',
  'executor.failed',
  'user.cancelled',
] as const;
export type BuildFailureCode = (typeof BUILD_FAILURE_CODES)[number];

/** Turns recipes and images into the files of new ones. One instance serves a whole process and runs several builds at once. */
export abstract class Builder {
  /**
   * Runs one build to its end.
   *
   * @param source opens the recipe archive (tar, usually gzip) or the root file system (squashfs) from its start; again where it broke off
   * @param signal aborts on cancel, lost lease or shutdown: every process and mount of the build is gone before the
   *   promise rejects (with the signal's reason)
   * @throws BuildFailedError with the cause to show
   */
  abstract build(
    order: BuildOrder,
    source: () => Promise<Readable>,
    report: BuildReporter,
    signal: AbortSignal,
  ): Promise<BuildResult>;

  /** Which kinds of recipe can be built here, and what is missing for the others. Cheap: cached for some seconds. */
  abstract readiness(): Promise<BuilderReadiness[]>;

  /** Ends processes and removes work folders that executions of dead processes left on this machine. */
  abstract sweep(): Promise<void>;
}
