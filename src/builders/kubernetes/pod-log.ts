import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../../platform/kubernetes/cluster.js';

const AGAIN_MS = 1_000;

/**
 * Follows the log of a container until its end, over broken connections, each line once.
 *
 * @param isOver whether the container has ended, so that one more reading has everything
 */
export async function followPodLog(
  cluster: Cluster,
  pod: string,
  container: string,
  onText: (text: string) => void,
  isOver: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  let last: string | undefined;
  while (!signal.aborted) {
    // Asked before reading: what is read from now on is all there will be.
    const over = isOver();
    try {
      await cluster.readLog(
        pod,
        container,
        last,
        ({ at, text }) => {
          // A log goes on from a second, not from a line.
          if (last !== undefined && order(at) <= order(last)) return;
          last = at;
          onText(`${text}\n`);
        },
        signal,
      );
      if (over) return;
    } catch (error) {
      if (signal.aborted) return;
      // A node that does not answer: its log may be had later, or never.
      if (over) throw error;
    }
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Nanoseconds are written without their last zeros. */
function order(time: string): string {
  const [seconds = '', fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
