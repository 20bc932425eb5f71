import type { Config } from '../../config/config.js';
import type { BuilderAccess, BuildOrder } from '../../modules/jobs/index.js';
import { claimBytes, hasShell, type ProgramAccess } from './job-objects.js';

/** The rest is for what the container itself writes: its log, and what is not in the work folder. */
const EPHEMERAL_SHARE = 0.95;

/** Where the program of one execution gets its source, brings its results and tells how far it is. */
export function accessOf(
  order: BuildOrder,
  access: BuilderAccess,
  authorities: readonly string[],
  config: Config,
): ProgramAccess {
  const { timeoutMs, scriptTimeoutMs, diskBytes, outputBytes, memoryBytes, compressionLevel } = config.builds;
  const shellTimeoutMs = config.shells.timeoutMs;
  const { startTimeoutMs, workVolume } = config.kubernetes;
  const base = `${config.kubernetes.apiUrl}/builder/jobs/${order.jobId}`;
  const headers = { authorization: `Bearer ${access.token}` };
  return {
    addresses: {
      source: access.sourceUrl === null ? { url: `${base}/source`, headers } : { url: access.sourceUrl, headers: {} },
      upload: { url: `${base}/files`, headers },
      report: { url: `${base}/report`, headers },
    },
    limits: {
      timeoutMs,
      shellTimeoutMs,
      scriptTimeoutMs,
      // The claim was made as large as the job asks for. What others use of a node is everybody's, and a pod that uses more
      // of it than it may is evicted, so the program must be the one that notices.
      diskBytes:
        workVolume === 'claim'
          ? claimBytes(order)
          : Math.min(diskBytes, Math.floor(EPHEMERAL_SHARE * claimBytes(order))),
      outputBytes,
      memoryBytes: memoryBytes ?? null,
      compressionLevel,
    },
    authorities,
    totalSeconds: Math.ceil((startTimeoutMs + timeoutMs + (hasShell(order) ? shellTimeoutMs : 0)) / 1_000),
  };
}
