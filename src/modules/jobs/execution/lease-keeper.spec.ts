import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LeaseLostError } from '../jobs.errors.js';
import { LeaseKeeper } from './lease-keeper.js';

const LEASE_MS = 9_000;

describe('keeping a lease', () => {
  let now: number;
  let renewals: number;
  let held: boolean;
  let away: boolean;
  let lost: LeaseLostError[];
  let keeper: LeaseKeeper;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    now = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    [renewals, held, away, lost] = [0, true, false, []];
    keeper = new LeaseKeeper(
      {
        jobId: 'a job',
        leaseMs: LEASE_MS,
        renew: async () => {
          if (away) throw new Error('the database is away');
          if (!held) throw new LeaseLostError('a job');
          renewals += 1;
        },
        isHeld: async () => {
          if (away) throw new Error('the database is away');
          return held;
        },
        lost: (error) => lost.push(error),
        trouble: () => undefined,
      },
      0,
    );
  });
  afterEach(() => {
    keeper.stop();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1_000) {
      now += 1_000;
      await jest.advanceTimersByTimeAsync(1_000);
    }
  }

  it('renews it when a third of it has passed', async () => {
    await pass(30_000);
    expect([renewals, lost]).toEqual([10, []]);
  });

  it('notices within a second that it is gone', async () => {
    await pass(4_000);
    held = false;
    await pass(1_000);
    expect(lost).toHaveLength(1);
  });

  it('survives a database that is away for less than the lease', async () => {
    away = true;
    await pass(7_000);
    away = false;
    await pass(4_000);
    expect(lost).toEqual([]);
  });

  it('gives it up, once, when the database is away for as long as the lease', async () => {
    away = true;
    await pass(20_000);
    expect(lost).toHaveLength(1);
  });

  it('gives it up when the process has slept through its end', async () => {
    now += LEASE_MS;
    await jest.advanceTimersByTimeAsync(1_000);
    expect([renewals, lost.length]).toEqual([0, 1]);
  });

  it('asks nothing any more once it is stopped', async () => {
    keeper.stop();
    held = false;
    await pass(20_000);
    expect(lost).toEqual([]);
  });
});
