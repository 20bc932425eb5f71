import { type Finding, type FormatReader, toSize } from './finding.js';

const MAGIC = Buffer.from('QED\0', 'latin1');
const BACKING_FILE = 1n;

/** @see docs/interop/qed_spec.txt of QEMU */
export function* readQed(finding: Finding): FormatReader {
  const header = yield { at: 0, length: 64 };
  if (!header.subarray(0, 4).equals(MAGIC)) return;
  finding.recognised = true;
  if (header.length < 64) return finding.fault('truncated', 'it ends within its header');
  finding.virtualSizeBytes = toSize(header.readBigUInt64LE(48));
  if (header.readBigUInt64LE(16) & BACKING_FILE) finding.fault('backing_file', 'it needs a backing file');
}
