export const JOB_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

export const JOB_PHASES = [
  'creating',
  'fetching_recipe',
  'fetching_image',
  'waiting_for_repositories',
  'building',
  'waiting_on_user',
  'packaging',
  'done',
] as const;
export type JobPhase = (typeof JOB_PHASES)[number];

/** Phases of a job that has not ended. */
export type ActivePhase = Exclude<JobPhase, 'done'>;

/** Status and phase in one word: the phase until the job has ended, then how. What lists sort and filter by. */
export type JobState = ActivePhase | 'success' | 'error';

export const JOB_TYPES = ['create', 'customize', 'import', 'convert', 'copy', 'hash'] as const;
export type JobType = (typeof JOB_TYPES)[number];

/** How a job can end. */
export type FinalStatus = Extract<JobStatus, 'succeeded' | 'failed' | 'cancelled'>;

/**
 * The one table of transitions. A job ends exactly once; `running` to `running` is another worker that takes over,
 * `running` to `queued` one that hands its job back.
 */
const NEXT: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  queued: ['running', 'succeeded', 'failed', 'cancelled'],
  running: ['running', 'queued', 'succeeded', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  cancelled: [],
};

/** Whether a job may go from one status to the other. */
export function mayBecome(from: JobStatus, to: JobStatus): boolean {
  return NEXT[from].includes(to);
}

/** Whether nothing more happens to a job. */
export function hasEnded(status: JobStatus): status is FinalStatus {
  return NEXT[status].length === 0;
}
