import { describe, expect, it } from '@jest/globals';
import { type LogLine, LogLines } from './log-lines.js';

const AT = '2026-01-02T03:04:05.000000006Z';

function read(...texts: string[]): LogLine[] {
  const told: LogLine[] = [];
  const lines = new LogLines((line) => told.push(line));
  for (const text of texts) lines.push(text);
  lines.end();
  return told;
}

describe('a log with times', () => {
  it('is taken apart however it was cut, and to its last word', () => {
    const lines = [
      { at: AT, text: 'one of two words' },
      { at: AT, text: '' },
      { at: AT, text: 'last\rwithout an end' },
    ];
    const text = lines.map(({ at, text }) => `${at} ${text}`).join('\n');

    expect(read(text)).toEqual(lines);
    expect(read(...text)).toEqual(lines);
  });

  it('is told while a line has no end, in the same pieces each time', () => {
    const long = 'x'.repeat(100_000);
    const told: LogLine[] = [];
    const lines = new LogLines((line) => told.push(line));

    for (let sent = 0; sent < 10; sent += 1)
      lines.push(sent === 0 ? `${AT} ${long.slice(0, 10_000)}` : long.slice(0, 10_000));
    const early = told.length;
    lines.push(`\n${AT} short\n`);

    expect(early).toBeGreaterThan(4);
    expect(told.at(-1)).toEqual({ at: AT, text: 'short' });
    expect(
      told
        .slice(0, -1)
        .map(({ text }) => text)
        .join(''),
    ).toBe(long);
    expect(told.every(({ at, text }) => at === AT && text.length <= 16_384)).toBe(true);
    expect(read(`${AT} ${long}\n${AT} short\n`)).toEqual(told);
  });

  it('is told without the times that a kubelet puts into a long line', () => {
    const pieces = ['x'.repeat(16_384), 'y'.repeat(16_384), 'z'.repeat(16_380), 'w'];
    const times = pieces.map((_, index) => `2026-01-02T03:04:05.12345678${index}Z`);
    const [last, ...first] = pieces.map((text, index) => ({ at: times[index]!, text })).reverse();
    const partial = first.reverse();
    // The third is no whole piece, so the line ends with it.
    const text = `${partial.map(({ at, text }) => `${at} ${text}`).join('')}\n${last!.at} ${last!.text}\n`;

    expect(read(text)).toEqual([...partial, last]);
    expect(read(...text)).toEqual([...partial, last]);
  });
});
