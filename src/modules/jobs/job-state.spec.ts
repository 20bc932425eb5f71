import { describe, expect, it } from '@jest/globals';
import { hasEnded, JOB_STATUSES, type JobStatus, mayBecome } from './job-state.js';

const ALLOWED: readonly (readonly [JobStatus, JobStatus])[] = [
  ['queued', 'running'],
  ['queued', 'succeeded'],
  ['queued', 'failed'],
  ['queued', 'cancelled'],
  ['running', 'running'],
  ['running', 'queued'],
  ['running', 'succeeded'],
  ['running', 'failed'],
  ['running', 'cancelled'],
];
const PAIRS = JOB_STATUSES.flatMap((from) => JOB_STATUSES.map((to) => [from, to] as const));

describe('the states of a job', () => {
  it.each(PAIRS)('from %s to %s', (from, to) => {
    expect(mayBecome(from, to)).toBe(ALLOWED.some(([before, after]) => before === from && after === to));
  });

  it.each(JOB_STATUSES)('%s is an end if nothing comes after it', (status) => {
    expect(hasEnded(status)).toBe(!ALLOWED.some(([from]) => from === status));
  });
});
