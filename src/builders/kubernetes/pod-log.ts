import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../../platform/kubernetes/cluster.js';

const AGAIN_MS = 1_000;

/**
 * Follows the log of a container until its end, over broken connections, each line once.
 *
 * @param isOver whether the container has ended, so that one more reading has everything
 * @param trouble hears why a reading failed; it is tried again until it is aborted
 * @returns false: it was aborted before the end was read
 */
export async function followPodLog(
  cluster: Cluster,
  pod: string,
  container: string,
  onText: (text: string) => void,
  isOver: () => boolean,
  trouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<boolean> {
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
      if (over) return true;
    } catch (error) {
      // A node that does not answer, or a connection that broke: its log may be had later, or never.
      trouble(error);
    }
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

/** Nanoseconds are written without their last zeros. */
function order(time: string): string {
  const [seconds = '', fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
