import { Injectable } from '@nestjs/common';
import { currentRequestId } from '../../common/request-context.js';
import { Database } from '../database/database.js';
import { toStorableJson } from '../database/storable-text.js';

/** Wakes every dispatcher; carries nothing. */
export const EVENTS_CHANNEL = 'kiln_events';

/** One thing that happened. `data` says what changed; never a secret. */
export interface NewEvent {
  /** `image.activated`, `job.created`: noun, dot, past participle. */
  readonly kind: string;
  readonly noun: string;
  readonly nounId: string;
  readonly projectId: string | null;
  readonly actorId: string | null;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** Writes events in the transaction of the change they tell of. */
@Injectable()
export class Outbox {
  constructor(private readonly database: Database) {}

  /**
   * Records an event. With `dispatch`, subscribers of this kind will see it at least once, after the commit, however
   * often processes die in between.
   */
  async record(event: NewEvent, options: { dispatch?: boolean } = {}): Promise<void> {
    const dispatch = options.dispatch ?? false;
    await this.database.run(
      `INSERT INTO events (kind, noun, noun_id, project_id, actor_id, request_id, data, pending)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        event.kind,
        event.noun,
        event.nounId,
        event.projectId,
        event.actorId,
        currentRequestId(),
        toStorableJson(event.data ?? {}),
        dispatch,
      ],
      'events-record',
    );
    if (dispatch) await this.database.run(`SELECT pg_notify('${EVENTS_CHANNEL}', '')`, [], 'events-notify');
  }

  /** Removes some of the events that happened longer ago than this and that nobody has still to act on. Returns how many. */
  purge(olderThanMs: number, limit: number): Promise<number> {
    return this.database.run(
      `DELETE FROM events WHERE id IN (
         SELECT id FROM events
         WHERE NOT pending AND occurred_at < now() - $1::double precision * interval '1 millisecond'
         ORDER BY occurred_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [olderThanMs, limit],
    );
  }
}
