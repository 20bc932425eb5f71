import { Injectable } from '@nestjs/common';
import { Database } from '../../platform/database/database.js';
import { LeaseLostError } from './jobs.errors.js';

/** Chunks of job $1 that hold lines behind line $2. */
const BEHIND = `first_line > coalesce(
  (SELECT max(first_line) FROM job_log_chunks
   WHERE job_id = $1 AND first_line <= $2 AND first_line + line_count <= $2 + 1), 0)`;

/** Some lines of a log, each ended by a line feed. Lines count from 1. */
export interface LogChunk {
  readonly firstLine: number;
  readonly lineCount: number;
  readonly text: string;
}

/** What is read of a log by its ends and times. */
export interface LogRange {
  /** Lines behind this one, the first of them first; or before this one, the last of them first. */
  readonly place: { readonly after: number } | { readonly before: number };
  /** When the chunk was written: not before, and before. */
  readonly since: Date | null;
  readonly until: Date | null;
}

/** A chunk, and when it was written. */
export interface TimedLogChunk extends LogChunk {
  readonly writtenAt: Date;
}

/** How much there is of a log. */
export interface LogExtent {
  readonly lines: number;
  readonly firstWrittenAt: Date;
  readonly lastWrittenAt: Date;
}

/** Every statement on `job_log_chunks`. */
@Injectable()
export class JobLogsRepository {
  constructor(private readonly database: Database) {}

  /** Chunks that hold lines behind `afterLine`, in order. The first may begin before it. */
  read(jobId: string, afterLine: number, limit: number): Promise<LogChunk[]> {
    return this.database.query<LogChunk>(
      `SELECT first_line AS "firstLine", line_count AS "lineCount", text FROM job_log_chunks
       WHERE job_id = $1 AND ${BEHIND}
       ORDER BY first_line LIMIT $3`,
      [jobId, afterLine, limit],
      'job-logs-read',
    );
  }

  /**
   * Chunks with lines of a range, those nearest to its place first. The nearest may reach beyond it.
   *
   * @param limit how many chunks at most
   * @param limitBytes how much text at most
   */
  readRange(
    jobId: string,
    { place, since, until }: LogRange,
    limit: number,
    limitBytes: number,
  ): Promise<TimedLogChunk[]> {
    const forward = 'after' in place;
    const order = `first_line ${forward ? 'ASC' : 'DESC'}`;
    return this.database.query<TimedLogChunk>(
      `SELECT "firstLine", "lineCount", text, "writtenAt" FROM (
         SELECT first_line AS "firstLine", line_count AS "lineCount", text, written_at AS "writtenAt",
           sum(octet_length(text)) OVER (ORDER BY ${order}) AS bytes
         FROM job_log_chunks
         WHERE job_id = $1 AND ${forward ? BEHIND : 'first_line < $2'}
           AND written_at >= coalesce($3, '-infinity'::timestamptz) AND written_at < coalesce($4, 'infinity'::timestamptz)
         ORDER BY ${order} LIMIT $5) AS nearest
       WHERE bytes <= $6`,
      [jobId, forward ? place.after : place.before, since, until, limit, limitBytes],
      forward ? 'job-logs-read-forward' : 'job-logs-read-backward',
    );
  }

  /** The last line's number, and when the first and the last chunk were written; null: there is none. */
  async span(jobId: string): Promise<LogExtent | null> {
    const [found] = await this.database.query<LogExtent>(
      `SELECT first.written_at AS "firstWrittenAt", last.written_at AS "lastWrittenAt",
         last.first_line + last.line_count - 1 AS lines
       FROM (SELECT written_at FROM job_log_chunks WHERE job_id = $1 ORDER BY first_line LIMIT 1) first,
         (SELECT first_line, line_count, written_at FROM job_log_chunks WHERE job_id = $1
          ORDER BY first_line DESC LIMIT 1) last`,
      [jobId],
    );
    return found ?? null;
  }

  /** How much there is so far: the last line's number, and the bytes. */
  async extent(jobId: string): Promise<{ lines: number; bytes: number }> {
    const row = await this.database.one<{ lines: number; bytes: number }>(
      `SELECT coalesce(max(first_line + line_count - 1), 0) AS lines, coalesce(sum(octet_length(text)), 0)::bigint AS bytes
       FROM job_log_chunks WHERE job_id = $1`,
      [jobId],
    );
    return row ?? { lines: 0, bytes: 0 };
  }

  /**
   * Adds a chunk on behalf of an execution. One that begins at the same line is written over: its answer was lost, and
   * whoever holds the job writes it again, perhaps with more behind it.
   * @throws LeaseLostError the execution does not hold the job
   */
  async append(jobId: string, fencingNumber: number, chunk: LogChunk): Promise<void> {
    const added = await this.database.run(
      // The lock makes whoever ends the job or takes it over wait, so nothing is added behind the end.
      `WITH held AS (
         SELECT id FROM jobs WHERE id = $1 AND fencing_number = $2 AND status = 'running' AND deleted_at IS NULL FOR SHARE)
       INSERT INTO job_log_chunks (job_id, first_line, line_count, text) SELECT id, $3, $4, $5 FROM held
       ON CONFLICT (job_id, first_line) DO UPDATE SET line_count = excluded.line_count, text = excluded.text`,
      [jobId, fencingNumber, chunk.firstLine, chunk.lineCount, chunk.text],
      'job-logs-append',
    );
    if (added === 0) throw new LeaseLostError(jobId);
  }

  /** Adds what is said in the end. The job must be locked, so that no execution adds anything meanwhile. */
  async addLast(jobId: string, text: string): Promise<void> {
    await this.database.run(
      `INSERT INTO job_log_chunks (job_id, first_line, line_count, text)
       VALUES ($1, coalesce(
         (SELECT first_line + line_count FROM job_log_chunks WHERE job_id = $1 ORDER BY first_line DESC LIMIT 1), 1), $2, $3)`,
      [jobId, text.split('\n').length, `${text}\n`],
    );
  }

  /** Removes the whole log of a job. */
  async remove(jobId: string): Promise<void> {
    await this.database.run('DELETE FROM job_log_chunks WHERE job_id = $1', [jobId]);
  }
}
