import { Inject, Injectable, Optional } from '@nestjs/common';
import pg from 'pg';
import { Database } from '../database/database.js';
import { Log } from '../logging/log.js';
import { EVENTS_CHANNEL } from './outbox.js';

/** An event as a subscriber sees it. */
export interface DispatchedEvent {
  readonly id: number;
  readonly occurredAt: Date;
  readonly kind: string;
  readonly nounId: string;
  readonly projectId: string | null;
  readonly actorId: string | null;
  readonly data: Record<string, unknown>;
}

/** Must be repeatable: it may see an event twice. Rejecting makes the event come again, later and later. */
export type EventHandler = (event: DispatchedEvent) => Promise<void>;

const BATCH = 50;
/** How long a dispatcher that died keeps its events from the others. */
const CLAIM_SECONDS = 30;
const POLL_MS = 5_000;
/** How long to wait until it looks for what it was not told of, in milliseconds; for tests. */
export const EVENT_POLL_MS = Symbol('EventPollMs');
const LONGEST_PAUSE_SECONDS = 300;
/** From here on the pause is the longest; the square of what goes on for months would not fit a number. */
const COUNTED_ATTEMPTS = 20;

/** Hands pending events to their subscribers, at least once; runs in workers. */
@Injectable()
export class EventDispatcher {
  private readonly handlers = new Map<string, EventHandler[]>();
  private listener: pg.Client | null = null;
  private timer: NodeJS.Timeout | null = null;
  private working: Promise<void> | null = null;
  private again = false;
  private stopped = true;

  constructor(
    private readonly database: Database,
    private readonly log: Log,
    @Optional() @Inject(EVENT_POLL_MS) private readonly pollMs = POLL_MS,
  ) {}

  /** Subscribes; before `start`. Events of the kind must be recorded with `dispatch`. */
  on(kind: string, handler: EventHandler): void {
    this.handlers.set(kind, [...(this.handlers.get(kind) ?? []), handler]);
  }

  /** Starts handing out events. */
  start(): void {
    this.stopped = false;
    this.wake();
  }

  /** Stops after the event in hand. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.working;
    if (this.listener) await this.dropListener(this.listener);
  }

  /** Looks for events now rather than at the next poll. */
  wake(): void {
    if (this.stopped) return;
    if (this.working) {
      this.again = true;
      return;
    }
    if (this.timer) clearTimeout(this.timer);
    this.working = this.work().finally(() => {
      this.working = null;
      if (this.stopped) return;
      const delay = this.again ? 0 : this.pollMs;
      this.again = false;
      this.timer = setTimeout(() => this.wake(), delay);
    });
  }

  private async work(): Promise<void> {
    try {
      await this.listen();
      while (!this.stopped) {
        const events = await this.claim();
        for (const event of events) await this.handle(event);
        if (events.length < BATCH) return;
      }
    } catch (error) {
      this.log.warn('events could not be dispatched; trying again', { error });
    }
  }

  private async listen(): Promise<void> {
    if (this.listener) return;
    // Not from the pool: a connection that listens for as long as the process lives would be missing there.
    const listener = new pg.Client(this.database.pool.options);
    // The next look connects again, and finds what was missed.
    listener.on('error', () => void this.dropListener(listener).then(() => this.wake()));
    listener.on('notification', () => this.wake());
    try {
      await listener.connect();
      await listener.query(`LISTEN ${EVENTS_CHANNEL}`);
      this.listener = listener;
    } catch (error) {
      await this.dropListener(listener);
      throw error;
    }
  }

  private async dropListener(listener: pg.Client): Promise<void> {
    if (this.listener === listener) this.listener = null;
    await listener.end().catch(() => undefined);
  }

  private async claim(): Promise<DispatchedEvent[]> {
    const events = await this.database.query<DispatchedEvent>(
      `UPDATE events SET attempts = attempts + 1, next_attempt_at = now() + interval '${CLAIM_SECONDS} seconds'
       WHERE id IN (
         SELECT id FROM events WHERE pending AND next_attempt_at <= now()
         ORDER BY next_attempt_at, id LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
       RETURNING id, occurred_at AS "occurredAt", kind, noun_id AS "nounId", project_id AS "projectId",
         actor_id AS "actorId", data`,
    );
    // An UPDATE returns its rows in no particular order.
    return events.sort((one, other) => one.id - other.id);
  }

  private async handle(event: DispatchedEvent): Promise<void> {
    try {
      for (const handler of this.handlers.get(event.kind) ?? []) await handler(event);
      await this.database.run('UPDATE events SET pending = false WHERE id = $1', [event.id]);
    } catch (error) {
      this.log.warn('a subscriber failed; the event comes again', { error, kind: event.kind, event_id: event.id });
      await this.database.run(
        `UPDATE events SET next_attempt_at = now() + least(least(attempts, ${COUNTED_ATTEMPTS}) ^ 2, ${LONGEST_PAUSE_SECONDS}) * interval '1 second'
         WHERE id = $1`,
        [event.id],
      );
    }
  }
}
