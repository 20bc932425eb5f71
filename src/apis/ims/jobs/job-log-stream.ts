import type { LogEvent } from '../../../modules/jobs/index.js';
import { toImsStatus } from './job-status.js';

/** How often something is sent while nothing happens, so that proxies keep the connection. */
const KEEP_ALIVE_MS = 15_000;

/** A log as server-sent events: one a line with its number as id, at last `end` with the final status. */
export async function* serverSentEvents(events: AsyncIterable<LogEvent>): AsyncGenerator<string> {
  let lastSentAt = 0;
  for await (const event of events) {
    if (event.kind === 'idle') {
      if (Date.now() - lastSentAt < KEEP_ALIVE_MS) continue;
      // A comment: nobody sees it.
      yield ':\n\n';
    } else if (event.kind === 'line') yield `id: ${event.number}\ndata: ${event.text}\n\n`;
    else yield `event: end\ndata: ${toImsStatus(event.state)}\n\n`;
    lastSentAt = Date.now();
  }
}

/** Number of the line that a client has seen last; 0 when it has seen none, or sends what is no number. */
export function lastEventId(header: string | string[] | undefined): number {
  return typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : 0;
}
