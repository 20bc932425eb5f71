import { describe, expect, it } from '@jest/globals';
import { anOrder } from '../../../test/support/building.js';
import { loadConfig } from '../../config/config.js';
import { accessOf } from './build-access.js';

const GIB = 2 ** 30;

function diskBytes(buildEnvSizeGib: number, env: Record<string, string> = {}): number {
  const { config } = loadConfig({
    KILN_EXECUTORS: '[{"executor": "kubernetes"}]',
    KILN_PUBLIC_URL: 'http://kiln',
    ...env,
  });
  return accessOf(anOrder({ buildEnvSizeGib }), { token: 't', sourceUrl: null }, [], config).limits.diskBytes;
}

describe('the disk of a build in a pod', () => {
  it('is the claim that was made for it', () => {
    expect(diskBytes(3, { KILN_KUBERNETES_WORK_VOLUME: 'claim' })).toBe(15 * GIB);
  });

  it('is less than a pod without a claim may use, in whole bytes', () => {
    const bytes = diskBytes(3, { KILN_KUBERNETES_WORK_VOLUME: 'ephemeral' });

    expect(bytes).toBeLessThan(15 * GIB);
    expect(bytes).toBeGreaterThan(14 * GIB);
    expect(Number.isInteger(bytes)).toBe(true);
  });

  it('is what the operator allows, if that is less', () => {
    const env = { KILN_KUBERNETES_WORK_VOLUME: 'ephemeral', KILN_BUILD_DISK_BYTES: String(GIB) };

    expect(diskBytes(3, env)).toBe(GIB);
  });
});
