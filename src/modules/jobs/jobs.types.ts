import type { SortTerm } from '../../common/paging.js';
import type { TimeCondition } from '../../common/time-condition.js';
import type { Job, SshContainer } from './job.entity.js';
import type { ActivePhase, FinalStatus, JobState, JobType } from './job-state.js';

/** Customising without a person: what is done in the image root, in this order. */
export interface ScriptedCustomize {
  /** Brings every package up to date first, with the package manager of the image. */
  readonly updateOsPackages: boolean;
  /**
   * `https:` addresses (asked as any address that users give), `s3://bucket/key` of the job's project, or `data:` with the
   * text itself. Read when the job runs, and run one after the other; the first that fails ends the job.
   */
  readonly scripts: ReadonlyArray<{ readonly url: string }>;
}

/** A job as it is asked for. What is absent gets the default of the recipe, of its architecture or of Kiln. */
export interface CreateJob {
  /** The face it is asked for through; only this face will list it. */
  readonly face: string;
  readonly jobType: Extract<JobType, 'create' | 'customize'>;
  /** Id of the recipe (create) or image (customize). */
  readonly artifactId: string;
  /** Who may come into the shells of the job; absent: nobody, and it opens none. */
  readonly publicKeyId?: string;
  /** Whether an image that another project shares or publishes will do as the source. */
  readonly sharedSources?: boolean;
  /** Becomes the name of the resulting image. */
  readonly imageRootArchiveName: string;
  readonly kernelFileName?: string;
  readonly initrdFileName?: string;
  readonly kernelParametersFileName?: string;
  readonly enableDebug?: boolean;
  readonly buildEnvSizeGib?: number;
  readonly memoryGib?: number;
  readonly requireDkms?: boolean;
  readonly sshContainers?: readonly SshContainer[];
  /** Customises by scripts instead of a shell. */
  readonly scripted?: ScriptedCustomize;
}

export type JobSortKey = 'id' | 'name' | 'created' | 'arch' | 'state' | 'job_type';

/** Conditions that all hold; a list of values means any of them. */
export interface JobFilter {
  readonly names?: readonly string[];
  readonly archs?: readonly string[];
  readonly states?: readonly JobState[];
  readonly jobTypes?: readonly string[];
  /** Recipe or image ids; text that is no id matches nothing. */
  readonly artifactIds?: readonly string[];
  readonly publicKeyIds?: readonly string[];
  readonly resultantImageIds?: readonly string[];
  readonly created?: readonly TimeCondition[];
}

/** Which jobs are listed, and in which order. */
export interface JobQuery {
  readonly face: string;
  /** Null: those of every project, for administrators. */
  readonly projectId: string | null;
  readonly filter: JobFilter;
  readonly sort: readonly SortTerm<JobSortKey>[];
  /** Id of the job behind which the list starts. */
  readonly marker?: string;
}

/** A job as lists show it: without what may be large. */
export type ListedJob = Omit<Job, 'publicKey' | 'templateDictionary' | 'input' | 'result'>;

/** Which jobs are deleted together. */
export interface DeleteJobs {
  readonly face: string;
  readonly states?: readonly JobState[];
  readonly jobTypes?: readonly string[];
  /** Only jobs made before this. */
  readonly createdBefore?: Date;
}

/** What somebody who runs a job says of it: where it is, or how it ended. */
export interface ReportJob {
  readonly phase?: ActivePhase;
  readonly ended?: Extract<FinalStatus, 'succeeded' | 'failed'>;
  readonly resultantImageId?: string;
}

/** Why a job failed: a stable code for programs, a sentence for people. */
export interface JobCause {
  readonly code: string;
  readonly message: string;
}
