import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../../platform/kubernetes/cluster.js';
import type { LogLine } from '../../platform/kubernetes/log-lines.js';

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
  const place = new LogPlace();
  while (!signal.aborted) {
    // Asked before reading: what is read from now on is all there will be.
    const over = isOver();
    const isNew = place.goOn();
    try {
      await cluster.readLog(
        pod,
        container,
        place.last,
        (line) => {
          if (isNew(line)) onText(`${line.text}\n`);
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

/**
 * How far a log is known. Lines stand in it in the order in which they were written, and that alone counts: their times may
 * run backwards, between two streams or after a clock was set, and long lines come in pieces of one time.
 */
export class LogPlace {
  /** Time of the last line. */
  last: string | undefined;
  /** How many there were of that time, one after the other. */
  private ofLast = 0;
  private latest = '';

  /** Begins a reading, which goes on from a second and not from a line. @returns whether a line of it is new */
  goOn(): (line: LogLine) => boolean {
    const { last, latest } = this;
    let known = last === undefined ? 0 : this.ofLast;
    return ({ at }) => {
      // Beyond all that was ever seen: the line that is looked for is not in the log any more.
      if (known > 0 && order(at) > latest) known = 0;
      if (known > 0) {
        if (at === last) known -= 1;
        return false;
      }
      this.ofLast = at === this.last ? this.ofLast + 1 : 1;
      this.last = at;
      if (order(at) > this.latest) this.latest = order(at);
      return true;
    };
  }
}

/** Nanoseconds are written without their last zeros. */
function order(time: string): string {
  const [seconds = '', fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}
