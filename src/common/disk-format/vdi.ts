import { type Finding, type FormatReader, isPowerOfTwo, toSize } from './finding.js';

const SIGNATURE = 0xbeda107f;
const HEADER_BYTES = 456;
/** Of images: dynamic, fixed, undo, differencing. */
const DYNAMIC = 1;
const FIXED = 2;
const NO_UUID = Buffer.alloc(16);

/** VirtualBox. The signature stands behind a text that any program may choose. */
export function* readVdi(finding: Finding): FormatReader {
  const header = yield { at: 0, length: HEADER_BYTES };
  if (header.length < 68 || header.readUInt32LE(64) !== SIGNATURE) return;
  finding.recognised = true;
  if (header.length < HEADER_BYTES) return finding.fault('truncated', 'it ends within its header');
  if (header.readUInt32LE(68) !== 0x00010001)
    finding.fault('unknown_feature', 'it is of an unknown version of its format');
  finding.virtualSizeBytes = toSize(header.readBigUInt64LE(368));
  const kind = header.readUInt32LE(76);
  const link = header.subarray(424, 440);
  if ((kind !== DYNAMIC && kind !== FIXED) || !link.equals(NO_UUID)) {
    finding.fault('backing_file', 'it holds only the changes to another disk');
  }
  const blockBytes = header.readUInt32LE(376);
  const blocks = header.readUInt32LE(384);
  if (header.readUInt32LE(360) !== 512 || !isPowerOfTwo(blockBytes) || blocks * blockBytes < finding.virtualSizeBytes) {
    finding.fault('malformed', 'the sizes in its header do not fit each other');
  }
}
