import { describe, expect, it } from '@jest/globals';
import { HealthChecks } from './health.js';

describe('HealthChecks', () => {
  it('is ready while everything required answers, whatever the rest says', async () => {
    const checks = new HealthChecks();
    checks.require('database', async () => undefined);
    checks.tell('builders', async () => [{ name: 'kiwi-ng', usable: false, detail: 'install kiwi' }]);

    const report = await checks.report();

    expect(report.ready).toBe(true);
    expect(report.told).toEqual([{ name: 'kiwi-ng', usable: false, detail: 'install kiwi' }]);
  });

  it('is not ready when something required fails, and says why', async () => {
    const checks = new HealthChecks();
    checks.require('database', async () => Promise.reject(new Error('connection refused')));

    expect(await checks.report()).toMatchObject({
      ready: false,
      required: [{ name: 'database', usable: false, detail: 'connection refused' }],
    });
  });

  it('asks once for all who want to know at the same time, and anew afterwards', async () => {
    let asked = 0;
    const checks = new HealthChecks();
    checks.require('database', () => Promise.resolve(void (asked += 1)));

    await Promise.all([checks.report(), checks.report(), checks.report()]);
    expect(asked).toBe(1);

    await checks.report();
    expect(asked).toBe(2);
  });
});
