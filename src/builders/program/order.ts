import type { BuildOrder } from '../../modules/jobs/builder.js';
import type { SandboxNetwork } from '../sandbox/sandbox.js';

/** Where something is got from or sent to, and with which headers. */
export interface Address {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Bounds and rhythms that no deployment needs to set; tests do. */
export interface ProgramOptions {
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
  /** What stays free of the disk, whatever a build may use of it. */
  readonly diskFreeBytes: number;
  /** Pause between two looks for what the person in the shell says. */
  readonly flagWatchMs: number;
  /** How long Kiln may be away before a report is left out. */
  readonly reportGiveUpMs: number;
  /** How often the source is fetched before it is given up, and the pause between two attempts. */
  readonly sourceTries: number;
  readonly sourcePauseMs: number;
}

export const PROGRAM_DEFAULTS: ProgramOptions = {
  recipeEntries: 100_000,
  recipeUnpackedBytes: 4 * 2 ** 30,
  renderedBytes: 64 * 2 ** 20,
  repositoryAnswerMs: 10_000,
  repositoryRoundMs: 10_000,
  repositoryGiveUpMs: 500_000,
  diskWatchMs: 2_000,
  diskFreeBytes: 512 * 2 ** 20,
  flagWatchMs: 1_000,
  reportGiveUpMs: 30_000,
  // As the containers of the reference do.
  sourceTries: 20,
  sourcePauseMs: 10_000,
};

export interface ProgramLimits {
  /** Of all phases but the shell's. */
  readonly timeoutMs: number;
  readonly shellTimeoutMs: number;
  readonly scriptTimeoutMs: number;
  readonly diskBytes: number;
  readonly outputBytes: number;
  /** Of one process; null: no limit. */
  readonly memoryBytes: number | null;
  readonly compressionLevel: number;
}

/** The order of the builder program: one JSON object, the same in every executor. */
export interface ProgramOrder extends BuildOrder {
  readonly version: 1;
  /** GET: the recipe's archive, or the root file system. */
  readonly source: Address;
  /** PUT `<url>/<role>`; answers 201 with the id of the file. */
  readonly upload: Address;
  /** POST. */
  readonly report: Address;
  /** File that tells how it ended, or `fd:<number>` of an open one. */
  readonly outcome: string;
  /** Folder of work folders. */
  readonly workDir: string;
  /** Folder of package repositories; null: there is none. */
  readonly reposDir: string | null;
  readonly network: SandboxNetwork;
  /** Certificates (PEM) of the authorities that builds trust beside the usual ones, and that images keep. */
  readonly authorities: readonly string[];
  /** Where shells listen: any port from the first to the last; from 0: a free one. */
  readonly listen: { readonly host: string; readonly ports: readonly [number, number] };
  readonly limits: ProgramLimits;
  readonly options?: Partial<ProgramOptions>;
}

/** What is in the file `outcome`. */
export type ProgramOutcome =
  | { readonly files: ReadonlyArray<{ readonly role: string; readonly fileId: string; readonly sizeBytes: number }> }
  | { readonly code: string; readonly message: string };

/** How the program exits; with 0 an outcome is written. */
export const EXIT = { done: 0, failed: 1, leaseLost: 3, stopped: 143 } as const;
