import type { Finding, FormatReader } from './finding.js';

const MAGIC = Buffer.from('4c554b53babe', 'hex');

/** An encrypted volume: nothing can be told of what is in it. */
export function* readLuks(finding: Finding): FormatReader {
  const start = yield { at: 0, length: 8 };
  finding.recognised =
    start.length === 8 && start.subarray(0, 6).equals(MAGIC) && [1, 2].includes(start.readUInt16BE(6));
}
