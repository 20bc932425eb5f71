import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { UnavailableError } from '../../../common/errors.js';
import type { JobLogsRepository, LogChunk } from '../job-logs.repository.js';
import { LeaseLostError } from '../jobs.errors.js';
import { JobLogWriter } from './job-log-writer.js';

/** What of the repository a writer needs, in memory. */
class MemoryLogs {
  readonly chunks: LogChunk[] = [];
  failure: Error | null = null;

  async extent() {
    const last = this.chunks.at(-1);
    return { lines: last ? last.firstLine + last.lineCount - 1 : 0, bytes: Buffer.byteLength(this.text) };
  }

  async append(_jobId: string, _fencingNumber: number, chunk: LogChunk): Promise<void> {
    if (this.failure) throw this.failure;
    this.chunks.push(chunk);
  }

  get text(): string {
    return this.chunks.map(({ text }) => text).join('');
  }
}

describe('a job’s log', () => {
  let logs: MemoryLogs;
  let failures: unknown[];
  beforeEach(() => {
    jest.useFakeTimers();
    logs = new MemoryLogs();
    failures = [];
  });
  afterEach(() => void jest.useRealTimers());

  const open = (limitBytes = 1_000_000) =>
    JobLogWriter.open(logs as unknown as JobLogsRepository, { jobId: 'a job', fencingNumber: 1 }, limitBytes, (error) =>
      failures.push(error),
    );

  it('is written in chunks of whole lines, whatever pieces it comes in', async () => {
    const writer = await open();

    writer.write('one\ntw');
    await jest.advanceTimersByTimeAsync(300);
    writer.write('o\nthree');
    await writer.close();

    expect(logs.chunks).toEqual([
      { firstLine: 1, lineCount: 1, text: 'one\n' },
      { firstLine: 2, lineCount: 2, text: 'two\nthree\n' },
    ]);
  });

  it('goes on where the one before it ended', async () => {
    const first = await open();
    first.write('one\ntwo\n');
    await first.close();

    const second = await open();
    second.note('the second attempt');
    await second.close();

    expect(logs.chunks.at(-1)).toEqual({ firstLine: 3, lineCount: 1, text: 'kiln: the second attempt\n' });
  });

  it.each([
    ['NUL', 'a\0b\n', 'a\ufffdb\n'],
    ['half a character', 'a\ud83d\n', 'a\ufffd\n'],
    ['line ends of other systems', 'a\r\nb\rc\n', 'a\nb\nc\n'],
    ['an empty line', '\n', '\n'],
  ])('keeps %s readable', async (_what, written, kept) => {
    const writer = await open();
    writer.write(written);
    await writer.close();
    expect(logs.text).toBe(kept);
  });

  it('joins a character and a line end that come in two pieces', async () => {
    const writer = await open();
    writer.write('\ud83d');
    writer.write('\ude00\r');
    writer.write('\nend\n');
    await writer.close();
    expect(logs.text).toBe('😀\nend\n');
  });

  it('cuts a line that does not end', async () => {
    const writer = await open();
    writer.write('x'.repeat(40_000));
    await writer.close();
    expect(logs.text.split('\n').map((line) => line.length)).toEqual([16_384, 16_384, 7_232, 0]);
    expect(logs.chunks.reduce((sum, { lineCount }) => sum + lineCount, 0)).toBe(3);
  });

  it('says where it stops being kept, and still takes Kiln’s own notes', async () => {
    const writer = await open(10);
    writer.write('12345678\n');
    writer.write('9\n');
    writer.write('never\n');
    writer.note('the end');
    await writer.close();
    expect(logs.text).toBe(
      '12345678\nkiln: the log is longer than 10 bytes; the rest of it is not kept\nkiln: the end\n',
    );
  });

  it('waits for a database that is away', async () => {
    const writer = await open();
    logs.failure = new UnavailableError('away');
    writer.write('one\n');
    await jest.advanceTimersByTimeAsync(300);

    logs.failure = null;
    await jest.advanceTimersByTimeAsync(1_000);

    expect([logs.text, failures]).toEqual(['one\n', []]);
  });

  it('tells that the job is in other hands, and writes nothing more', async () => {
    const writer = await open();
    logs.failure = new LeaseLostError('a job');
    writer.write('one\n');
    await jest.advanceTimersByTimeAsync(300);
    logs.failure = null;
    writer.write('two\n');
    await writer.close();

    expect([logs.text, failures]).toEqual(['', [expect.any(LeaseLostError)]]);
  });
});
