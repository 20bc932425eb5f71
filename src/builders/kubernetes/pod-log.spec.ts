import { describe, expect, it } from '@jest/globals';
import { LogPlace } from './pod-log.js';

const line = (nanoseconds: string) => ({ at: `2026-01-02T03:04:${nanoseconds}Z`, text: '' });

/** What is new of each reading, by its place in it. */
function read(...readings: string[][]): number[][] {
  const place = new LogPlace();
  return readings.map((lines) => {
    const isNew = place.goOn();
    return lines.flatMap((at, index) => (isNew(line(at)) ? [index] : []));
  });
}

describe('where a log is known to', () => {
  it('is no matter of times: whatever comes in one reading counts', () => {
    expect(read(['05.2', '05.1', '05.1', '04'])).toEqual([[0, 1, 2, 3]]);
  });

  it('is the last line, before which nothing counts that comes again', () => {
    expect(read(['05', '05.1'], ['05', '05.1', '05.2'], ['05.2', '05.3'])).toEqual([[0, 1], [2], [1]]);
  });

  it('is that line also where times ran backwards', () => {
    expect(read(['05.2', '05.1'], ['05.2', '05.1', '05.15'])).toEqual([[0, 1], [2]]);
    expect(read(['59', '10'], ['59', '10', '11'])).toEqual([[0, 1], [2]]);
  });

  it('is in the middle of a line whose pieces have one time', () => {
    expect(read(['05.1', '05.1'], ['05.1', '05.1', '05.1', '05.2'])).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('is lost where the log begins later by now, and nothing else is', () => {
    expect(read(['05.1', '05.2'], ['05.3', '05.4'])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});
