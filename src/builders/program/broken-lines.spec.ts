import { describe, expect, it } from '@jest/globals';
import { brokenLines, LINE_CHARACTERS } from './broken-lines.js';

function written(...texts: string[]): string {
  let all = '';
  const log = brokenLines((text) => (all += text));
  for (const text of texts) log(text);
  return all;
}

describe('lines that nobody ends', () => {
  it('are ended, however they come', () => {
    const text = 'x'.repeat(100_000);
    const lines = written(text, '\nshort\n').split('\n');

    expect(lines.slice(0, -2).join('')).toBe(text);
    expect(Math.max(...lines.map((line) => line.length))).toBe(LINE_CHARACTERS);
    expect(lines.slice(-2)).toEqual(['short', '']);
    expect(written(...`${text}\nshort\n`)).toBe(lines.join('\n'));
  });

  it('are no others', () => {
    const text = `a line\nanother one\n${'x'.repeat(LINE_CHARACTERS)}\n\npart`;

    expect(written(text)).toBe(text);
    expect(written(...text)).toBe(text);
  });
});
