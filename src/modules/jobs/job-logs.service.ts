import { setTimeout as delay } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import type { Actor } from '../tenancy/index.js';
import { JobLogsRepository, type LogExtent, type LogRange } from './job-logs.repository.js';
import { type FinalStatus, hasEnded, type JobState } from './job-state.js';
import { TooManyFollowersError } from './jobs.errors.js';
import { JobsService } from './jobs.service.js';

/** What a follower sees: lines in order, now and then nothing new, at last the end. */
export type LogEvent =
  | { readonly kind: 'line'; readonly number: number; readonly text: string }
  | { readonly kind: 'idle' }
  | { readonly kind: 'end'; readonly status: FinalStatus; readonly state: JobState };

/** A line, and when it came. */
export interface LogLine {
  readonly number: number;
  readonly text: string;
  readonly writtenAt: Date;
}

/** Chunks read at a time. Each has 64 KiB at most. */
const CHUNKS = 32;
/** Text of a page, at most. */
const PAGE_BYTES = 2 ** 20;
const POLL_MS = 500;
/** Each costs two short queries a poll. */
const MOST_FOLLOWERS = 200;

/** Reading the log of a job: as it is, or on and on until the job has ended. */
@Injectable()
export class JobLogsService implements BeforeApplicationShutdown {
  private readonly shutdown = new AbortController();
  private followers = 0;

  constructor(
    private readonly jobs: JobsService,
    private readonly logs: JobLogsRepository,
  ) {}

  /**
   * The log so far, in pieces; empty before the first line.
   * @throws JobNotFoundError before anything is read
   */
  async read(actor: Actor, face: string, jobId: string): Promise<AsyncGenerator<string>> {
    const job = await this.jobs.get(actor, face, jobId);
    return this.pieces(job.id);
  }

  /**
   * Some lines of a log in order: those nearest to the place of the range, 1 MiB at most.
   *
   * @param limit how many lines at most
   * @throws JobNotFoundError
   */
  async page(actor: Actor, face: string, jobId: string, range: LogRange, limit: number): Promise<LogLine[]> {
    const job = await this.jobs.get(actor, face, jobId);
    const { place } = range;
    // Each of them has a line that is asked for.
    const chunks = await this.logs.readRange(job.id, range, limit, PAGE_BYTES);
    const lines = chunks
      .sort((one, other) => one.firstLine - other.firstLine)
      .flatMap((chunk) =>
        textsOf(chunk).map((text, index) => ({ number: chunk.firstLine + index, text, writtenAt: chunk.writtenAt })),
      );
    return 'after' in place
      ? lines.filter(({ number }) => number > place.after).slice(0, limit)
      : lines.filter(({ number }) => number < place.before).slice(-limit);
  }

  /**
   * How much there is of a log; null: nothing was written, or it was discarded.
   * @throws JobNotFoundError
   */
  async extent(actor: Actor, face: string, jobId: string): Promise<LogExtent | null> {
    const job = await this.jobs.get(actor, face, jobId);
    return this.logs.span(job.id);
  }

  /**
   * Every line behind `afterLine`, as it is written, and the end of the job. Ends without an `end` when the job is
   * deleted, when `signal` aborts, and when this process stops: a follower may come back with the last number it saw.
   *
   * @throws JobNotFoundError before anything is read
   * @throws TooManyFollowersError
   */
  async follow(
    actor: Actor,
    face: string,
    jobId: string,
    afterLine: number,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<LogEvent>> {
    await this.jobs.get(actor, face, jobId);
    if (this.followers >= MOST_FOLLOWERS) throw new TooManyFollowersError(MOST_FOLLOWERS);
    return this.events(actor, face, jobId, afterLine, AbortSignal.any([signal, this.shutdown.signal]));
  }

  /** Removes the log of a job that has ended; whether somebody may do so is the caller's to say. */
  discard(jobId: string): Promise<void> {
    return this.logs.remove(jobId);
  }

  beforeApplicationShutdown(): void {
    this.shutdown.abort();
  }

  private async *pieces(jobId: string): AsyncGenerator<string> {
    for (let afterLine = 0; ;) {
      const chunks = await this.logs.read(jobId, afterLine, CHUNKS);
      for (const { text } of chunks) yield text;
      const last = chunks.at(-1);
      if (!last || chunks.length < CHUNKS) return;
      afterLine = last.firstLine + last.lineCount - 1;
    }
  }

  private async *events(
    actor: Actor,
    face: string,
    jobId: string,
    start: number,
    signal: AbortSignal,
  ): AsyncGenerator<LogEvent> {
    this.followers += 1;
    try {
      for (let afterLine = start; !signal.aborted;) {
        // The job before its log: nothing is written behind the end, so what is read now is all there is.
        const job = await this.jobs.find(actor, face, jobId);
        if (!job) return;
        const chunks = await this.logs.read(jobId, afterLine, CHUNKS);
        for (const chunk of chunks) {
          for (const [index, text] of textsOf(chunk).entries()) {
            const number = chunk.firstLine + index;
            if (number <= afterLine) continue;
            yield { kind: 'line', number, text };
            afterLine = number;
          }
        }
        if (chunks.length > 0) continue;
        if (hasEnded(job.status)) return yield { kind: 'end', status: job.status, state: job.state };
        yield { kind: 'idle' };
        await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      this.followers -= 1;
    }
  }
}

function textsOf({ text }: { readonly text: string }): string[] {
  return text.slice(0, -1).split('\n');
}
