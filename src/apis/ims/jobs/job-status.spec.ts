import { describe, expect, it } from '@jest/globals';
import { JOB_PHASES, type JobState } from '../../../modules/jobs/index.js';
import { IMS_JOB_STATUSES, toImsStatus, toJobState, toReport } from './job-status.js';

describe('the statuses of IMS jobs', () => {
  it('has one word for every state, and no two states share one', () => {
    const states: JobState[] = [...JOB_PHASES.filter((phase) => phase !== 'done'), 'success', 'error'];

    const words = states.map(toImsStatus);

    expect([...words].sort()).toEqual([...IMS_JOB_STATUSES].sort());
    expect(words.map(toJobState)).toEqual(states);
  });

  it('sorts by state as it would by status', () => {
    const byStatus = [...IMS_JOB_STATUSES].sort();

    expect(byStatus.map(toJobState)).toEqual(byStatus.map(toJobState).sort());
  });

  it.each([
    ['success', { ended: 'succeeded' }],
    ['error', { ended: 'failed' }],
    ['building_image', { phase: 'building' }],
    ['creating', { phase: 'creating' }],
  ] as const)('takes a report of %s for %j', (status, report) => {
    expect(toReport(status)).toEqual(report);
  });
});
