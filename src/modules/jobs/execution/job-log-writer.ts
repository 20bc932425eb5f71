import { UnavailableError } from '../../../common/errors.js';
import { toStorable } from '../../../platform/database/storable-text.js';
import { JobLogsRepository } from '../job-logs.repository.js';
import type { Execution } from './job-executions.repository.js';

/** How long text waits for more of it before it is written. */
const FLUSH_MS = 300;
const RETRY_MS = 1_000;
/** Text that waits beyond this is written at once. */
const FLUSH_CHARACTERS = 64 * 1024;
/** A line longer than this goes on in the next one, so that a progress bar without line feeds stays readable. */
const LINE_CHARACTERS = 16 * 1024;

/**
 * Collects what an execution says, and writes it in chunks of whole lines. What the database cannot hold is replaced;
 * what is over the limit is left out, and the last line says so.
 */
export class JobLogWriter {
  private waiting = '';
  private partial = '';
  private timer: NodeJS.Timeout | null = null;
  private writing: Promise<void> = Promise.resolve();
  private full = false;
  private failed = false;
  private closed = false;

  private constructor(
    private readonly logs: JobLogsRepository,
    private readonly execution: Execution,
    private nextLine: number,
    private bytesLeft: number,
    private readonly limitBytes: number,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /**
   * Goes on where the log of the job ends.
   * @param onFailure a chunk could not be written; nothing is written after that
   */
  static async open(
    logs: JobLogsRepository,
    execution: Execution,
    limitBytes: number,
    onFailure: (error: unknown) => void,
  ): Promise<JobLogWriter> {
    const { lines, bytes } = await logs.extent(execution.jobId);
    return new JobLogWriter(logs, execution, lines + 1, limitBytes - bytes, limitBytes, onFailure);
  }

  /** Whole or partial lines, in order. */
  write(text: string): void {
    if (this.full || this.failed) return;
    this.partial += text;
    this.takeLines(false);
    if (this.waiting.length >= FLUSH_CHARACTERS) this.flushSoon(0);
    else if (this.waiting !== '') this.flushSoon(FLUSH_MS);
  }

  /** A line of Kiln's own, also when the log is full. */
  note(sentence: string): void {
    this.partial += this.partial === '' ? '' : '\n';
    this.takeLines(false);
    this.waiting += `${toStorable(`kiln: ${sentence}`)}\n`;
    this.flushSoon(0);
  }

  /** Writes what is left, also a line without an end. */
  async close(): Promise<void> {
    this.closed = true;
    this.takeLines(true);
    this.flush();
    await this.writing;
  }

  private takeLines(all: boolean): void {
    // A carriage return at the very end may be the first half of a line end.
    const settled = all || !this.partial.endsWith('\r') ? this.partial : this.partial.slice(0, -1);
    const rest = this.partial.slice(settled.length);
    const lines = settled.replace(/\r\n?/g, '\n').split('\n');
    let last = lines.pop()!;
    for (const line of lines) this.takeLine(line);
    while (last.length > LINE_CHARACTERS || (all && last !== '')) {
      this.takeLine(last.slice(0, LINE_CHARACTERS));
      last = last.slice(LINE_CHARACTERS);
    }
    this.partial = last + rest;
  }

  private takeLine(line: string): void {
    if (this.full) return;
    for (let start = 0; start === 0 || start < line.length; start += LINE_CHARACTERS) {
      const text = `${toStorable(line.slice(start, start + LINE_CHARACTERS))}\n`;
      this.bytesLeft -= Buffer.byteLength(text);
      if (this.bytesLeft < 0) {
        this.full = true;
        this.waiting += `kiln: the log is longer than ${this.limitBytes} bytes; the rest of it is not kept\n`;
        return;
      }
      this.waiting += text;
    }
  }

  private flushSoon(inMs: number): void {
    if (this.timer && inMs > 0) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), inMs);
  }

  private flush(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.writing = this.writing.then(() => this.writeWaiting());
  }

  private async writeWaiting(): Promise<void> {
    while (this.waiting !== '' && !this.failed) {
      const text = this.takeChunk();
      const lineCount = countLines(text);
      try {
        const { jobId, fencingNumber } = this.execution;
        await this.logs.append(jobId, fencingNumber, { firstLine: this.nextLine, lineCount, text });
        this.nextLine += lineCount;
      } catch (error) {
        if (error instanceof UnavailableError && !this.closed) {
          // The database will be back, or the lease runs out.
          this.waiting = text + this.waiting;
          return this.flushSoon(RETRY_MS);
        }
        this.failed = true;
        this.onFailure(error);
      }
    }
  }

  /** Whole lines, about as many as one chunk holds. */
  private takeChunk(): string {
    const end = this.waiting.indexOf('\n', FLUSH_CHARACTERS - 1) + 1;
    const chunk = end > 0 ? this.waiting.slice(0, end) : this.waiting;
    this.waiting = this.waiting.slice(chunk.length);
    return chunk;
  }
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}
