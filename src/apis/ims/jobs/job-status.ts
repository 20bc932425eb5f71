import type { JobState, ReportJob } from '../../../modules/jobs/index.js';

/** Every status of a job on this API. @see Image Management Service v3, JobStatuses; `packaging_artifacts` its own builder sends */
export const IMS_JOB_STATUSES = [
  'creating',
  'fetching_recipe',
  'fetching_image',
  'waiting_for_repos',
  'building_image',
  'waiting_on_user',
  'packaging_artifacts',
  'success',
  'error',
] as const;
export type ImsJobStatus = (typeof IMS_JOB_STATUSES)[number];

const STATES = {
  creating: 'creating',
  fetching_recipe: 'fetching_recipe',
  fetching_image: 'fetching_image',
  waiting_for_repos: 'waiting_for_repositories',
  building_image: 'building',
  waiting_on_user: 'waiting_on_user',
  packaging_artifacts: 'packaging',
  success: 'success',
  error: 'error',
} as const satisfies Record<ImsJobStatus, JobState>;

const STATUSES = Object.fromEntries(Object.entries(STATES).map(([status, state]) => [state, status])) as Record<
  JobState,
  ImsJobStatus
>;

/** The word of this API for where a job is. */
export function toImsStatus(state: JobState): ImsJobStatus {
  return STATUSES[state];
}

/** Where a job is that has this status. */
export function toJobState(status: ImsJobStatus): JobState {
  return STATES[status];
}

/** What it means that somebody sets this status. */
export function toReport(status: ImsJobStatus): Pick<ReportJob, 'phase' | 'ended'> {
  const state = STATES[status];
  if (state === 'success') return { ended: 'succeeded' };
  if (state === 'error') return { ended: 'failed' };
  return { phase: state };
}
